"""When sound is allowed and how loud."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broadcasts.clock import VIETNAM
from broadcasts.domain.regulation import MINUTES_A_DAY, Ceiling, Regulation, Window

DAY = datetime(2026, 3, 3, tzinfo=VIETNAM)


def at(hours: int, minutes: int = 0, seconds: float = 0) -> datetime:
    return (DAY + timedelta(hours=hours, minutes=minutes, seconds=seconds)).astimezone(UTC)


def allows(windows: list[tuple[int, int]], start: datetime, **long: float) -> bool:
    regulation = Regulation(tuple(Window(*window) for window in windows))
    return regulation.allows(start, timedelta(**long), VIETNAM)


DEMO = [(300, 1260)]
NIGHT = [(1200, 1440), (0, 60)]


@pytest.mark.parametrize(
    ("windows", "start", "seconds", "allowed"),
    [
        (DEMO, at(5), 1, True),
        (DEMO, at(4, 59, 59.999), 1, False),
        (DEMO, at(20, 59, 59), 1, True),
        (DEMO, at(20, 59, 59), 1.001, False),
        (DEMO, at(20, 59, 59.7), 0.3, True),
        (DEMO, at(5), 16 * 3600, True),
        (DEMO, at(5), 16 * 3600 + 1, False),
        (DEMO, at(12), 20 * 3600, False),
        (NIGHT, at(23, 59), 120, True),
        (NIGHT, at(0, 30), 60, True),
        (NIGHT, at(20), 5 * 3600, True),
        (NIGHT, at(20), 5 * 3600 + 1, False),
        (NIGHT, at(19, 59, 59), 2, False),
        ([(0, 1440)], at(23), 24 * 3600, True),
        ([(300, 700), (700, 1260)], at(11, 39), 120, True),
        ([(300, 800), (700, 1260)], at(5), 16 * 3600, True),
        ([(300, 700), (701, 1260)], at(11, 39), 120, False),
        ([(701, 1260), (300, 700)], at(6), 60, True),
        ([], at(12), 1, False),
    ],
)
def test_the_whole_sound_lies_inside_the_joined_windows(
    windows: list[tuple[int, int]], start: datetime, seconds: float, allowed: bool
) -> None:
    assert allows(windows, start, seconds=seconds) is allowed


@pytest.mark.parametrize("window", [(10, 10), (20, 10), (-1, 10), (0, 1441)])
def test_a_window_that_is_none_is_refused(window: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="no window of a day"):
        Window(*window)


def ceiling(ceilings: list[tuple[int, int, int]], start: datetime, **long: float) -> int:
    regulation = Regulation((Window(0, 1440),), tuple(Ceiling(Window(a, b), volume) for a, b, volume in ceilings))
    return regulation.ceiling(start, timedelta(**long), VIETNAM)


STEPS = [(300, 360, 50), (360, 1260, 80)]


@pytest.mark.parametrize(
    ("start", "seconds", "volume"),
    [
        (at(5, 30), 60, 50),
        (at(6), 60, 80),
        (at(5, 59, 30), 30, 50),
        (at(5, 59, 30), 30.5, 50),
        (at(4, 59, 50), 9, 100),
        (at(4, 59, 50), 15, 50),
        (at(21), 60, 100),
        (at(20, 59, 59), 60, 80),
        (at(23, 59), 5 * 3600 + 61, 50),
    ],
)
def test_the_lowest_ceiling_that_the_sound_touches_holds_to_the_second(
    start: datetime, seconds: float, volume: int
) -> None:
    assert ceiling(STEPS, start, seconds=seconds) == volume


def test_a_sound_that_runs_into_a_quieter_hour_is_quiet_from_its_first_second() -> None:
    assert ceiling([(360, 1260, 80), (1200, 1260, 40)], at(19, 59, 30), seconds=40) == 40
    assert ceiling([(360, 1260, 80), (1200, 1260, 40)], at(19, 59, 30), seconds=30) == 80


windows = st.tuples(st.integers(0, 1439), st.integers(1, 1440)).filter(lambda pair: pair[0] < pair[1])


@given(st.lists(windows, max_size=4), st.integers(0, 1439), st.integers(1, 1440))
def test_allowed_is_what_every_minute_of_it_is_allowed(chosen: list[tuple[int, int]], begin: int, minutes: int) -> None:
    """Told again by brute force, minute by minute, round the clock."""
    open_minutes = {minute for start, end in chosen for minute in range(start, end)}
    each = all((begin + minute) % MINUTES_A_DAY in open_minutes for minute in range(minutes))
    assert allows(chosen, at(0, begin), minutes=minutes) is each
