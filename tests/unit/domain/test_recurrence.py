"""Schedules to start instants."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broadcasts.clock import VIETNAM
from broadcasts.domain.model import Repeat, Schedule
from broadcasts.domain.recurrence import starts

NEW_YORK, SAMOA = ZoneInfo("America/New_York"), ZoneInfo("Pacific/Apia")
SIX = time(6, 0)
FIRST = date(2026, 3, 2)
"""A Monday."""


def utc(day: int, hour: int, minute: int = 0, *, month: int = 3, year: int = 2026) -> datetime:
    return datetime(year, month, day, hour, minute, tzinfo=UTC)


def expand(schedule: Schedule, since: datetime, until: datetime, zone: ZoneInfo = VIETNAM) -> list[datetime]:
    return list(starts(schedule, since, until, zone))


@pytest.mark.requirement("R-045")
def test_once_is_the_first_day_at_its_local_time_and_knows_no_end() -> None:
    once = Schedule(Repeat.ONCE, FIRST, SIX, until=date(2026, 1, 1))
    assert expand(once, utc(1, 0), utc(30, 0)) == [utc(1, 23)]


@pytest.mark.requirement("R-045")
def test_daily_goes_on_to_the_last_day_included() -> None:
    daily = Schedule(Repeat.DAILY, FIRST, SIX, until=date(2026, 3, 4))
    assert expand(daily, utc(1, 0), utc(30, 0)) == [utc(1, 23), utc(2, 23), utc(3, 23)]


def test_without_a_last_day_it_goes_on_as_far_as_is_asked() -> None:
    assert len(expand(Schedule(Repeat.DAILY, FIRST, SIX), utc(1, 0), utc(1, 0, year=2027))) == 365


def test_weekdays_leave_saturday_and_sunday_out_by_the_local_calendar() -> None:
    """06:00 in Viet Nam on Monday is still Sunday in UTC."""
    found = expand(Schedule(Repeat.WEEKDAYS, FIRST, SIX), utc(1, 0), utc(15, 0))
    assert [each.astimezone(VIETNAM).weekday() for each in found] == [0, 1, 2, 3, 4] * 2
    assert found[0] == utc(1, 23)


def test_nothing_starts_before_the_first_day() -> None:
    assert expand(Schedule(Repeat.DAILY, FIRST, SIX), utc(1, 0, month=1), utc(1, 22, 59)) == []


def test_the_window_takes_its_beginning_and_not_its_end() -> None:
    daily = Schedule(Repeat.DAILY, FIRST, SIX)
    assert expand(daily, utc(1, 23), utc(2, 23)) == [utc(1, 23)]
    assert expand(daily, utc(1, 23) + timedelta(microseconds=1), utc(2, 23)) == []
    assert expand(daily, utc(2, 23), utc(2, 23)) == []
    assert expand(daily, utc(3, 0), utc(2, 0)) == []


def test_the_hour_that_does_not_exist_is_taken_at_the_same_distance_from_midnight() -> None:
    """New York, 8 March 2026: 02:00 becomes 03:00."""
    daily = Schedule(Repeat.DAILY, date(2026, 3, 7), time(2, 30))
    found = expand(daily, utc(7, 0), utc(10, 0), NEW_YORK)
    assert found == [utc(7, 7, 30), utc(8, 7, 30), utc(9, 6, 30)]
    assert f"{found[1].astimezone(NEW_YORK):%H:%M}" == "03:30"


def test_the_hour_that_comes_twice_is_taken_the_first_time() -> None:
    """New York, 1 November 2026: 02:00 becomes 01:00."""
    daily = Schedule(Repeat.DAILY, date(2026, 11, 1), time(1, 30))
    found = expand(daily, utc(1, 0, month=11), utc(2, 0, month=11), NEW_YORK)
    assert found == [utc(1, 5, 30, month=11)]


def test_a_day_that_a_zone_left_out_sounds_once_with_the_next() -> None:
    """Samoa had no 30 December 2011."""
    daily = Schedule(Repeat.DAILY, date(2011, 12, 29), time(10, 0))
    found = expand(daily, utc(29, 0, month=12, year=2011), utc(1, 0, month=1, year=2012), SAMOA)
    assert [f"{each.astimezone(SAMOA):%d %H:%M}" for each in found] == ["29 10:00", "31 10:00", "01 10:00"]


schedules = st.builds(
    Schedule,
    st.sampled_from(Repeat),
    st.dates(date(2026, 2, 1), date(2026, 4, 30)),
    st.times(),
    st.none() | st.dates(date(2026, 2, 1), date(2026, 5, 30)),
)
instants = st.datetimes(datetime(2026, 2, 1), datetime(2026, 5, 30), timezones=st.just(UTC))  # noqa: DTZ001
zones = st.sampled_from([VIETNAM, NEW_YORK, ZoneInfo("Pacific/Kiritimati"), ZoneInfo("Pacific/Niue")])


@given(schedules, st.lists(instants, min_size=2, max_size=6).map(sorted), zones)
def test_expanding_in_pieces_equals_expanding_at_once(
    schedule: Schedule, marks: list[datetime], zone: ZoneInfo
) -> None:
    at_once = expand(schedule, marks[0], marks[-1], zone)
    pieces = [each for a, b in pairwise(marks) for each in expand(schedule, a, b, zone)]
    assert pieces == at_once


@given(schedules, instants, instants, zones)
def test_starts_are_aware_in_order_each_once_and_inside_the_window(
    schedule: Schedule, since: datetime, until: datetime, zone: ZoneInfo
) -> None:
    found = expand(schedule, since, until, zone)
    assert found == sorted(set(found))
    assert all(each.tzinfo is UTC and since <= each < until for each in found)
    assert len(found) <= 1 or schedule.repeat is not Repeat.ONCE


@given(schedules, instants, instants)
def test_each_start_shows_the_schedules_time_on_a_wall_in_viet_nam(
    schedule: Schedule, since: datetime, until: datetime
) -> None:
    for each in expand(schedule, since, until):
        local = each.astimezone(VIETNAM)
        assert local.time() == schedule.at
        assert local.date() >= schedule.first
        assert schedule.until is None or local.date() <= schedule.until or schedule.repeat is Repeat.ONCE
