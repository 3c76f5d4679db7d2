"""A broadcast's schedule as its columns hold it, and as it stands after what was taken off it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from typing import Any

from pydantic import TypeAdapter

from broadcasts.clock import VIETNAM
from broadcasts.domain.model import PLAIN, Pattern, Repeat, Schedule
from broadcasts.domain.schedule_check import last_start
from controller.db.tables import Broadcast

_PATTERNS = TypeAdapter(Pattern)


def stored(pattern: Pattern) -> dict[str, Any]:
    """Plain JSON, only what is not as usual: the same pattern is always the same words, so that it can be hashed."""
    told: dict[str, Any] = _PATTERNS.dump_python(pattern, mode="json", exclude_defaults=True)
    return told


def pattern_of(told: dict[str, Any]) -> Pattern:
    """Raises ValueError for what `stored` never wrote."""
    return _PATTERNS.validate_python(told) if told else PLAIN


def approved_schedule(broadcast: Broadcast) -> Schedule:
    """As it was handed in and decided on."""
    return Schedule(
        Repeat(broadcast.repeat),
        broadcast.first_day,
        broadcast.at_time,
        broadcast.until_day,
        pattern_of(broadcast.pattern),
    )


def schedule_of(broadcast: Broadcast) -> Schedule:
    """As it stands: without what was taken off it since, which needs nobody's approval, as a withdrawal needs none."""
    schedule = approved_schedule(broadcast)
    if not broadcast.taken_off:
        return schedule
    return without(schedule, pattern_of(broadcast.taken_off))


def without(schedule: Schedule, gone: Pattern) -> Schedule:
    """`gone`: what its `skip` names and what comes from its `before` on does not start."""
    pattern = schedule.pattern
    ends = [each for each in (pattern.before, gone.before) if each is not None]
    skip = tuple(sorted({*pattern.skip, *gone.skip}))
    return replace(schedule, pattern=replace(pattern, skip=skip, before=min(ends, default=None)))


def take_off(broadcast: Broadcast, *, skip: datetime | None = None, before: datetime | None = None) -> None:
    """One start, or all from an instant on."""
    gone = pattern_of(broadcast.taken_off)
    if skip is not None:
        gone = replace(gone, skip=tuple(sorted({*gone.skip, skip})))
    if before is not None:
        gone = replace(gone, before=before if gone.before is None else min(gone.before, before))
    broadcast.taken_off = stored(gone)
    broadcast.last_day = last_day(schedule_of(broadcast))


def last_day(schedule: Schedule) -> date | None:
    """The local day of the last start; none where it goes on until somebody takes it off the air."""
    ends = (schedule.until, schedule.pattern.count, schedule.pattern.before)
    if schedule.repeat is not Repeat.ONCE and all(each is None for each in ends):
        return None
    last = last_start(schedule, VIETNAM)
    return last.astimezone(VIETNAM).date() if last else schedule.first
