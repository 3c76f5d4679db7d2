"""Proof by ear: how often the file is found in what a pole heard, and how often a stranger is taken for it.

    python -m tests.bench heard [--quick] [--true 1000] [--false 10000] [--seed 1]

Bulletins are spoken by the embedded voice, each with another text and all with the same chime, so that strangers are
as alike as they can be. A true pair is ten seconds of one of them over a simulated pole (`device_sim/acoustics.py`:
horn, echo, reverberation, drift, a street or wind), made into an envelope by the box's code, and matched by the
controller's against the envelope of the file; the box is wrong about the place by up to 1.5 s. A false pair is the
same against another file. At 5 dB in the numbers asked for, at the other ratios a quarter of the true and a tenth of
the false ones. Then clips, and what else may befall a pole, with half a minute of sound. The last line is JSON.
"""

from __future__ import annotations

import argparse
import base64
import io
import json
import random
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from broadcasts.audio.correlation import SURE, located
from broadcasts.audio.envelope import FRAME_MS, RATE, AssetEnvelope
from broadcasts.audio.hearing import Decision, Match, Part, match
from device_sim.acoustics import AirPath, Noise, captured
from device_sim.envelope import EnvelopeEar
from tests.support.parlance import bulletins, heard_again, opus

Sound = NDArray[np.float64]
SNRS_DB = (-5, 0, 5, 10, 15, 20)
ASKED_DB = 5
SECONDS = 10.0
WRONG_BY_MS = 1_500


@dataclass(frozen=True)
class Capture:
    """What the box told, and of which bulletin."""

    bulletin: int
    parts: tuple[Part, ...]


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench heard", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--true", type=int, default=1_000, help="pairs at 5 dB")
    parser.add_argument("--false", type=int, default=10_000, help="pairs at 5 dB")
    parser.add_argument("--texts", type=int, default=48)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="few of each, to see that it runs")
    asked = parser.parse_args(arguments)
    if asked.quick:
        asked.true, asked.false, asked.texts = 16, 160, 6
    began = time.monotonic()
    sounds = bulletins(asked.texts, asked.seed)
    envelopes = [AssetEnvelope.of([sound]) for sound in sounds]
    print(f"{len(sounds)} bulletins, {sum(map(len, sounds)) / RATE / 60:.0f} min of sound", flush=True)
    print("SNR dB | matched | denied | score 1 %, median | taken for it | strangers 99.9 %, most", flush=True)
    curve = {}
    for snr in SNRS_DB:
        share = 1.0 if snr == ASKED_DB else 0.25
        true, false = (
            max(8, round(asked.true * share)),
            max(80, round(asked.false * share * (1 if share == 1 else 0.4))),
        )
        curve[snr] = _point(sounds, envelopes, snr, true, false, asked.seed)
    clips = {snr: _clips(sounds, snr, 4 if asked.quick else 30, asked.seed) for snr in SNRS_DB}
    befell = _befalls(sounds, envelopes, 6 if asked.quick else 60, asked.seed)
    told: dict[str, Any] = {
        "heard": {"snr_db": ASKED_DB, "seconds": SECONDS, **curve[ASKED_DB]},
        "from_5_db": {
            "true": sum(point["true"] for snr, point in curve.items() if snr >= ASKED_DB),
            "matched": _together(curve, "true", "matched"),
            "false": sum(point["false"] for snr, point in curve.items() if snr >= ASKED_DB),
            "falsely": _together(curve, "false", "falsely"),
        },
        "curve": {str(snr): point for snr, point in curve.items()},
        "clips": {str(snr): point for snr, point in clips.items()},
        "befell": befell,
        "took_s": round(time.monotonic() - began, 1),
    }
    print(json.dumps(told))
    return 0 if curve[ASKED_DB]["matched"] >= 0.99 and told["from_5_db"]["falsely"] <= 0.001 else 1


def _together(curve: Mapping[int, Mapping[str, Any]], of: str, what: str) -> float:
    """The share of all pairs at 5 dB and more."""
    points = [point for snr, point in curve.items() if snr >= ASKED_DB]
    return round(float(sum(point[of] * point[what] for point in points) / sum(point[of] for point in points)), 5)


def _point(
    sounds: Sequence[Sound], envelopes: Sequence[AssetEnvelope], snr: int, true: int, false: int, seed: int
) -> dict[str, Any]:
    chance = random.Random(f"{seed} {snr}")
    captures = [_capture(sounds, chance, replace(_pole(chance), snr_db=snr), SECONDS) for _ in range(true)]
    found = [match(each.parts, envelopes[each.bulletin]) for each in captures]
    strangers = []
    for number in range(false):
        mine = captures[number % len(captures)]
        other = (mine.bulletin + chance.randrange(1, len(sounds))) % len(sounds)
        strangers.append(match(mine.parts, envelopes[other]))
    point = _told(found) | _of_strangers(strangers)
    true_scores = f"{point['score_1_percent']:.2f}, {point['score_median']:.2f}"
    strange = f"{point['strangers_999']:.2f}, {point['strangers_most']:.2f}"
    shares = f"{point['matched']:7.2%} | {point['denied']:6.2%} | {true_scores} | {point['falsely']:.3%}"
    print(f"{snr:6} | {shares} | {strange}", flush=True)
    return point


