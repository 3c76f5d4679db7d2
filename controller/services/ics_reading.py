"""An iCalendar file of somebody else's: each event as a schedule, or why it cannot be one."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from icalendar import Calendar, Event

from broadcasts.clock import VIETNAM
from broadcasts.domain.model import PLAIN, Pattern, Repeat, Schedule
from broadcasts.domain.recurrence import starts
from broadcasts.domain.schedule_check import problems
from broadcasts.errors import LoaError, Refused
from controller.services.ics import WEEKDAYS

MOST_BYTES = 1_000_000
MOST_EVENTS = 500
YEARS = range(2000, 2101)
_PARTS = frozenset({"FREQ", "INTERVAL", "COUNT", "UNTIL", "BYDAY", "BYMONTHDAY", "BYMONTH", "WKST"})
_FOLD = re.compile(r"\r?\n[ \t]")
_HERE = timedelta(hours=7)


@dataclass(frozen=True)
class Found:
    """One event; `problem` says why there is no schedule."""

    title: str
    schedule: Schedule | None
    duration: timedelta | None
    problem: LoaError | None


def read(data: bytes) -> list[Found]:
    """Every event of the file in its order. Raises Refused: "ics.large", "ics.unreadable", "ics.empty"."""
    if len(data) > MOST_BYTES:
        raise Refused("ics.large", most_kb=MOST_BYTES // 1000, events=MOST_EVENTS)
    try:
        calendar = Calendar.from_ical(data)
        events = [each for each in calendar.walk("VEVENT") if isinstance(each, Event)]
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as failure:
        raise Refused("ics.unreadable", why=" ".join(str(failure).split())[:120]) from failure
    if len(events) > MOST_EVENTS:
        raise Refused("ics.large", most_kb=MOST_BYTES // 1000, events=MOST_EVENTS)
    if not events:
        raise Refused("ics.empty")
    moved, torn = _moved(events), _torn(data)
    return [_one(event, moved, torn.get(place)) for place, event in enumerate(events)]


def _torn(data: bytes) -> dict[int, str]:
    """By place of the event, a part of its rule that says nothing ("COUNT" without a number). The library passes over
    such a part, and a series that was to end would go on for ever."""
    found: dict[int, str] = {}
    place = -1
    for line in _FOLD.sub("", data.decode("utf-8", "replace")).splitlines():
        name, _, value = line.partition(":")
        name = name.partition(";")[0].strip().upper()
        if name == "BEGIN" and value.strip().upper() == "VEVENT":
            place += 1
        elif name == "RRULE":
            for part in value.strip().rstrip(";").split(";"):
                word, _, said = part.partition("=")
                if not word.strip() or not said.strip():
                    found.setdefault(place, part.strip()[:40])
    return found


def _moved(events: Sequence[Event]) -> Mapping[str, list[datetime | None]]:
    """By event, the starts that another entry of the file moves or changes; none: more of it than one start."""
    found: dict[str, list[datetime | None]] = defaultdict(list)
    for event in events:
        told = event.get("RECURRENCE-ID")
        try:
            if told is not None and isinstance(told.dt, datetime):
                one = "RANGE" not in told.params
                found[str(event.get("UID", ""))].append(_instant(told.dt) if one else None)
        except (ValueError, AttributeError, OverflowError):
            continue  # its own line says what is wrong with it
    return found


def _one(event: Event, moved: Mapping[str, list[datetime | None]], torn: str | None) -> Found:
    told = event.get("SUMMARY", "")
    title = " ".join(str(told[0] if isinstance(told, list) else told).split())[:200]
    schedule, duration = None, None
    problem: LoaError | None = None
    try:
        duration = _duration(event)
        if torn is not None:
            raise Refused("ics.part", part=torn or "RRULE")
        schedule = _schedule(event, moved)
        problem = next(iter(problems(schedule, VIETNAM)), None)
    except LoaError as error:
        problem = error
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as failure:
        problem = Refused("ics.event", why=" ".join(str(failure).split())[:120])
    return Found(title, None if problem else schedule, duration, problem)


def _schedule(event: Event, moved: Mapping[str, list[datetime | None]]) -> Schedule:
    if event.errors:
        raise Refused("ics.event", why=" ".join(f"{event.errors[0][0]}: {event.errors[0][1]}".split())[:120])
    overrides = moved.get(str(event.get("UID", "")), [])
    if None in overrides:
        raise Refused("ics.rule", part="RANGE=THISANDFUTURE")
    if str(event.get("STATUS", "")).upper() == "CANCELLED":
        raise Refused("ics.cancelled")
    if "EXRULE" in event:
        raise Refused("ics.rule", part="EXRULE")
    told = event.get("DTSTART")
    begin = getattr(told, "dt", None)
    if begin is None:
        raise Refused("ics.no_start")
    if not isinstance(begin, datetime):
        raise Refused("ics.all_day")
    if begin.year not in YEARS:
        raise Refused("ics.event", why=f"DTSTART {begin.year}")
    first = _meant(told, begin)
    local = first.astimezone(VIETNAM)
    extra, extra_days = _dates(event, "RDATE")
    if extra_days:
        raise Refused("ics.all_day")
    rules = event.get("RRULE")
    if isinstance(rules, list):
        raise Refused("ics.rule", part="RRULE RRULE")
    schedule = Schedule(Repeat.ONCE, local.date(), local.time().replace(microsecond=0))
    if rules is not None and "RECURRENCE-ID" not in event:
        if begin.tzinfo is not None and begin.utcoffset() != _HERE:
            raise Refused("ics.zone", zone=str(begin.tzinfo)[:40])
        schedule = _recurring(dict(rules), local)
        if first not in starts(schedule, first, first + timedelta(seconds=1), VIETNAM):
            # RFC 5545 counts DTSTART even where the rule would not come to it.
            extra.append(first)
            count = schedule.pattern.count
            if count == 1:
                schedule = replace(schedule, repeat=Repeat.ONCE, pattern=PLAIN)
            schedule = _with(schedule, count=None if count in (None, 1) else count - 1)
    skip, skip_days = _dates(event, "EXDATE")
    if "RECURRENCE-ID" not in event:
        skip += [each for each in overrides if each is not None]
    return _with(
        schedule,
        skip=tuple(sorted(set(skip))),
        skip_days=tuple(sorted(set(skip_days))),
        extra=tuple(sorted(set(extra))),
    )


def _with(schedule: Schedule, **changed: Any) -> Schedule:
    return replace(schedule, pattern=replace(schedule.pattern, **changed))


def _recurring(rule: dict[str, list[Any]], local: datetime) -> Schedule:
    """Raises Refused("ics.rule") with the part that Loa has no word for."""
    unknown = sorted(rule.keys() - _PARTS)
    if unknown:
        raise Refused("ics.rule", part=unknown[0])
    frequency = str(rule["FREQ"][0]).upper()
    every = int(rule.get("INTERVAL", [1])[0])
    if str(rule.get("WKST", ["MO"])[0]) != "MO" and frequency == "WEEKLY" and every > 1:
        raise Refused("ics.rule", part=f"WKST={rule['WKST'][0]}")
    count = int(rule["COUNT"][0]) if "COUNT" in rule else None
    if count is not None and count < 1:
        raise Refused("ics.rule", part=f"COUNT={count}")
    by_day = list(dict.fromkeys(str(each) for each in rule.get("BYDAY", [])))
    pattern = replace(
        PLAIN,
        every=every,
        month_days=tuple(sorted({int(each) for each in rule.get("BYMONTHDAY", [])})),
        months=tuple(sorted({int(each) for each in rule.get("BYMONTH", [])})),
        count=count,
    )
    repeat, pattern = _repeat(frequency, by_day, pattern, local)
    until = _until(rule["UNTIL"][0], local.time()) if "UNTIL" in rule else None
    return Schedule(repeat, local.date(), local.time().replace(microsecond=0), until, pattern)


def _repeat(frequency: str, by_day: list[str], pattern: Pattern, local: datetime) -> tuple[Repeat, Pattern]:
    plain_days = tuple(sorted(WEEKDAYS.index(day) for day in by_day)) if set(by_day) <= set(WEEKDAYS) else None
    by_month = bool(pattern.month_days or pattern.months)
    if frequency == "DAILY" and not by_month and (not by_day or (plain_days and pattern.every == 1)):
        return (Repeat.WEEKLY, replace(pattern, weekdays=plain_days)) if plain_days else (Repeat.DAILY, pattern)
    if frequency == "WEEKLY" and not by_month and plain_days is not None:
        if plain_days == (0, 1, 2, 3, 4):
            return Repeat.WEEKDAYS, pattern
        return Repeat.WEEKLY, replace(pattern, weekdays=plain_days or (local.weekday(),))
    if frequency == "YEARLY" and pattern.every == 1:
        if pattern.months or not (by_day or pattern.month_days):
            frequency, pattern = "MONTHLY", replace(pattern, months=pattern.months or (local.month,))
        elif pattern.month_days:
            frequency = "MONTHLY"
    if frequency == "MONTHLY" and not (by_day and pattern.month_days):
        if not by_day:
            return Repeat.MONTHLY, replace(pattern, month_days=pattern.month_days or (local.day,))
        if len(by_day) == 1 and plain_days is None:
            nth = (int(by_day[0][:-2]), WEEKDAYS.index(by_day[0][-2:]))
            return Repeat.MONTHLY, replace(pattern, nth_weekday=nth)
        if plain_days and pattern.every == 1 and not pattern.months:
            return Repeat.WEEKLY, replace(pattern, weekdays=plain_days)
    raise Refused("ics.rule", part=f"FREQ={frequency}" + (f";BYDAY={','.join(by_day)}" if by_day else ""))


def _until(told: date | datetime, at: time) -> date:
    if not isinstance(told, datetime):
        return told
    local = _instant(told).astimezone(VIETNAM)
    return local.date() if local.time() >= at else local.date() - timedelta(days=1)


def _dates(event: Event, name: str) -> tuple[list[datetime], list[date]]:
    """(instants, whole days) of RDATE or EXDATE, which may come more than once."""
    told = event.get(name)
    lists = told if isinstance(told, list) else [told] if told is not None else []
    instants, days = [], []
    for each in lists:
        for one in each.dts:
            value = one.dt[0] if isinstance(one.dt, tuple) else one.dt
            if isinstance(value, datetime):
                instants.append(_meant(each, value))
            else:
                days.append(value)
    return instants, days


def _duration(event: Event) -> timedelta | None:
    begin, end = event.get("DTSTART"), event.get("DTEND")
    if (told := event.get("DURATION")) is not None:
        found: timedelta = told.dt
    elif begin is not None and end is not None and isinstance(end.dt, datetime) and isinstance(begin.dt, datetime):
        found = _instant(end.dt) - _instant(begin.dt)
    else:
        return None
    return found if found > timedelta(0) else None


def _meant(told: Any, value: datetime) -> datetime:
    """Raises Refused("ics.zone") for a zone that nobody knows: at what hour it sounds is not guessed."""
    if value.tzinfo is None and "TZID" in told.params:
        raise Refused("ics.zone", zone=str(told.params["TZID"])[:40])
    return _instant(value)


def _instant(told: datetime) -> datetime:
    """What names no zone is meant here."""
    return (told if told.tzinfo is not None else told.replace(tzinfo=VIETNAM)).astimezone(UTC)
