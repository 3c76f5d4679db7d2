"""What the inbound side hands to the services: messages that were verified, messages that were not, and the count."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from broadcasts.wire.base import Message


@dataclass(frozen=True)
class Heard:
    """One verified message of one unit. `signed` tells whether its evidence carries the unit's own signature."""

    unit: str
    message: Message
    at: datetime
    retained: bool = False
    signed: bool = False


@dataclass(frozen=True)
class Bad:
    """A message that was not the contract."""

    topic: str
    reason: str
    detail: str
    head: bytes
    at: datetime


@dataclass
class Tally:
    """What a batch came to, for the metrics."""

    entries: int = 0
    verdicts: int = 0
    envelopes: int = 0
    """What units heard of their own sound, to be matched."""
    illegal_moves: int = 0
    commands_due: bool = False
    """A unit for which a command waits is there again, or has answered the one before."""
    outranked: int = 0
    """Plans out there that are newer than ours: we were restored, and must make ours anew."""
    sirens: list[float] = field(default_factory=list)
    """Seconds from the press of an emergency to the first sound, one for each pole that told of it first."""
    plays_other: bool = False
    """A unit decodes other things than it said before: its plan has to name other files."""
    put_aside: list[str] = field(default_factory=list)
    """Why messages that the contract allows were not believed, and journal entries of a kind that we do not know: for
    the count of violations."""
    applied: list[float] = field(default_factory=list)
    """Seconds from published to applied, one for each plan that a unit reported for the first time."""

    def add(self, other: Tally) -> None:
        self.entries += other.entries
        self.verdicts += other.verdicts
        self.envelopes += other.envelopes
        self.illegal_moves += other.illegal_moves
        self.outranked += other.outranked
        self.commands_due |= other.commands_due
        self.plays_other |= other.plays_other
        self.put_aside += other.put_aside
        self.applied += other.applied
        self.sirens += other.sirens


def printable(text: str) -> str:
    """PostgreSQL keeps no NUL in a text."""
    return text.replace("\x00", "\N{REPLACEMENT CHARACTER}")
