"""Finished files in one: each sounds where it should, and nothing between."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.audio import Sound, decoded, encoded

from broadcasts.audio.sequence import sequence
from broadcasts.errors import Refused

RATE = 16_000


def part(folder: Path, hz: float, seconds: float) -> bytes:
    at = np.arange(int(seconds * RATE)) / RATE
    path = folder / f"{hz:g}.ogg"
    encoded(path, "ogg", "libopus", RATE, 0.3 * np.sin(2 * np.pi * hz * at)[None].astype(np.float32))
    return path.read_bytes()


def heard(data: bytes, folder: Path) -> tuple[Sound, int]:
    path = folder / "whole.ogg"
    path.write_bytes(data)
    sound, rate = decoded(path)
    return sound, rate


def level(sound: Sound, rate: int, since: float, until: float) -> float:
    some = np.asarray(sound).reshape(-1)[int(since * rate) : int(until * rate)]
    return float(np.sqrt(np.mean(some.astype(float) ** 2)))


def test_each_part_sounds_at_its_place_and_between_them_is_silence(tmp_path: Path) -> None:
    one, two = part(tmp_path, 400.0, 1.3), part(tmp_path, 900.0, 2.0)

    sound, rate = heard(sequence([(one, 0), (two, 3_000), (one, 6_000)]), tmp_path)

    assert sound.shape[-1] / rate == pytest.approx(7.3, abs=0.06)
    for since, until in ((0.1, 1.2), (3.1, 4.9), (6.1, 7.2)):
        assert level(sound, rate, since, until) > 0.1
    for since, until in ((1.5, 2.9), (5.2, 5.9)):
        assert level(sound, rate, since, until) < 0.002
    spectrum = np.abs(np.fft.rfft(np.asarray(sound).reshape(-1)[int(3.2 * rate) : int(4.2 * rate)].astype(float)))
    assert abs(int(spectrum.argmax()) - 900) <= 2


def test_the_same_parts_give_the_same_bytes(tmp_path: Path) -> None:
    one = part(tmp_path, 400.0, 1.0)

    assert sequence([(one, 0), (one, 2_000)]) == sequence([(one, 0), (one, 2_000)])


@pytest.mark.parametrize("spoilt", [b"", b"RIFF....WAVE", b"OggS" + bytes(10), b"OggS" + bytes(23) + b"\x00"])
def test_what_is_no_such_file_is_refused(tmp_path: Path, spoilt: bytes) -> None:
    with pytest.raises(Refused, match=r"audio\.broken"):
        sequence([(part(tmp_path, 400.0, 1.0), 0), (spoilt, 2_000)])


def test_a_file_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"audio\.broken"):
        sequence([(part(tmp_path, 400.0, 1.0)[:-30], 0)])


def test_parts_that_overlap_are_a_bug_of_ours(tmp_path: Path) -> None:
    one = part(tmp_path, 400.0, 2.0)

    with pytest.raises(ValueError, match="before the one before it ends"):
        sequence([(one, 0), (one, 1_000)])


def test_each_page_has_the_checksum_of_the_format(tmp_path: Path) -> None:
    """Reckoned bit by bit, as RFC 3533 says it."""
    whole = sequence([(part(tmp_path, 400.0, 1.0), 0), (part(tmp_path, 900.0, 2.0), 2_000)])
    starts = [at for at in range(len(whole)) if whole.startswith(b"OggS\x00", at)]

    for at, end in zip(starts, [*starts[1:], len(whole)], strict=True):
        page, found = whole[at : at + 22] + bytes(4) + whole[at + 26 : end], 0
        for byte in page:
            found ^= byte << 24
            for _ in range(8):
                found = (found << 1 ^ (0x104C11DB7 if found & 0x80000000 else 0)) & 0xFFFFFFFF
        assert int.from_bytes(whole[at + 22 : at + 26], "little") == found
    assert len(starts) > 4
