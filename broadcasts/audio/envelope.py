"""The envelope of CONTRACT.md, section 12, as the controller computes it of an asset."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

BANDS = 8
HOP_MS = 50


@dataclass(frozen=True)
class AssetEnvelope:
    """`levels`: (hops, BANDS), one row every 50 ms from the begin of the asset."""

    levels: NDArray[np.float32]

    @property
    def duration_ms(self) -> int:
        return len(self.levels) * HOP_MS

    def to_bytes(self) -> bytes:
        """To keep: about 160 bytes a second."""
        raise NotImplementedError

    @classmethod
    def from_bytes(cls, kept: bytes) -> Self:
        """Raises ValueError when it was written by another version: compute it again."""
        raise NotImplementedError
