"""From a template and a few answers to one schedule, with what is wrong and what should be known before it is saved."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta, tzinfo
from itertools import islice, pairwise

from broadcasts.domain import working_days
from broadcasts.domain.model import Pattern, Priority, Repeat, Schedule
from broadcasts.domain.recurrence import starts
from broadcasts.domain.regulation import Regulation
from broadcasts.domain.schedule_check import FEWEST_MINUTES, MOST_MINUTES
from broadcasts.domain.statutes import RHYTHMS, Kind, Template
from broadcasts.errors import Refused

DAY_MINUTES = 1440
MOST_DAYS = 31
MOST_TIMES = 12
LONGEST_WARNING = timedelta(days=7)
BREATH = timedelta(seconds=2)
"""Between two that follow one another at once."""
MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Wish:
    """What the officer chose. Instants are aware; days and times local."""

    first: datetime
    """The first start that is wanted: for a warning "at once"."""
    times: tuple[time, ...] = ()
    """Of each day; none: that of `first`."""
    days: int | None = None
    """Another number of days than the template's."""
    every_minutes: int | None = None
    """Where the template leaves it to the issuing body."""
    issued_at: datetime | None = None
    event_on: date | None = None
    ends_at: datetime | None = None
    """A warning ends here by itself, if nobody ends it before (R-065)."""
    within_hours: bool = False
    """Leave out what lies outside the hours of the stations."""


@dataclass(frozen=True)
class Series:
    """`problems` must be empty; `notes` are said and stop nobody."""

    schedule: Schedule | None
    starts: Sequence[datetime] = ()
    """All of them, UTC."""
    left_out: Sequence[datetime] = ()
    problems: Sequence[Refused] = ()
    notes: Sequence[Refused] = ()


def days_of(template: Template, wish: Wish) -> int:
    return template.days if wish.days is None else wish.days


def rhythm(template: Template, wish: Wish) -> int | None:
    """Minutes between repeats."""
    return template.every_minutes or wish.every_minutes


def make(
    template: Template,
    wish: Wish,
    duration: timedelta,
    regulations: Sequence[Regulation],
    priority: Priority,
    zone: tzinfo,
) -> Series:
    """The series. Refused in `problems`: "campaign.*"; what lies outside the hours is one of them, unless the rule
    says day and night and the class is the one that hours do not bind."""
    missing = [*_missing(template, wish, zone)]
    if missing:
        return Series(None, problems=missing)
    schedule = _repeats(template, wish, duration, zone) if template.is_warning else _days(template, wish, zone)
    found = list(_all(schedule, zone))
    problems, gone = [], []
    if not (template.day_and_night and priority is Priority.EMERGENCY):
        gone = [each for each in found if not all(rule.allows(each, duration, zone) for rule in regulations)]
    if gone and wish.within_hours:
        schedule, found = _without(schedule, found, gone, zone)
    elif gone:
        problems.append(Refused("campaign.quiet", n=len(gone), at=gone[0], of=len(found)))
    if not found:
        problems.append(Refused("campaign.nothing"))
    return Series(schedule, found, gone, problems, _notes(template, wish, found, zone))


def _missing(template: Template, wish: Wish, zone: tzinfo) -> Iterator[Refused]:
    if template.needs_issue_time and wish.issued_at is None:
        yield Refused("campaign.issue_time")
    if wish.issued_at is not None and wish.issued_at > wish.first:
        yield Refused("campaign.issued_later", at=wish.issued_at)
    if template.kind is Kind.NOTICE and wish.event_on is None:
        yield Refused("campaign.event")
    if wish.event_on is not None and wish.event_on <= wish.first.astimezone(zone).date():
        yield Refused("campaign.event_over")
    if not 1 <= days_of(template, wish) <= MOST_DAYS:
        yield Refused("campaign.days", most=MOST_DAYS)
    if not template.is_warning:
        if len(wish.times) > MOST_TIMES:
            yield Refused("campaign.times", most=MOST_TIMES)
        return
    if rhythm(template, wish) not in RHYTHMS:
        yield Refused("campaign.rhythm", choices=", ".join(map(str, RHYTHMS)))
    if wish.ends_at is None or not wish.first < wish.ends_at <= wish.first + LONGEST_WARNING:
        yield Refused("campaign.end", days=LONGEST_WARNING.days)


def _notes(template: Template, wish: Wish, found: Sequence[datetime], zone: tzinfo) -> list[Refused]:
    if not found:
        return []
    first, notes = found[0], []
    if days_of(template, wish) < template.days:
        notes.append(Refused("campaign.fewer_days", days=template.days))
    if template.kind is Kind.CONSECUTIVE and max(1, len(set(wish.times))) < template.times:
        notes.append(Refused("campaign.fewer_times", times=template.times))
    if wish.issued_at is not None and template.within_hours is not None:
        latest = wish.issued_at + timedelta(hours=template.within_hours)
        if first > latest:
            notes.append(Refused("campaign.first_late", at=latest, hours=template.within_hours))
    if wish.issued_at is not None and template.working_days is not None:
        last = working_days.after(wish.issued_at.astimezone(zone).date(), template.working_days)
        if first.astimezone(zone).date() > last:
            notes.append(Refused("campaign.working_days", days=template.working_days, date=f"{last:%d/%m/%Y}"))
    if wish.event_on is not None and template.kind is Kind.NOTICE:
        last = wish.event_on - timedelta(days=template.notice_days)
        if first.astimezone(zone).date() > last:
            notes.append(Refused("campaign.notice_late", days=template.notice_days, date=f"{last:%d/%m/%Y}"))
    return notes


