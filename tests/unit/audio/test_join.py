from __future__ import annotations

import numpy as np
import pytest

from broadcasts.audio.chime import chime
from broadcasts.audio.join import join

RATE = 48_000


def flat(seconds: float, value: int = 10_000, rate: int = RATE) -> bytes:
    return np.full(round(seconds * rate), value, "<i2").tobytes()


def samples(pcm: bytes) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    return np.frombuffer(pcm, "<i2")


def test_parts_follow_each_other_with_the_gap_between_and_no_sample_lost() -> None:
    joined = samples(join([flat(0.5), flat(0.25, -5_000)], RATE, gap_ms=100))

    assert joined.size == round(0.85 * RATE)
    assert set(joined[:24_000]) == {10_000}
    assert set(joined[24_000:28_800]) == {0}
    assert set(joined[28_800:]) == {-5_000}


def test_a_part_is_faded_in_and_out() -> None:
    joined = np.abs(samples(join([flat(0.5)], RATE, fade_ms=50)).astype(int))

    assert joined[0] < 200
    assert joined[-1] < 1_000
    assert joined[joined.size // 2] == 10_000
    assert all(np.diff(joined[:2_400:48]) >= 0)


def test_what_is_shorter_than_a_millisecond_is_kept() -> None:
    pcm = flat(0.5) + flat(7 / RATE, 20_000)

    joined = samples(join([pcm, flat(0.1)], RATE, gap_ms=1))

    assert list(joined[24_000:24_007]) == [20_000] * 7
    assert joined.size == 24_000 + 48 + 48 + 4_800


def test_more_than_ten_minutes_are_not_taken_into_memory() -> None:
    with pytest.raises(ValueError, match="601 s to join"):
        join([flat(300, rate=8_000), flat(301, rate=8_000)], 8_000)


def test_the_chime_starts_and_ends_quietly_and_never_changes() -> None:
    sound = samples(chime(RATE)).astype(int)

    assert sound.size == round(2.4 * RATE)
    assert abs(sound[0]) < 50
    assert 16_000 < np.max(np.abs(sound)) <= 16_400
    assert np.max(np.abs(sound[-480:])) < 2_000
    assert chime(RATE) == chime(RATE)
