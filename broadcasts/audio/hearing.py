"""Was it to be heard? What a unit says it heard, held against the file that it says it played. Pure.

Proof by ear finds faults; it is no proof against a unit that lies: who has the file can compute any of this.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from broadcasts.audio.envelope import AssetEnvelope


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
    """Nothing at all came in: a cut wire at a line-out."""
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


@dataclass(frozen=True)
class Stretch:
    """A window of the asset in ms, and whether it was heard."""

    from_ms: int
    to_ms: int
    heard: bool


@dataclass(frozen=True)
class Match:
    """`score`: -1 to 1, what was heard against the file (1: the same; strangers lie near 0). `lag_ms`: how much later
    than the unit believed. `heard_ms` of `listened_ms` were to be heard, window by window in `stretches`."""

    decision: Decision
    why: Why
    score: float = 0.0
    lag_ms: int = 0
    heard_ms: int = 0
    listened_ms: int = 0
    stretches: tuple[Stretch, ...] = ()


def match(parts: Sequence[Part], asset: AssetEnvelope) -> Match:
    """All parts of one sounding against the envelope of the file that the journal names. Raises nothing."""
    raise NotImplementedError
