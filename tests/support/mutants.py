"""Good recordings made bad by chance: the same number gives the same bytes."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from support.audio import KINDS, recording
from support.phones import PHONES, written

Chance = np.random.Generator
_FIELDS = (0, 1, 2, 7, 8, 127, 128, 255, 256, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)


def seeds(folder: Path) -> dict[str, bytes]:
    """A short good recording of every kind."""
    found: dict[str, bytes] = {}
    for kind in KINDS:
        found[kind] = recording(folder / "seed", kind, seconds=0.4).read_bytes()
    for kind in ("mp4 in fragments", "3gp of an old phone", "amr of an old phone", "wav extensible", "wav RF64"):
        found[kind] = PHONES[kind](folder / "seed").read_bytes()
    found["aiff"] = written(folder / "seed", "aiff", "pcm_s16be", 16_000, seconds=0.4).read_bytes()
    found["mkv"] = written(folder / "seed", "matroska", "libopus", 48_000, pictures=True, seconds=0.4).read_bytes()
    found["mov"] = written(folder / "seed", "mov", "aac", 44_100, pictures=True, seconds=0.4).read_bytes()
    (folder / "seed").unlink()
    return found


def mutant(seeds_: dict[str, bytes], number: int) -> tuple[str, bytes]:
    """The kind it was made of, and the bytes."""
    chance = np.random.default_rng(number)
    kinds = sorted(seeds_)
    kind = kinds[number % len(kinds)]
    data = bytearray(seeds_[kind])
    others = [seeds_[name] for name in kinds]
    for _ in range(int(chance.integers(1, 4))):
        deed = _DEEDS[int(chance.integers(len(_DEEDS)))]
        data = deed(data, chance, others)
    return kind, bytes(data)


def _bits(data: bytearray, chance: Chance, others: Sequence[bytes]) -> bytearray:
    del others
    for at in chance.integers(0, max(len(data), 1), int(chance.integers(1, 40))):
        if at < len(data):
            data[at] ^= 1 << int(chance.integers(8))
    return data


def _cut(data: bytearray, chance: Chance, others: Sequence[bytes]) -> bytearray:
    del others
    return data[: int(chance.integers(0, len(data) + 1))]


def _spliced(data: bytearray, chance: Chance, others: Sequence[bytes]) -> bytearray:
    """A piece of another recording, often of another kind, in the middle."""
    other = others[int(chance.integers(len(others)))]
    start, at = int(chance.integers(len(other))), int(chance.integers(len(data) + 1))
    piece = other[start : start + int(chance.integers(1, 2_000))]
    return data[:at] + piece + data[at + (len(piece) if chance.integers(2) else 0) :]


def _header(data: bytearray, chance: Chance, others: Sequence[bytes]) -> bytearray:
    """Bytes of the first 200, where the fields are."""
    del others
    for _ in range(int(chance.integers(1, 6))):
        at = int(chance.integers(0, 200))
        if at < len(data):
            data[at] = int(chance.integers(256))
    return data


def _length(data: bytearray, chance: Chance, others: Sequence[bytes]) -> bytearray:
    """A field of four or two bytes, in either order, becomes one of the numbers at which sums overflow; mostly where
    the tables of contents lie, at both ends."""
    del others
    if len(data) < 8:
        return data
    near = int(chance.integers(0, min(len(data) - 4, 1_200)))
    at = near if chance.integers(2) else len(data) - 4 - near
    value = int(_FIELDS[int(chance.integers(len(_FIELDS)))])
    shape, bound = ((">I", 32), ("<I", 32), (">H", 16), ("<H", 16))[int(chance.integers(4))]
    struct.pack_into(shape, data, at, value & ((1 << bound) - 1))
    return data


def _same(data: bytearray, chance: Chance, others: Sequence[bytes]) -> bytearray:
    """A stretch of one byte."""
    del others
    at, length = int(chance.integers(len(data) + 1)), int(chance.integers(1, 500))
    data[at : at + length] = bytes([int(chance.choice([0, 255, 127, 128]))]) * min(length, len(data) - at)
    return data


def _twice(data: bytearray, chance: Chance, others: Sequence[bytes]) -> bytearray:
    del others
    start = int(chance.integers(len(data) + 1))
    piece = data[start : start + int(chance.integers(1, 3_000))]
    return data[:start] + piece + data[start:]


_DEEDS: tuple[Callable[[bytearray, Chance, Sequence[bytes]], bytearray], ...] = (
    *(_bits, _cut, _spliced, _header, _length, _length, _same, _twice),
)
