"""Schedules to start instants. Only the controller does calendar arithmetic; a unit gets absolute instants.

The rule of RFC 5545 itself is dateutil's: the one library that a rule may import (CONTRIBUTING, decision 13).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from heapq import merge
from itertools import islice
from typing import Literal

from dateutil.rrule import DAILY, MO, MONTHLY, WEEKLY, rrule, weekday

from broadcasts.domain.model import Repeat, Schedule
from broadcasts.domain.occasions import OCCASIONS

_DAY = timedelta(days=1)
_WORKING = (0, 1, 2, 3, 4)
_FREQUENCY: dict[Repeat, Literal[1, 2, 3]] = {
    Repeat.DAILY: DAILY,
    Repeat.WEEKDAYS: WEEKLY,
    Repeat.WEEKLY: WEEKLY,
    Repeat.MONTHLY: MONTHLY,
}


def starts(schedule: Schedule, since: datetime, until: datetime, zone: tzinfo) -> Iterator[datetime]:
    """The instants in [since, until) at which the schedule starts, UTC, in order, each once; always an end.

    `since` and `until` are aware. A local time that does not exist on a day (a clock put forward) is taken at the same
    distance from midnight, one that exists twice is taken the first time, and a whole day that a zone left out (Samoa,
    30 December 2011) falls together with the next one; Viet Nam knows none of these.
    """
    pattern = schedule.pattern
    if pattern.before is not None:
        until = min(until, pattern.before)
    gone, gone_days = set(pattern.skip), set(pattern.skip_days)
    extra = sorted(each.astimezone(UTC) for each in pattern.extra)
    given: datetime | None = None
    for instant in merge(_by_rule(schedule, since, until, zone), extra):
        if instant >= until:
            return
        if instant < since or instant == given or instant in gone:
            continue
        if gone_days and instant.astimezone(zone).date() in gone_days:
            continue
        given = instant
        yield instant


def _by_rule(schedule: Schedule, since: datetime, until: datetime, zone: tzinfo) -> Iterator[datetime]:
    """By repeat, hours, count and occasions, from `since` on and somewhat before it."""
    pattern = schedule.pattern
    once = schedule.repeat is Repeat.ONCE
    given = _in_order(schedule, since.astimezone(zone).date(), until.astimezone(zone).date() + _DAY, zone)
    if pattern.count is not None and not once:
        given = islice(given, pattern.count)
    for instant, day in given:
        if once or not any(OCCASIONS[name](day) for name in pattern.not_on):
            yield instant


def _in_order(schedule: Schedule, since: date, last: date, zone: tzinfo) -> Iterator[tuple[datetime, date]]:
    times = _times(schedule)
    newest: datetime | None = None
    for day in _days(schedule, since - _DAY, last):
        for instant in sorted({datetime.combine(day, at, tzinfo=zone).astimezone(UTC) for at in times}):
            if newest is None or instant > newest:
                newest = instant
                yield instant, day


def _times(schedule: Schedule) -> list[time]:
    """Of each day."""
    pattern = schedule.pattern
    if schedule.repeat is Repeat.ONCE or not pattern.minutes or pattern.last_at is None:
        return [schedule.at]
    first, last = _of_day(schedule.at), _of_day(pattern.last_at)
    midnight = datetime.combine(schedule.first, time(0), tzinfo=UTC)
    steps = max(0, (last - first) // timedelta(minutes=pattern.minutes)) + 1
    return [(midnight + first + step * timedelta(minutes=pattern.minutes)).time() for step in range(steps)]


def _of_day(at: time) -> timedelta:
    return timedelta(hours=at.hour, minutes=at.minute, seconds=at.second, microseconds=at.microsecond)


def _days(schedule: Schedule, since: date, last: date) -> Iterator[date]:
    """The days of the rule; where nothing has to be counted from the beginning, only those from `since` on."""
    pattern = schedule.pattern
    if schedule.repeat is Repeat.ONCE:
        yield schedule.first
        return
    first = schedule.first
    if pattern.count is None and since > first:
        if pattern.every == 1:
            first = since
        elif schedule.repeat is Repeat.DAILY:
            first += (since - first) // (pattern.every * _DAY) * pattern.every * _DAY
    if schedule.until is not None:
        last = min(last, schedule.until)
    for found in _rule(schedule, _midnight(first), _midnight(last)):
        day = found.date()
        if not pattern.only_on or any(OCCASIONS[name](day) for name in pattern.only_on):
            yield day


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(0), tzinfo=UTC)


def _rule(schedule: Schedule, first: datetime, last: datetime) -> rrule:
    pattern, repeat = schedule.pattern, schedule.repeat
    weekdays: tuple[weekday, ...] | None = None
    month_days: tuple[int, ...] | None = None
    if repeat is Repeat.WEEKDAYS:
        weekdays = tuple(weekday(each) for each in _WORKING)
    elif repeat is Repeat.WEEKLY:
        weekdays = tuple(weekday(each) for each in pattern.weekdays or (schedule.first.weekday(),))
    elif repeat is Repeat.MONTHLY and pattern.nth_weekday is not None:
        nth, which = pattern.nth_weekday
        weekdays = (weekday(which, nth),)
    elif repeat is Repeat.MONTHLY:
        month_days = pattern.month_days or (schedule.first.day,)
    return rrule(
        _FREQUENCY[repeat],
        dtstart=first,
        until=last,
        interval=pattern.every,
        wkst=MO,
        byweekday=weekdays,
        bymonthday=month_days,
        bymonth=pattern.months or None if repeat is Repeat.MONTHLY else None,
    )
