from __future__ import annotations

import numpy as np
import pytest

from broadcasts.audio.encode import Peaks


def pairs(packed: bytes) -> list[tuple[int, int]]:
    values = np.frombuffer(packed, np.int8)
    return [(int(low), int(high)) for low, high in zip(values[::2], values[1::2], strict=True)]


def test_twenty_pairs_a_second_show_the_lowest_and_the_highest() -> None:
    peaks = Peaks(16_000)
    sound = np.zeros(2_000, np.int16)
    sound[100], sound[700], sound[900], sound[1_999] = 32_767, -32_768, 256, -256
    for start in range(0, 2_000, 300):
        peaks.add(sound[start : start + 300])

    assert peaks.samples == 2_000
    assert pairs(peaks.packed()) == [(-128, 127), (0, 1), (-1, 0)]


@pytest.mark.parametrize(("seconds", "count"), [(100, 2_000), (101, 1_010), (900, 2_000), (7_200, 2_000)])
def test_a_long_recording_has_at_most_two_thousand_pairs(seconds: int, count: int) -> None:
    peaks = Peaks(8_000)
    sound = np.zeros(8_000, np.int16)
    sound[4_000] = 25_600
    for _ in range(seconds):
        peaks.add(sound)

    found = pairs(peaks.packed())
    assert len(found) == count
    assert max(high for _, high in found) == 100


def test_nothing_has_no_picture() -> None:
    assert Peaks(16_000).packed() == b""
