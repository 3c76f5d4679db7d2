"""Was it to be heard? What a unit says it heard, held against the file that it says it played. Pure.

Proof by ear finds faults; it is no proof against a unit that lies: who has the file can compute any of this.

The thresholds come from `python -m tests.bench heard` (CONTRIBUTING.md says what it measured): speech of one voice, so
that strangers are as alike as they can be, over a horn, an echo, reverberation and noise.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from broadcasts.audio.envelope import BANDS, FRAME_MS, HOP_MS, HOPS, SIGNS, SLOWNESS, AssetEnvelope, contrasts, unpacked

LEAST = 39
"""Frames, 10 s: less than that is told apart from a stranger only by luck."""
WINDOW = 20
"""Frames of a window, 5 s: what was heard is told in such steps."""
AROUND_MS = 2_000
"""A clock, a sound card and the way from the horn: what was heard may lie so far from where the unit believes it."""
SURE_OF_10_S, SURE_LEAST = 0.50, 0.30
"""Score from which it is the file. Over 10 s the file at 5 dB reads 0.55 and more in 99 of 100 pairs, another text 0.45
once in a thousand, up to 0.54 where both begin with the chime; with more sound luck falls as the root of the length."""
NOT_OF_10_S, NOT_LEAST = 0.26, 0.18
"""Score below which it is not: the file at -5 dB reads 0.34 and more in 99 of 100 pairs, noise alone 0.18."""
MOST_CONTRAST = 1.0
"""3 dB: what counts more is clear enough. Else the tones of a chime, which many bulletins share, outweigh words."""
WINDOW_HEARD, WINDOW_LEAST, WINDOW_SHARE = 0.42, 0.20, 0.65
"""A window whose place is known: the file at 5 dB reads 0.54 and more, a street 0.25 at most, half of
each 0.39. In more noise all windows read less: then this share of the better ones is enough."""
MOST_HEARD, HALF_HEARD = 0.8, 0.5
"""Share of the windows for yes, and for anything but no (audio.md 7: coverage of 80 %)."""
MOST_BY_CHANCE = 3
"""So many windows that were not heard are no gust of wind any more."""
SILENT_DBFS = -85
FLOOR = 0.03
"""Of a band's mean power in the asset: what lies lower drowns in any street."""
DRIFT_PPM = 1_000
PAUSE = 0.3
"""A window that moves by less than this share of the mean is a pause, of which nothing can be said."""

