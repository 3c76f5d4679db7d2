"""Schedules to start instants. Only the controller does calendar arithmetic; a unit gets absolute instants."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, tzinfo

from broadcasts.domain.model import Repeat, Schedule

_SATURDAY = 5


def starts(schedule: Schedule, since: datetime, until: datetime, zone: tzinfo) -> Iterator[datetime]:
    """The instants in [since, until) at which the schedule starts, UTC, in order, each once.

    `since` and `until` are aware. A local time that does not exist on a day (a clock put forward) is taken at the same
    distance from midnight, one that exists twice is taken the first time, and a whole day that a zone left out (Samoa,
    30 December 2011) falls together with the next one; Viet Nam knows none of these.
    """
    day = max(schedule.first, since.astimezone(zone).date() - timedelta(days=1))
    last = schedule.first if schedule.repeat is Repeat.ONCE else schedule.until
    given: datetime | None = None
    while (last is None or day <= last) and (instant := _instant(schedule, day, zone)) < until:
        if instant >= since and instant != given and _falls_on(schedule, day.weekday()):
            given = instant
            yield instant
        day += timedelta(days=1)


def _instant(schedule: Schedule, day: date, zone: tzinfo) -> datetime:
    return datetime.combine(day, schedule.at, tzinfo=zone).astimezone(UTC)


def _falls_on(schedule: Schedule, weekday: int) -> bool:
    return schedule.repeat is not Repeat.WEEKDAYS or weekday < _SATURDAY
