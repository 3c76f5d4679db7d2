"""Samples on the disk, so that a two-hour recording never sits in memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[Any]
_BLOCK_S = 1


@dataclass(frozen=True)
class Pcm:
    """Mono samples in a raw file: `kind` is FFmpeg's name, flt (32-bit float) or s16. `start` and `end` in samples."""

    path: Path
    kind: str
    start: int
    end: int
    rate: int

    @classmethod
    def whole(cls, path: Path, kind: str, rate: int) -> Pcm:
        return cls(path, kind, 0, path.stat().st_size // np.dtype(_TYPES[kind]).itemsize, rate)

    @property
    def samples(self) -> int:
        return self.end - self.start

    @property
    def seconds(self) -> float:
        return self.samples / self.rate

    def part(self, start: int, end: int) -> Pcm:
        """From sample `start` to before `end`, both counted from the beginning of this part."""
        return replace(self, start=self.start + start, end=min(self.start + end, self.end))

    def blocks(self) -> Iterator[Samples]:
        """One second at a time, the last block shorter."""
        kind = np.dtype(_TYPES[self.kind])
        with self.path.open("rb") as file:
            file.seek(self.start * kind.itemsize)
            left = self.samples
            while left > 0:
                block = np.frombuffer(file.read(min(left, _BLOCK_S * self.rate) * kind.itemsize), kind)
                if not block.size:
                    return
                left -= block.size
                yield block

    def read(self) -> bytes:
        return b"".join(block.tobytes() for block in self.blocks())


_TYPES = {"flt": "<f4", "s16": "<i2"}
