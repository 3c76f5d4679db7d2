"""An ordered programme: chime, intro, bulletins, relay, outro, one after the other under one approval.

Each part is an item of its own in the plan, so that each has its own evidence, its own verdict, and its file is fetched
once for all programmes that use it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

BREATH = timedelta(milliseconds=500)
"""At least so long is silent between two parts: a horn's echo, and a unit that reads from a slow card."""
MOST_PARTS = 30
_SECOND = timedelta(seconds=1)


class PartKind(StrEnum):
    CHIME = "chime"
    INTRO = "intro"
    BULLETIN = "bulletin"
    RELAY = "relay"
    OUTRO = "outro"


FRAME = frozenset({PartKind.CHIME, PartKind.INTRO, PartKind.OUTRO})
"""What stands around the bulletins: whether they were heard does not rest on it."""


@dataclass(frozen=True)
class Part:
    """`asset` is a recording's SHA-256."""

    kind: PartKind
    title: str
    asset: str


def offsets(lengths: Sequence[timedelta]) -> list[timedelta]:
    """When each part starts after the first, on whole seconds; none begins before the one before it has ended."""
    found, at = [], timedelta(0)
    for length in lengths:
        found.append(at)
        at += -(-(length + BREATH) // _SECOND) * _SECOND
    return found


def length(lengths: Sequence[timedelta]) -> timedelta:
    """From the first sound to the computed end."""
    return offsets(lengths)[-1] + lengths[-1] if lengths else timedelta(0)
