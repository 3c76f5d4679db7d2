"""How much a station may sound: in one session, in a day, in a week (R-052), relays included, emergencies not."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo

GAP = timedelta(minutes=5)
"""What follows within it belongs to the same session. A guess: the example of R-052 does not say."""

Sound = tuple[datetime, datetime]
"""[start, end), UTC."""


@dataclass(frozen=True)
class Limits:
    """Of one cluster; none: no limit. Days are local, weeks begin on Monday."""

    session: timedelta | None = None
    day: timedelta | None = None
    week: timedelta | None = None

    @property
    def any(self) -> bool:
        return any(each is not None for each in (self.session, self.day, self.week))


@dataclass(frozen=True)
class Excess:
    """`kind`: session, day or week. `at`: the start that is too much; `place`: which of those that were asked about."""

    kind: str
    at: datetime
    total: timedelta
    limit: timedelta
    place: int


def excesses(there: Iterable[Sound], more: Iterable[Sound], limits: Limits, zone: tzinfo) -> list[Excess]:
    """Those of `more`, taken in order of time and as given where they start together, that do not fit any more beside
    what is there: the first reason each.

    One that does not fit takes no room from the next. What begins on a day counts to that day.
    """
    taken = sorted(there)
    days: dict[date, timedelta] = defaultdict(timedelta)
    weeks: dict[date, timedelta] = defaultdict(timedelta)

    def count(start: datetime, length: timedelta) -> None:
        days[_day(start, zone)] += length
        weeks[_monday(start, zone)] += length

    for start, end in taken:
        count(start, end - start)
    found: list[Excess] = []
    for place, (start, end) in sorted(enumerate(more), key=lambda each: each[1][0]):
        length = end - start
        totals = {
            "session": (_session(taken, start, end) if limits.session else length, limits.session),
            "day": (days[_day(start, zone)] + length, limits.day),
            "week": (weeks[_monday(start, zone)] + length, limits.week),
        }
        over = [
            Excess(kind, start, total, most, place) for kind, (total, most) in totals.items() if most and total > most
        ]
        if over:
            found.append(over[0])
        else:
            taken.append((start, end))
            count(start, length)
    return found


def _session(taken: Iterable[Sound], start: datetime, end: datetime) -> timedelta:
    """How much sounds in the session that this one would belong to."""
    members = {(start, end)}
    while True:
        first, last = min(each[0] for each in members), max(each[1] for each in members)
        near = {each for each in taken if each[0] - last <= GAP and first - each[1] <= GAP} - members
        if not near:
            return sum((each[1] - each[0] for each in members), timedelta(0))
        members |= near


def _day(start: datetime, zone: tzinfo) -> date:
    return start.astimezone(zone).date()


def _monday(start: datetime, zone: tzinfo) -> date:
    day = _day(start, zone)
    return day - timedelta(days=day.weekday())