_LAGS = np.arange(-(AROUND_MS // HOP_MS), AROUND_MS // HOP_MS + 1)
Signal = NDArray[np.float64]


class Decision(StrEnum):
    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class Why(StrEnum):
    """The reason for a decision: a bounded list, spoken in words by the page."""

    MATCHED = "matched"
    PARTLY = "partly"
    """It is the file, and part of it was not to be heard."""
    OTHER = "other"
    """Something else, or nothing but the street."""
    SILENT = "silent"
    """Nothing at all came in: a dead decoder at a line-out (no), a dead microphone (unknown)."""
    TOO_SHORT = "too_short"
    TOO_NOISY = "too_noisy"
    """It may be the file: too much noise to say so, too little to deny it."""
    UNREADABLE = "unreadable"
    """What the unit sent is no envelope of version 1, or no sound."""
    ELSEWHERE = "elsewhere"
    """It lies outside of the asset."""


@dataclass(frozen=True)
class Part:
    """One `envelope` entry of the journal: the fields of the same names."""

    offset_ms: int
    frames: int
    data: str
    level_dbfs: int | None = None
    source: str = "microphone"


@dataclass(frozen=True)
class Stretch:
    """A window of the asset in ms, and whether it was heard."""

    from_ms: int
    to_ms: int
    heard: bool


@dataclass(frozen=True)
class Match:
    """`score`: -1 to 1, what was heard against the file (1: the same; strangers lie near 0). `lag_ms`: how much later
    than the unit believed. `heard_ms` of `listened_ms` were to be heard; `stretches` are those of which something can
    be said, each ends where the next begins or a pause lies between."""

    decision: Decision
    why: Why
    score: float = 0.0
    lag_ms: int = 0
    heard_ms: int = 0
    listened_ms: int = 0
    stretches: tuple[Stretch, ...] = ()


@dataclass(frozen=True)
class _Window:
    """`agree` and `weight`: (lags,), the sum of sign times contrast, and of the contrast alone."""

    from_ms: int
    frames: int
    agree: Signal
    weight: Signal


def match(parts: Sequence[Part], asset: AssetEnvelope) -> Match:
    """All parts of one sounding against the envelope of the file that the journal names. A part that is no envelope is
    as if it had not come. Raises nothing."""
    told = [(part, signs) for part in parts if (signs := _signs(part)) is not None]
    if parts and not told:
        return Match(Decision.UNKNOWN, Why.UNREADABLE)
    runs: list[tuple[int, list[NDArray[np.int8]]]] = []
    for part, signs in sorted(told, key=lambda each: each[0].offset_ms):
        last = runs[-1] if runs else None
        if last is not None and last[0] + sum(map(len, last[1])) * FRAME_MS == part.offset_ms:
            last[1].append(signs)
        else:
            runs.append((part.offset_ms, [signs]))
    listened = sum(part.frames for part, _ in told) * FRAME_MS
    levels = [part.level_dbfs for part, _ in told]
    if told and all(level is not None and level <= SILENT_DBFS for level in levels):
        if told[0][0].source != "line_out":
            return Match(Decision.UNKNOWN, Why.SILENT, listened_ms=listened)
        missed = tuple(Stretch(begin, begin + sum(map(len, pieces)) * FRAME_MS, heard=False) for begin, pieces in runs)
        return Match(Decision.NO, Why.SILENT, listened_ms=listened, stretches=missed)
    floor = FLOOR * asset.power.mean(axis=0) if len(asset.levels) else np.zeros(BANDS)
    windows = [
        window for begin, pieces in runs for window in _windows(begin, np.concatenate(pieces), asset, floor + 1e-12)
    ]
    total = sum(float(window.weight.max()) for window in windows)
    if not windows or total <= 0:
        return Match(Decision.UNKNOWN, Why.TOO_SHORT if listened < LEAST * FRAME_MS else Why.ELSEWHERE)
    return _judged(windows, listened)


def _signs(part: Part) -> NDArray[np.int8] | None:
    try:
        return unpacked(part.data, part.frames)
    except ValueError:
        return None


def _windows(begin_ms: int, signs: NDArray[np.int8], asset: AssetEnvelope, floor: Signal) -> Iterator[_Window]:
    """Every 5 s of a run, at every lag; a rest of less than half of that belongs to the one before."""
    first = round(begin_ms / HOP_MS)
    count = max(1, (len(signs) + WINDOW // 2) // WINDOW)
    mean: Signal | None = None
    for number in range(count):
        begin = number * WINDOW
        end = len(signs) if number == count - 1 else begin + WINDOW
        contrast, inside = _contrasts(asset, first + begin * HOPS, end - begin, floor)
        agree, weight = np.zeros(len(_LAGS)), np.zeros(len(_LAGS))
        for at in range(end - begin):
            now = contrast[:, at]
            mean = now if mean is None else mean
            wave = np.where(inside[:, at, None], np.clip(now - mean, -MOST_CONTRAST, MOST_CONTRAST), 0.0)
            agree += wave @ signs[begin + at]
            weight += np.abs(wave).sum(axis=1)
            mean = mean + (now - mean) / SLOWNESS
        yield _Window(begin_ms + begin * FRAME_MS, end - begin, agree, weight)


def _contrasts(asset: AssetEnvelope, hop: int, frames: int, floor: Signal) -> tuple[Signal, NDArray[np.bool_]]:
    """(lags, frames, SIGNS) of the asset as if its frames began at `hop` plus the lag, and which lie inside of it."""
    low = hop + int(_LAGS[0])
    wanted = np.arange(low, hop + int(_LAGS[-1]) + frames * HOPS)
    within = (wanted >= 0) & (wanted < len(asset.levels))
    power = np.zeros((len(wanted), BANDS))
    power[within] = 10 ** (asset.levels[wanted[within]] / 20 - 12)
    sums = np.concatenate([np.zeros((1, BANDS)), np.cumsum(power, axis=0)])
    begins = _LAGS[:, None] - _LAGS[0] + np.arange(frames)[None] * HOPS
    mean = (sums[begins + HOPS] - sums[begins]) / HOPS
    assert mean.shape[-1] == SIGNS + 1
    return contrasts(np.maximum(mean, 0.0), floor), within[begins] & within[begins + HOPS - 1]


def _judged(windows: Sequence[_Window], listened: int) -> Match:
    agree = np.stack([window.agree for window in windows])
    weight = np.stack([window.weight for window in windows])
    path, score = _best_path(agree, weight, windows)
    here = np.arange(len(windows))
    agree, weight = agree[here, path], weight[here, path]
    telling = weight >= PAUSE * weight.sum() / len(windows)
    frames = sum(window.frames for window, compared in zip(windows, weight > 0, strict=True) if compared)
    good = WINDOW_SHARE * float(np.percentile((agree / np.maximum(weight, 1e-9))[telling], 75))
    enough = max(WINDOW_LEAST, min(WINDOW_HEARD, good))
    stretches = tuple(
        Stretch(window.from_ms, window.from_ms + window.frames * FRAME_MS, bool(a >= enough * w))
        for window, a, w, tells in zip(windows, agree, weight, telling, strict=True)
        if tells
    )
    judged = sum(each.to_ms - each.from_ms for each in stretches)
    heard = sum(each.to_ms - each.from_ms for each in stretches if each.heard)
    share = heard / judged if judged else 0.0
    decision, why = _decided(score, frames, share, sum(not each.heard for each in stretches))
    if why in (Why.OTHER, Why.TOO_SHORT, Why.TOO_NOISY):
        # What a stranger's windows read by chance is nobody's evidence.
        heard, stretches = 0, tuple(Stretch(each.from_ms, each.to_ms, False) for each in stretches)
    lag = round(float(np.median(_LAGS[path]))) * HOP_MS
    return Match(decision, why, round(score, 3), lag, heard, listened, stretches)


def _best_path(agree: Signal, weight: Signal, windows: Sequence[_Window]) -> tuple[NDArray[np.int64], float]:
    """The lag of each window, and the score over all: one lag, and a clock that may slip evenly by `DRIFT_PPM`."""
    begins = np.array([window.from_ms - windows[0].from_ms for window in windows])
    most = int(begins[-1] * DRIFT_PPM / 1e6 / HOP_MS + 0.5)
    lags, best = np.arange(len(_LAGS)), (-2.0, np.zeros(len(windows), np.int64))
    here = np.arange(len(windows))[:, None]
    for slip in range(-most, most + 1):
        slipped = np.round(slip * begins / max(int(begins[-1]), 1)).astype(np.int64)
        path = np.clip(lags[None] + slipped[:, None], 0, len(_LAGS) - 1)
        sums = agree[here, path].sum(axis=0), weight[here, path].sum(axis=0)
        # Where the lag leads out of the asset little is compared: luck there must not win.
        enough = sums[1] >= 0.5 * sums[1].max()
        scores = np.where(enough, sums[0] / np.maximum(sums[1], 1e-9), -1.0)
        top = int(scores.argmax())
        if scores[top] > best[0]:
            best = float(scores[top]), path[:, top]
    return best[1], best[0]


def _decided(score: float, frames: int, share: float, missed: int) -> tuple[Decision, Why]:
    """`frames` that were compared; `share` of the windows of which something can be said that was heard; how many of
    them were not."""
    length = sqrt(LEAST / max(frames, 1))
    if score < max(SURE_OF_10_S * length, SURE_LEAST):
        if frames < LEAST:
            return Decision.UNKNOWN, Why.TOO_SHORT
        if score < max(NOT_OF_10_S * length, NOT_LEAST):
            return Decision.NO, Why.OTHER
        # One window that is surely the file among others that are not: a bulletin that was cut, not noise.
        return Decision.UNKNOWN, Why.TOO_NOISY
    if share >= MOST_HEARD:
        return Decision.YES, Why.MATCHED
    return Decision.NO if share < HALF_HEARD and missed >= MOST_BY_CHANCE else Decision.UNKNOWN, Why.PARTLY
