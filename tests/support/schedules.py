"""Any schedule that makes sense, for properties."""

from __future__ import annotations

from datetime import UTC, date, datetime, time

from hypothesis import strategies as st

from broadcasts.clock import VIETNAM
from broadcasts.domain.model import Pattern, Repeat, Schedule
from broadcasts.domain.occasions import OCCASIONS
from broadcasts.domain.schedule_check import problems

_DAYS = st.dates(date(2026, 2, 1), date(2026, 8, 31))
_CLOCKS = st.times(time(0), time(20, 0)).map(lambda at: at.replace(microsecond=0))
instants = st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31), timezones=st.just(UTC)).map(  # noqa: DTZ001
    lambda each: each.replace(microsecond=0)
)


def some(values: st.SearchStrategy[object], most: int = 3) -> st.SearchStrategy[tuple[object, ...]]:
    return st.lists(values, max_size=most, unique=True).map(lambda found: tuple(sorted(found)))  # type: ignore[type-var]


patterns = st.builds(
    Pattern,
    every=st.integers(1, 3),
    weekdays=some(st.integers(0, 6)),
    month_days=some(st.integers(1, 31) | st.just(-1)),
    nth_weekday=st.none(),
    months=some(st.integers(1, 12)),
    count=st.none() | st.integers(1, 20),
    only_on=some(st.sampled_from(sorted(OCCASIONS)), 2) | st.just(()),
    not_on=some(st.sampled_from(sorted(OCCASIONS)), 2),
    skip_days=some(_DAYS),
    skip=some(instants),
    extra=some(instants),
    before=st.none() | instants,
)
by_weekday = st.tuples(st.sampled_from([1, 2, 3, 4, 5, -1]), st.integers(0, 6))


@st.composite
def schedules(draw: st.DrawFn) -> Schedule:
    """Some of them start nothing within 2026; none is refused."""
    pattern = draw(patterns)
    repeat = draw(st.sampled_from(Repeat))
    at = draw(_CLOCKS)
    changes: dict[str, object] = {}
    if draw(st.booleans()):
        changes |= {"month_days": (), "nth_weekday": draw(by_weekday)}
    if draw(st.booleans()):
        changes |= {"minutes": draw(st.sampled_from([20, 30, 45, 60])), "last_at": at.replace(hour=at.hour + 3)}
    made = Schedule(repeat, draw(_DAYS), at, draw(st.none() | _DAYS), Pattern(**(vars(pattern) | changes)))
    if problems(made, VIETNAM):
        made = Schedule(repeat, made.first, at, None)
    return made
