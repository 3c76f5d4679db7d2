"""A technician's round as data: what is looked at under each pole, what can be used up there, whose clock is believed.

The checklist is ours; R-073, R-076 to R-080 say what a pole must have.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum

from broadcasts.domain.fault_classes import CLASSES, Code


class RoundState(StrEnum):
    PLANNED = "planned"
    UNDER_WAY = "under_way"
    OVER = "over"


class StopState(StrEnum):
    OPEN = "open"
    DONE = "done"
    COULD_NOT = "could_not"


class Kind(StrEnum):
    """What a technician writes down at a stop."""

    CHECK = "check"
    PART = "part"
    NOTE = "note"
    PHOTO = "photo"
    TEST = "test"
    """A quiet test, asked for from the stop."""
    FINISH = "finish"


class Seen(StrEnum):
    YES = "yes"
    NO = "no"
    NOT_THERE = "not_there"
    """This pole has no such thing."""


class Which(StrEnum):
    BEFORE = "before"
    AFTER = "after"


_EVERYWHERE = ("mast", "cabinet", "cable", "horns", "supply", "earth", "dust")
_BY_CLASS: dict[Code, tuple[str, ...]] = {
    Code.OFFLINE: ("antenna", "sim_seated"),
    Code.QUOTA_USED: ("sim_seated",),
    Code.SIGNAL_WEAK: ("antenna",),
    Code.LINK_FLAPPING: ("antenna", "sim_seated"),
    Code.MAINS_LOST: ("fuse", "voltage"),
    Code.SUPPLY_BAD: ("voltage",),
    Code.BATTERY_LOW: ("battery_poles", "voltage"),
    Code.CABINET_HOT: ("fan_turns",),
    Code.LINE_OPEN: ("line_measured",),
    Code.HORN_WEAK: ("line_measured",),
    Code.HORN_DRIFT: ("line_measured",),
    Code.FAILED_TO_SOUND: ("line_measured",),
    Code.AMPLIFIER_DEAD: ("fuse",),
}
CHECKS = tuple(dict.fromkeys([*_EVERYWHERE, *(item for items in _BY_CLASS.values() for item in items)]))
PARTS = tuple(sorted({part for each in CLASSES.values() for part in each.bring}))
"""What can be used up: the words of `FaultClass.bring`."""
MOST_PARTS = 99

ROUTINE_EVERY = timedelta(days=90)
"""A pole where nobody was for so long is looked at with the next round."""
MOST_STOPS = 40
"""Of one round: more is no day's work."""
CLOCK_OFF = timedelta(minutes=5)
"""A phone whose clock is this far from ours is told of."""
OLDEST = timedelta(days=60)
"""Nothing waits longer on a phone: what claims to is dated by our own clock."""


def checklist(codes: Iterable[str]) -> tuple[str, ...]:
    """What is looked at where these faults stand; of a routine check what is looked at everywhere."""
    own = [item for code in codes for item in _BY_CLASS.get(Code(code), ())]
    return tuple(dict.fromkeys([*own, *_EVERYWHERE]))


def bring(codes: Iterable[str]) -> dict[str, int]:
    """What to take along, and for how many of the faults."""
    found: dict[str, int] = {}
    for code in codes:
        for part in CLASSES[Code(code)].bring:
            found[part] = found.get(part, 0) + 1
    return dict(sorted(found.items()))


def happened_at(phone_ms: int | None, sent_ms: int | None, now: datetime, earliest: datetime) -> tuple[datetime, int]:
    """When something was written down, and how many seconds the phone's clock is off (0: it is right).

    A phone may think it is 1970. What can be believed of it is how long ago something was by its own clock: `phone_ms`
    when it was written down, `sent_ms` when it left, both by the same phone. Never before `earliest`, never after
    `now`.
    """
    off = round(sent_ms / 1000 - now.timestamp()) if sent_ms is not None else 0
    told = off if abs(off) > CLOCK_OFF.total_seconds() else 0
    if phone_ms is None or sent_ms is None:
        return now, told
    ago = sent_ms - phone_ms
    if not 0 <= ago <= OLDEST.total_seconds() * 1000:
        return now, told
    return max(now - timedelta(milliseconds=ago), min(earliest, now)), told