def _told(found: Sequence[Match]) -> dict[str, Any]:
    scores = [each.score for each in found]
    return {
        "true": len(found),
        "matched": _share(found, Decision.YES),
        "denied": _share(found, Decision.NO),
        "score_1_percent": round(float(np.percentile(scores, 1)), 3),
        "score_median": round(float(np.median(scores)), 3),
    }


def _of_strangers(found: Sequence[Match]) -> dict[str, Any]:
    scores = [each.score for each in found]
    return {
        "false": len(found),
        "falsely": _share(found, Decision.YES),
        "refused": _share(found, Decision.NO),
        "strangers_999": round(float(np.percentile(scores, 99.9)), 3),
        "strangers_most": round(max(scores), 3),
    }


def _share(found: Sequence[Match], decision: Decision) -> float:
    return round(sum(each.decision is decision for each in found) / len(found), 5)


def _pole(chance: random.Random) -> AirPath:
    """Any pole: near a wall or not, in a lane or a field, an old clock or a new one."""
    return AirPath(
        noise=chance.choice([Noise.PINK, Noise.WIND]),
        echo_s=chance.uniform(0.1, 0.6),
        echo_db=chance.choice([None, -9.0, -6.0]),
        reverb_s=chance.uniform(0.2, 0.6),
        reverb_db=chance.choice([None, -9.0, -3.0]),
        drift_ppm=chance.uniform(-100, 100),
    )


def _capture(
    sounds: Sequence[Sound], chance: random.Random, path: AirPath, seconds: float, *, plays: int | None = None
) -> Capture:
    """`seconds` of one bulletin; `plays`: what the decoder runs in truth."""
    mine = chance.randrange(len(sounds)) if plays is None else plays
    length = min(round(seconds * RATE), len(sounds[mine]))
    begin = chance.randrange(len(sounds[mine]) - length + 1)
    other = sounds[(mine + 1) % len(sounds)]
    heard = captured(sounds[mine][begin : begin + length], path, chance.randrange(2**31), np.resize(other, length))
    believed = max(0, begin * 1000 // RATE + chance.randrange(-WRONG_BY_MS, WRONG_BY_MS))
    ear = EnvelopeEar()
    ear.feed(heard)
    told = ear.take()
    assert told is not None
    part = Part(believed, told.frames, told.data, told.level_dbfs)
    assert len(base64.urlsafe_b64decode(told.data + "==")) * FRAME_MS <= seconds * 1010
    return Capture(mine, (part,))


def _clips(sounds: Sequence[Sound], snr: int, each: int, seed: int) -> dict[str, float]:
    """Ten seconds as Opus at 8 kbit/s against 16 s of the file, and of another: peak over spread (GCC-PHAT)."""
    chance = random.Random(f"{seed} clip {snr}")
    true, strange, largest = [], [], 0
    for _ in range(each):
        mine = chance.randrange(len(sounds))
        begin = chance.randrange(len(sounds[mine]) - 16 * RATE)
        around, other = (sounds[name][begin : begin + 16 * RATE] for name in (mine, (mine + 1) % len(sounds)))
        path = replace(_pole(chance), snr_db=snr)
        coded = opus(captured(around[3 * RATE : 13 * RATE], path, chance.randrange(2**31)))
        clip = heard_again(io.BytesIO(coded))
        largest = max(largest, len(coded))
        true.append(located(clip, around)[0])
        strange.append(located(clip, other)[0] if len(other) > len(clip) else 0.0)
    print(f"{snr:6} dB: clips from {min(true):.0f} (median {np.median(true):.0f}), strangers to {max(strange):.0f}")
    return {
        "least": round(min(true), 1),
        "median": round(float(np.median(true)), 1),
        "matched": sum(score >= SURE for score in true) / each,
        "strangers_most": round(max(strange), 1),
        "falsely": sum(score >= SURE for score in strange) / each,
        "bytes_most": largest,
    }


def _befalls(
    sounds: Sequence[Sound], envelopes: Sequence[AssetEnvelope], each: int, seed: int
) -> dict[str, dict[str, int]]:
    """What the decisions are when something is wrong: 30 s at 10 dB (wind and street), and how many of each."""
    counts: dict[str, dict[str, int]] = {}
    wrong: dict[str, dict[str, Any]] = {
        "as it should be": {},
        "cut wire": {"wire_cut": True},
        "wrong file": {},
        "muted for 15 of 30 s": {"muted": ((15.0, 30.0),)},
        "neighbour 6 dB below": {"neighbour_db": -6.0},
        "neighbour alone": {"neighbour_db": 0.0, "wire_cut": True},
        "drift of 1,000 ppm": {"drift_ppm": 1_000.0},
        "very diffuse": {"reverb_s": 1.2, "reverb_db": 6.0, "echo_db": -3.0},
    }
    print(f"30 s at 10 dB, {each} times: matched / unknown / denied", flush=True)
    for name, fields in wrong.items():
        chance = random.Random(f"{seed} {name}")
        found: Counter[str] = Counter()
        for _ in range(each):
            capture = _capture(sounds, chance, replace(_pole(chance), snr_db=10.0, **fields), 30.0)
            mine = (capture.bulletin + 1) % len(sounds) if name == "wrong file" else capture.bulletin
            found[match(capture.parts, envelopes[mine]).decision] += 1
        counts[name] = {decision.value: found[decision] for decision in Decision}
        print(f"{name:22} {found[Decision.YES]:3} / {found[Decision.UNKNOWN]:3} / {found[Decision.NO]:3}", flush=True)
    return counts
