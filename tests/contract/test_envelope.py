"""The envelope of CONTRACT.md, section 12: the controller's code and the box's, written apart, against the vectors."""

from __future__ import annotations

import base64
import json
import math
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from broadcasts.audio import envelope as ours
from broadcasts.wire.codec import encode
from broadcasts.wire.ear import ENVELOPE_FRAME_MS, ENVELOPE_MOST_FRAMES, Source
from broadcasts.wire.journal import Envelope
from device_sim.envelope import EnvelopeEar

VECTORS = json.loads((Path(__file__).parent / "envelope" / "vectors.json").read_bytes())
BUDGET = 600
"""Bytes a minute of sound, entry and base64 included (issue 4, point 7)."""
Sound = NDArray[np.float64]


def sound(vector: dict[str, object]) -> Sound:
    """By the formula that the vector file gives."""
    match vector["formula"]:
        case "zero":
            values = [0.0] * int(str(vector["samples"]))
        case "tones":
            values = [_tones(n) for n in range(int(str(vector["samples"])))]
        case "syllables":
            values = _syllables(int(str(vector["samples"])))
        case other:
            raise AssertionError(f"unknown formula {other}")
    return np.array(values)


def _tones(n: int) -> float:
    t = n / 8000
    return sum(0.1 * math.sin(2 * math.pi * f * t) * (0.5 + 0.5 * math.sin(2 * math.pi * g * t)) for f, g in TONES)


TONES = ((400, 0.31), (700, 0.53), (1100, 0.77), (1700, 1.13), (2600, 1.61))


def _syllables(samples: int) -> list[float]:
    state, out = 1, []
    for n in range(samples):
        state = (1103515245 * state + 12345) % 2**31
        syllable = n // 1600
        pitch = 350 + syllable * 7919 % 2700
        noise = state / 2**30 - 1
        out.append(0.3 * (syllable * 31 % 10 / 10) * math.sin(2 * math.pi * pitch * n / 8000) + 0.02 * noise)
    return out


def boxed(samples: Sound, step: int) -> bytes:
    """What the box says of it, fed in pieces of `step` samples."""
    ear = EnvelopeEar()
    for begin in range(0, len(samples), step):
        ear.feed(samples[begin : begin + step])
    told = ear.take()
    return b"" if told is None else base64.urlsafe_b64decode(told.data + "=" * (-len(told.data) % 4))


@pytest.mark.parametrize("vector", VECTORS["vectors"], ids=lambda vector: vector["name"])
def test_both_of_our_readings_of_the_contract_give_the_bytes_of_the_vector(vector: dict[str, str]) -> None:
    expected = bytes.fromhex(vector["bytes"])
    assert ours.signs_of(sound(vector)) == expected
    for step in (len(sound(vector)), 777, 4_001):
        assert boxed(sound(vector), step) == expected


def test_the_table_of_coefficients_is_what_the_formula_gives() -> None:
    given = np.array(VECTORS["biquads"])
    assert np.allclose(ours.biquads(), given, atol=5e-8)


def test_the_level_and_the_parts_of_a_long_sounding_follow_from_the_stream() -> None:
    ear, rng = EnvelopeEar(), np.random.default_rng(1)
    samples = rng.standard_normal((ENVELOPE_MOST_FRAMES + 10) * 2_048) * 0.1
    ear.feed(samples)
    assert ear.full
    first, second = ear.take(), ear.take()
    assert first is not None
    assert second is not None
    assert (first.frames, second.frames, ear.take()) == (ENVELOPE_MOST_FRAMES, 10, None)
    together = np.concatenate([ours.unpacked(each.data, each.frames) for each in (first, second)])
    whole = ours.signs_of(samples)
    assert (together == ours.unpacked(ours.packed(whole), len(whole))).all(), "a part is a cut, and not a new begin"
    assert first.level_dbfs is None, "told only where next to nothing came in"
    quiet = EnvelopeEar()
    quiet.feed(np.zeros(4_000))
    told = quiet.take()
    assert told is not None
    assert told.level_dbfs == -120


@pytest.mark.parametrize("minutes", [1, 2, 5, 15, 120])
def test_a_minute_of_sound_costs_at_most_600_bytes_of_the_journal(minutes: int) -> None:
    left, cost, seq = minutes * 60_000, 0, 900_001
    while left >= ENVELOPE_FRAME_MS:
        length = min(left, ENVELOPE_MOST_FRAMES * ENVELOPE_FRAME_MS)
        frames = length // ENVELOPE_FRAME_MS
        entry = Envelope(
            seq=seq,
            at=1795471260002,
            clock_error_ms=142,
            item="d-0123456789abcdef01234567",
            asset="f" * 64,
            started_at=1795471200015,
            offset_ms=minutes * 60_000 - left,
            frames=frames,
            source=Source.MICROPHONE,
            data=ours.packed(bytes(range(256)) * 5)[: (frames * 4 + 2) // 3],
        )
        cost, left, seq = cost + len(encode(entry)) + 1, left - length, seq + 1
    assert cost <= BUDGET * minutes
    if minutes >= 5:
        assert cost <= 450 * minutes, "signed and coded again it is still below the budget"