def _days(template: Template, wish: Wish, zone: tzinfo) -> Schedule:
    """So many days from the first on. Of a first day whose other times are over already only what is left counts: where
    a day needs several times it does not count, and there is one day more."""
    local = wish.first.astimezone(zone)
    times = sorted(set(wish.times)) or [local.time()]
    begun = local.time() > times[0]
    days, every = days_of(template, wish), 1
    if template.kind is Kind.NOTICE:
        assert wish.event_on is not None
        days = min(MOST_DAYS, (wish.event_on - local.date()).days)
    elif template.kind is Kind.SPREAD:
        every = max(1, -(-(days - 1) // max(1, template.times - 1)))
        days = max(days, every * (template.times - 1) + 1)
    elif begun and len(times) > 1:
        days += 1
    found = {local} if begun else set()
    for away in range(0, days, every):
        day = local.date() + timedelta(days=away)
        found |= {each for at in times if (each := datetime.combine(day, at, tzinfo=zone)) >= local}
    return _plainest(sorted(found), times, every, zone)


def _plainest(found: Sequence[datetime], times: Sequence[time], every: int, zone: tzinfo) -> Schedule:
    """As a rule where there is one, so that people can read it; else the starts one by one."""
    first, last = found[0], found[-1]
    clocks = [datetime.combine(first.date(), at) for at in times]
    steps = {after - before for before, after in pairwise(clocks)}
    whole = all(FEWEST_MINUTES * MINUTE <= step <= MOST_MINUTES * MINUTE and not step % MINUTE for step in steps)
    if first.time() != times[0] or len(steps) > 1 or not whole:
        return _one_by_one(found, zone)
    hours = Pattern(every, minutes=steps.pop() // MINUTE, last_at=times[-1]) if steps else Pattern(every)
    return Schedule(Repeat.DAILY, first.date(), times[0], last.date(), hours)


def _one_by_one(found: Sequence[datetime], zone: tzinfo) -> Schedule:
    first = found[0].astimezone(zone)
    return Schedule(Repeat.ONCE, first.date(), first.time(), pattern=Pattern(extra=tuple(found[1:])))


def _repeats(template: Template, wish: Wish, duration: timedelta, zone: tzinfo) -> Schedule:
    """At once as often as the rule says, then in its rhythm, on the hour or counted from the last of those."""
    every, local = rhythm(template, wish), wish.first.astimezone(zone)
    assert every is not None
    assert wish.ends_at is not None
    step = max(template.pause_minutes * MINUTE, timedelta(seconds=-(-duration // timedelta(seconds=1))) + BREATH)
    at_once = [local + step * number for number in range(template.burst)]
    midnight = datetime.combine(local.date(), time(0), tzinfo=zone)
    phase = timedelta(0)
    begin = local
    if at_once and not template.on_the_hour:
        phase, begin = (at_once[-1] - midnight) % (every * MINUTE), at_once[-1] + every * MINUTE
    elif at_once:
        begin = at_once[-1] + max(duration, MINUTE)
    count = (DAY_MINUTES * MINUTE - phase - timedelta(microseconds=1)) // (every * MINUTE)
    rule = Schedule(
        Repeat.DAILY,
        local.date(),
        (midnight + phase).time(),
        wish.ends_at.astimezone(zone).date(),
        Pattern(
            minutes=every if count else None,
            last_at=(midnight + phase + count * every * MINUTE).time() if count else None,
            before=wish.ends_at,
        ),
    )
    early = starts(rule, midnight, begin, zone)
    kept = {each.astimezone(zone) for each in at_once}
    skip = tuple(each for each in early if each not in kept)
    return replace(rule, pattern=replace(rule.pattern, skip=skip, extra=tuple(at_once)))


def _all(schedule: Schedule, zone: tzinfo) -> Iterator[datetime]:
    first = datetime.combine(schedule.first, time(0), tzinfo=zone)
    return islice(starts(schedule, first, first + timedelta(days=2 * MOST_DAYS + 2), zone), 5000)


def _without(
    schedule: Schedule, found: Sequence[datetime], gone: Sequence[datetime], zone: tzinfo
) -> tuple[Schedule, list[datetime]]:
    """Only what lies inside the hours, as a rule of the day where that says it, and else one by one."""
    lost = set(gone)
    left = [each for each in found if each not in lost]
    pattern = schedule.pattern
    if not left:
        return schedule, left
    if pattern.minutes is None or pattern.last_at is None:
        return (_one_by_one(left, zone) if len(left) < len(found) else schedule), left
    inside = [each.astimezone(zone).time() for each in left if each not in set(pattern.extra)] or [schedule.at]
    low, high = min(inside), max(inside)
    several = high > low
    narrower = replace(
        pattern,
        minutes=pattern.minutes if several else None,
        last_at=high if several else None,
        skip=tuple(each for each in pattern.skip if low <= each.astimezone(zone).time() <= high),
        extra=tuple(each for each in pattern.extra if each not in lost),
    )
    made = replace(schedule, at=low, pattern=narrower)
    there = set(left)
    wrong = tuple(each for each in _all(made, zone) if each not in there)
    return replace(made, pattern=replace(narrower, skip=tuple(sorted({*narrower.skip, *wrong})))), left
