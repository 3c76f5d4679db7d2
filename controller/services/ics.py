"""Schedules as iCalendar (RFC 5545) and back: nothing but its own words, so that any calendar understands them.

What RFC 5545 has no word for (the lunar calendar, holidays, a count that an end cuts short) is written as single dates,
for a year ahead; so it comes back as dates, not as the rule. Several starts a day are one event for each hour.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from typing import Any

from icalendar import Calendar, Event, vRecur

from broadcasts.clock import VIETNAM
from broadcasts.domain.model import Repeat, Schedule
from broadcasts.domain.recurrence import starts
from broadcasts.domain.schedule_check import FAR

WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
AHEAD = timedelta(days=366)
MOST_DATES = 400
_FREQUENCY = {Repeat.DAILY: "DAILY", Repeat.WEEKDAYS: "WEEKLY", Repeat.WEEKLY: "WEEKLY", Repeat.MONTHLY: "MONTHLY"}


@dataclass(frozen=True)
class Entry:
    """One line of a calendar."""

    uid: str
    title: str
    schedule: Schedule
    duration: timedelta


def write(entries: Iterable[Entry], now: datetime, name: str) -> bytes:
    """A calendar of these, with what is over left out where it has to be written as dates. `name` is its title."""
    calendar = Calendar()
    calendar.add("prodid", "-//Loa//Loa//VI")
    calendar.add("version", "2.0")
    calendar.add("x-wr-calname", name)
    for entry in entries:
        for number, schedule in enumerate(_by_hour(entry.schedule)):
            uid = f"{entry.uid}-{number}" if number else entry.uid
            event = _event(replace(entry, uid=uid, schedule=schedule), now)
            if event is not None:
                calendar.add_component(event)
    calendar.add_missing_timezones()
    told: bytes = calendar.to_ical()
    return told


def _by_hour(schedule: Schedule) -> Sequence[Schedule]:
    """One schedule for each hour of the day; as it is where it has one, or where a count runs through them all."""
    pattern = schedule.pattern
    if schedule.repeat is Repeat.ONCE or not pattern.minutes or pattern.last_at is None or pattern.count is not None:
        return [schedule]
    single = replace(pattern, minutes=None, last_at=None)
    found: list[Schedule] = []
    at = datetime.combine(date(2000, 1, 1), schedule.at, tzinfo=UTC)
    while at.time() <= pattern.last_at and at.day == 1:
        rest = single if not found else replace(single, extra=())
        found.append(replace(schedule, at=at.time(), pattern=rest))
        at += timedelta(minutes=pattern.minutes)
    return found


def _event(entry: Entry, now: datetime) -> Event | None:
    schedule = entry.schedule
    by_rule = replace(schedule, pattern=replace(schedule.pattern, skip=(), skip_days=(), extra=()))
    begin = _midnight(schedule.first)
    first = next(starts(by_rule, begin, begin + FAR, VIETNAM), None)
    rule = _rule(schedule) if first is not None else None
    event = Event()
    event.add("uid", f"{entry.uid}@loa")
    event.add("dtstamp", now.astimezone(UTC))
    event.add("summary", entry.title)
    if first is not None and rule is not None:
        gone = sorted({*schedule.pattern.skip, *_at_days(schedule)})
        more = schedule.pattern.extra
        if schedule.pattern.before is not None:
            more = tuple(each for each in more if each < schedule.pattern.before)
        event.add("rrule", rule)
    else:
        since = max(now, begin) if schedule.repeat is not Repeat.ONCE else begin
        since = min([since, *schedule.pattern.extra])
        found = list(islice(starts(schedule, since, max(now, since) + AHEAD, VIETNAM), MOST_DATES))
        if not found:
            return None
        first, gone, more = found[0], [], tuple(found[1:])
    event.add("dtstart", _wall(first))
    event.add("duration", entry.duration)
    if gone:
        event.add("exdate", [_wall(each) for each in gone])
    if more:
        event.add("rdate", [_wall(each) for each in more])
    return event


def _rule(schedule: Schedule) -> vRecur | None:
    """The recurrence in the words of RFC 5545; none where it has no words for it."""
    pattern = schedule.pattern
    ends = schedule.until is not None or pattern.before is not None
    wordless = pattern.only_on or pattern.not_on or (pattern.count is not None and (ends or pattern.minutes))
    if schedule.repeat is Repeat.ONCE or wordless:
        return None
    rule: dict[str, Any] = {"FREQ": _FREQUENCY[schedule.repeat], "INTERVAL": pattern.every, "WKST": "MO"}
    if schedule.repeat is Repeat.WEEKDAYS:
        rule["BYDAY"] = list(WEEKDAYS[:5])
    elif schedule.repeat is Repeat.WEEKLY:
        rule["BYDAY"] = [WEEKDAYS[day] for day in pattern.weekdays or (schedule.first.weekday(),)]
    elif schedule.repeat is Repeat.MONTHLY:
        if pattern.nth_weekday is not None:
            rule["BYDAY"] = f"{pattern.nth_weekday[0]}{WEEKDAYS[pattern.nth_weekday[1]]}"
        else:
            rule["BYMONTHDAY"] = list(pattern.month_days or (schedule.first.day,))
        if pattern.months:
            rule["BYMONTH"] = list(pattern.months)
    if pattern.count is not None:
        rule["COUNT"] = pattern.count
    last = [] if pattern.before is None else [pattern.before - timedelta(seconds=1)]
    if schedule.until is not None:
        last.append(datetime.combine(schedule.until, schedule.at, tzinfo=VIETNAM))
    if last:
        rule["UNTIL"] = min(last).astimezone(UTC).replace(microsecond=0)
    return vRecur(rule)


def _at_days(schedule: Schedule) -> list[datetime]:
    """What the left-out days take away: the start of the rule and extra ones."""
    days = set(schedule.pattern.skip_days)
    gone = [datetime.combine(day, schedule.at, tzinfo=VIETNAM).astimezone(UTC) for day in days]
    return gone + [each for each in schedule.pattern.extra if each.astimezone(VIETNAM).date() in days]


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(0), tzinfo=VIETNAM)


def _wall(instant: datetime) -> datetime:
    return instant.astimezone(VIETNAM)
