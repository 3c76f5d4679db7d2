"""Whether a schedule makes sense at all: each thing that does not, in words that somebody can put right."""

from __future__ import annotations

from datetime import datetime, time, timedelta, tzinfo

from broadcasts.domain.model import Pattern, Repeat, Schedule
from broadcasts.domain.occasions import OCCASIONS, is_known
from broadcasts.domain.recurrence import starts
from broadcasts.errors import Refused

FAR = timedelta(days=9 * 366)
"""A rule that starts nothing in nine years starts nothing: 29 February comes back within eight."""
MOST_MINUTES = 720
FEWEST_MINUTES = 5
MOST_EVERY = 99
MOST_COUNT = 1000
MOST_DATES = 400
"""Single dates, of each kind: more than one for each day of a year is a mistake."""


def problems(schedule: Schedule, zone: tzinfo) -> list[Refused]:
    """Refused "schedule.*", "time.until_before_first"; empty for a schedule that will start something some day."""
    bad = [*_numbers(schedule.pattern), *_hours(schedule), *_occasions(schedule)]
    if schedule.repeat is not Repeat.ONCE and schedule.until is not None and schedule.until < schedule.first:
        bad.append(Refused("time.until_before_first"))
    if not bad and first_start(schedule, zone) is None:
        bad.append(Refused("schedule.impossible"))
    return bad


def first_start(schedule: Schedule, zone: tzinfo) -> datetime | None:
    """The very first, extra ones included; none for a rule that can never be met, as each 31 February."""
    begin = datetime.combine(schedule.first, schedule.at, tzinfo=zone)
    earliest = min([begin, *schedule.pattern.extra]) - timedelta(days=2)
    return next(starts(schedule, earliest, begin + FAR, zone), None)


def last_start(schedule: Schedule, zone: tzinfo) -> datetime | None:
    """The last one, looked for no further than those nine years; so long a series has its last day known later."""
    begin = datetime.combine(schedule.first, schedule.at, tzinfo=zone)
    earliest = min([begin, *schedule.pattern.extra]) - timedelta(days=2)
    latest = max([begin + FAR, *schedule.pattern.extra]) + timedelta(days=1)
    ends = [each for each in (_end_of(schedule, zone), schedule.pattern.before) if each is not None]
    reach = timedelta(days=1)
    # From the end backwards, further each time: every five minutes for years is a million starts.
    until = min([latest, *ends])
    while until > earliest:
        since = max(earliest, until - reach)
        if (found := max(starts(schedule, since, until, zone), default=None)) is not None:
            return found
        until, reach = since, reach * 4
    return None


def _end_of(schedule: Schedule, zone: tzinfo) -> datetime | None:
    """Before which its last start lies, as far as its last day says; extra ones ask about no last day."""
    if schedule.until is None or schedule.repeat is Repeat.ONCE:
        return None
    after = datetime.combine(min(schedule.until, schedule.first + FAR), time(0), tzinfo=zone) + timedelta(days=2)
    return max([after, *(each + timedelta(days=1) for each in schedule.pattern.extra)])


def _numbers(pattern: Pattern) -> list[Refused]:
    nth, weekday = pattern.nth_weekday or (1, 0)
    wrong = {
        "every": not 1 <= pattern.every <= MOST_EVERY,
        "weekdays": not all(0 <= day <= 6 for day in pattern.weekdays),
        "month_days": not all(1 <= day <= 31 or day == -1 for day in pattern.month_days),
        "nth_weekday": nth not in (1, 2, 3, 4, 5, -1)
        or not 0 <= weekday <= 6
        or (pattern.nth_weekday is not None and bool(pattern.month_days)),
        "months": not all(1 <= month <= 12 for month in pattern.months),
        "count": pattern.count is not None and not 1 <= pattern.count <= MOST_COUNT,
    }
    bad = [Refused("schedule.number", name=name) for name, is_wrong in wrong.items() if is_wrong]
    long = [name for name in ("skip_days", "skip", "extra") if len(getattr(pattern, name)) > MOST_DATES]
    return bad + [Refused("schedule.dates", name=name, most=MOST_DATES) for name in long]


def _hours(schedule: Schedule) -> list[Refused]:
    pattern = schedule.pattern
    if pattern.minutes is None and pattern.last_at is None:
        return []
    if pattern.minutes is None or pattern.last_at is None:
        return [Refused("schedule.hours_missing")]
    if not FEWEST_MINUTES <= pattern.minutes <= MOST_MINUTES:
        return [Refused("schedule.minutes", least=FEWEST_MINUTES, most=MOST_MINUTES)]
    return [Refused("schedule.hours")] if pattern.last_at <= schedule.at else []


def _occasions(schedule: Schedule) -> list[Refused]:
    bad = []
    for name in dict.fromkeys((*schedule.pattern.only_on, *schedule.pattern.not_on)):
        if name not in OCCASIONS:
            bad.append(Refused("schedule.occasion", name=name[:40]))
        elif not is_known(name, schedule.first.year):
            bad.append(Refused("schedule.occasion_year", name=name, year=schedule.first.year))
    return bad
