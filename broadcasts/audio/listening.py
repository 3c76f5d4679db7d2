"""The door to what needs the sound itself: the envelope of a file, a clip against a file. In a confined child process,
because files and clips came from elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from broadcasts.audio.chain import Limits
from broadcasts.audio.envelope import AssetEnvelope
from broadcasts.audio.hearing import Decision, Why


@dataclass(frozen=True)
class ClipMatch:
    """`score` is the peak of the correlation in units of its spread (GCC-PHAT); strangers stay below 20. `lag_ms`: how
    much later than the unit believed."""

    decision: Decision
    why: Why
    score: float = 0.0
    lag_ms: int = 0


def envelope_of(asset: Path, codec: str, *, limits: Limits | None = None) -> AssetEnvelope:
    """Of a file in the store; `codec` is `opus` or `mp3`. A second of work for five minutes of sound, memory flat.

    Raises Refused and Fault as `pipeline.prepare` does.
    """
    raise NotImplementedError


def match_clip(clip: bytes, asset: Path, codec: str, *, offset_ms: int, limits: Limits | None = None) -> ClipMatch:
    """A `Clip`'s decoded `data` (Opus in Ogg) against the file, near `offset_ms`. A clip that does not decode is
    `unknown`, `unreadable`. Nothing of it is left behind. Raises Refused (the asset), Fault."""
    raise NotImplementedError
