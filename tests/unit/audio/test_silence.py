"""The pieces that stand for a long recording, and what is put together of long ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from support.audio import Sound, speechlike

from broadcasts.audio.assemble import assembled
from broadcasts.audio.chain import Limits
from broadcasts.audio.level import loudness
from broadcasts.audio.pcm import Pcm
from broadcasts.audio.silence import Windows, excerpts
from broadcasts.errors import Refused

RATE = 16_000
MakePcm = Callable[[Sound], Pcm]


@pytest.fixture
def pcm(tmp_path: Path) -> MakePcm:
    def make(sound: Sound) -> Pcm:
        path = tmp_path / "sound.pcm"
        path.write_bytes(sound.astype("<f4").tobytes())
        return Pcm.whole(path, "flt", RATE)

    return make


def uneven(minutes: int) -> Sound:
    """Ten seconds each, loud and soft and some of them silent."""
    chance = np.random.default_rng(6)
    voice = speechlike(10.0, RATE, level=0.5)
    return np.concatenate([voice * chance.choice([0.0, 0.02, 0.3, 0.6, 1.0]) for _ in range(minutes * 6)])


def test_a_minute_of_it_is_as_loud_as_the_whole(pcm: MakePcm, tmp_path: Path) -> None:
    whole = pcm(uneven(10))

    found = excerpts(whole, Windows.of(whole), tmp_path)

    assert found is not None
    assert found.typical.seconds == pytest.approx(60, abs=0.1)
    assert loudness(found.typical) == pytest.approx(loudness(whole), abs=0.5)


def test_the_highest_sample_is_among_the_pieces(pcm: MakePcm, tmp_path: Path) -> None:
    sound = uneven(5)
    sound[RATE * 137 + 5] = 0.97
    whole = pcm(sound)

    found = excerpts(whole, Windows.of(whole), tmp_path)

    assert found is not None
    assert max(float(np.max(block)) for block in found.peaky.blocks()) == pytest.approx(0.97, abs=1e-6)


def test_of_what_is_short_no_pieces_are_taken(pcm: MakePcm, tmp_path: Path) -> None:
    whole = pcm(uneven(2))

    assert excerpts(whole, Windows.of(whole), tmp_path) is None


@pytest.mark.parametrize("seconds", [2, 301], ids=["by the editing layer", "by way of the disk"])
def test_parts_follow_each_other_exactly_however_long_they_are(seconds: int, tmp_path: Path) -> None:
    parts = []
    for number in (1, 2):
        path = tmp_path / f"part{number}"
        np.full(seconds * RATE + 8 * 16, 1_000 * number, "<i2").tofile(path)
        parts.append(Pcm.whole(path, "s16", RATE))

    joined = assembled(parts, 400, tmp_path / "joined", Limits())

    sound = np.fromfile(joined.path, "<i2")
    length, gap = parts[0].samples, RATE * 400 // 1000
    assert joined.samples == sound.size == 2 * length + gap
    assert set(sound[:length]) == {1_000}
    assert set(sound[length : length + gap]) == {0}
    assert set(sound[length + gap :]) == {2_000}


def test_more_than_may_be_uploaded_is_not_put_together(tmp_path: Path) -> None:
    path = tmp_path / "part"
    path.write_bytes(bytes(2 * RATE * 10))
    parts = [Pcm.whole(path, "s16", RATE)] * 70

    with pytest.raises(Refused) as refused:
        assembled(parts, 0, tmp_path / "joined", Limits(max_seconds=60))
    assert (refused.value.key, refused.value.fields) == ("audio.too_long", {"limit_minutes": 1})
