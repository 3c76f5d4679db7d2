"""Weekly, monthly, every so many minutes, counted, on and not on days that have a name."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.schedules import instants, schedules

from broadcasts.clock import VIETNAM
from broadcasts.domain.model import Pattern, Repeat, Schedule
from broadcasts.domain.occasions import OCCASIONS, is_known
from broadcasts.domain.recurrence import starts
from broadcasts.domain.schedule_check import first_start, problems

FIRST = date(2026, 3, 2)
"""A Monday."""
FIVE = time(17, 0)


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=VIETNAM).astimezone(UTC)


def heard(
    repeat: Repeat, since: str = "2026-03-01", until: str = "2026-03-31", *, last: date | None = None, **pattern: Any
) -> list[str]:
    """Local day and time of each start of a schedule at 17:00 from 2 March 2026 on."""
    schedule = Schedule(repeat, FIRST, FIVE, last, Pattern(**pattern))
    found = starts(schedule, local(since), local(until), VIETNAM)
    return [f"{each.astimezone(VIETNAM):%m-%d %H:%M}" for each in found]


def days(*args: Any, **named: Any) -> list[str]:
    return [each[:5] for each in heard(*args, **named)]


@pytest.mark.requirement("R-045")
def test_weekly_falls_on_each_of_its_days() -> None:
    found = days(Repeat.WEEKLY, until="2026-03-16", weekdays=(1, 4))
    assert found == ["03-03", "03-06", "03-10", "03-13"]


def test_weekly_without_a_day_is_the_weekday_of_the_first() -> None:
    assert days(Repeat.WEEKLY, until="2026-03-17") == ["03-02", "03-09", "03-16"]


def test_every_second_week_is_counted_from_the_week_of_the_first_day_wherever_one_looks() -> None:
    assert days(Repeat.WEEKLY, every=2, weekdays=(0, 6)) == ["03-02", "03-08", "03-16", "03-22", "03-30"]
    assert days(Repeat.WEEKLY, since="2026-03-20", every=2, weekdays=(0, 6)) == ["03-22", "03-30"]


def test_every_third_day_is_counted_from_the_first_wherever_one_looks() -> None:
    assert days(Repeat.DAILY, since="2026-03-09", until="2026-03-15", every=3) == ["03-11", "03-14"]


def test_monthly_leaves_out_the_months_that_have_no_such_day() -> None:
    found = days(Repeat.MONTHLY, until="2026-12-31", month_days=(31,))
    assert found == ["03-31", "05-31", "07-31", "08-31", "10-31"]


def test_the_last_day_of_each_month() -> None:
    assert days(Repeat.MONTHLY, until="2026-07-01", month_days=(-1,)) == ["03-31", "04-30", "05-31", "06-30"]


def test_the_second_tuesday_and_the_last_friday_of_the_month() -> None:
    assert days(Repeat.MONTHLY, until="2026-06-01", nth_weekday=(2, 1)) == ["03-10", "04-14", "05-12"]
    assert days(Repeat.MONTHLY, until="2026-06-01", nth_weekday=(-1, 4)) == ["03-27", "04-24", "05-29"]


def test_one_month_of_the_twelve_is_once_a_year() -> None:
    found = heard(Repeat.MONTHLY, until="2029-01-01", month_days=(2,), months=(9,))
    assert found == ["09-02 17:00"] * 3


def test_every_forty_minutes_up_to_the_last_hour_included() -> None:
    found = heard(Repeat.DAILY, until="2026-03-03", minutes=40, last_at=time(19, 0))
    assert found == ["03-02 17:00", "03-02 17:40", "03-02 18:20", "03-02 19:00"]


def test_a_count_is_of_starts_and_holds_in_every_window() -> None:
    told: dict[str, Any] = {"minutes": 60, "last_at": time(18, 0), "count": 5}
    assert heard(Repeat.DAILY, **told)[-1] == "03-04 17:00"
    assert heard(Repeat.DAILY, since="2026-03-04", **told) == ["03-04 17:00"]
    assert heard(Repeat.DAILY, since="2026-03-05", **told) == []


def test_an_exception_is_not_made_up_for_by_the_count() -> None:
    found = days(Repeat.DAILY, count=4, skip_days=(date(2026, 3, 3),), skip=(local("2026-03-04T17:00"),))
    assert found == ["03-02", "03-05"]


def test_extra_starts_are_beside_the_rule_and_never_twice() -> None:
    extra = (local("2026-02-27T06:00"), local("2026-03-02T17:00"), local("2026-03-08T09:30"))
    found = heard(Repeat.WEEKDAYS, since="2026-02-01", until="2026-04-01", last=date(2026, 3, 3), extra=extra)
    assert found == ["02-27 06:00", "03-02 17:00", "03-03 17:00", "03-08 09:30"]


def test_a_series_that_was_cut_goes_on_to_the_cut_and_not_beyond() -> None:
    assert days(Repeat.DAILY, before=local("2026-03-04T17:00")) == ["03-02", "03-03"]


def test_only_on_the_first_and_the_fifteenth_of_the_lunar_month() -> None:
    """19 March and 2 April 2026 are mùng 1 and rằm of the second month."""
    found = days(Repeat.DAILY, until="2026-04-20", only_on=("lunar_first", "lunar_full"))
    assert found == ["03-03", "03-19", "04-02", "04-17"]


def test_not_on_tet_leaves_out_the_eve_and_four_days() -> None:
    schedule = Schedule(Repeat.DAILY, date(2026, 2, 14), FIVE, date(2026, 2, 22), Pattern(not_on=("tet",)))
    found = [
        each.astimezone(VIETNAM).day for each in starts(schedule, local("2026-02-01"), local("2026-03-01"), VIETNAM)
    ]
    assert found == [14, 15, 21, 22]


def test_what_was_asked_for_by_date_sounds_on_a_holiday_too() -> None:
    extra = (local("2026-04-30T17:00"),)
    assert days(Repeat.WEEKLY, until="2026-05-05", not_on=("public_holiday",), extra=extra)[-2:] == ["04-30", "05-04"]


@pytest.mark.parametrize(
    ("year", "wanted"),
    [
        (2025, "01-01 01-28 01-29 01-30 01-31 02-01 04-07 04-30 05-01 09-01 09-02"),
        (2026, "01-01 02-16 02-17 02-18 02-19 02-20 04-26 04-30 05-01 09-01 09-02 11-24"),
        (2027, "01-01 02-05 02-06 02-07 02-08 02-09 04-16 04-30 05-01 09-02 09-03 11-24"),
    ],
)
def test_the_public_holidays_of_a_year(year: int, wanted: str) -> None:
    """Labour Code 2019, art. 112; the days as the `holidays` project lists them, without those in lieu of a weekend."""
    found = [date(year, 1, 1) + timedelta(days=step) for step in range(365)]
    assert [f"{day:%m-%d}" for day in found if OCCASIONS["public_holiday"](day)] == wanted.split()


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("khmer_new_year", "04-14 04-15 04-16"),
        ("sene_dolta", "09-21 09-22 09-23"),
        ("ok_om_bok", "11-05"),
    ],
)
def test_the_festivals_of_the_khmer_in_2025(name: str, wanted: str) -> None:
    found = [date(2025, 1, 1) + timedelta(days=step) for step in range(365)]
    assert [f"{day:%m-%d}" for day in found if OCCASIONS[name](day)] == wanted.split()
    assert is_known(name, 2030)
    assert not is_known(name, 2031)


IMPOSSIBLE: list[tuple[Schedule, str]] = [
    (Schedule(Repeat.MONTHLY, FIRST, FIVE, None, Pattern(month_days=(31,), months=(2,))), "schedule.impossible"),
    (Schedule(Repeat.MONTHLY, FIRST, FIVE, None, Pattern(month_days=(30, 31), months=(2,))), "schedule.impossible"),
    (Schedule(Repeat.WEEKLY, FIRST, FIVE, date(2026, 3, 6), Pattern(weekdays=(6,))), "schedule.impossible"),
    (Schedule(Repeat.ONCE, FIRST, FIVE, None, Pattern(skip_days=(FIRST,))), "schedule.impossible"),
    (Schedule(Repeat.DAILY, FIRST, FIVE, None, Pattern(only_on=("tet",), not_on=("tet",))), "schedule.impossible"),
    (Schedule(Repeat.DAILY, FIRST, FIVE, date(2026, 3, 1)), "time.until_before_first"),
    (Schedule(Repeat.DAILY, FIRST, FIVE, None, Pattern(every=0)), "schedule.number"),
    (Schedule(Repeat.WEEKLY, FIRST, FIVE, None, Pattern(weekdays=(7,))), "schedule.number"),
    (Schedule(Repeat.MONTHLY, FIRST, FIVE, None, Pattern(month_days=(0,))), "schedule.number"),
    (Schedule(Repeat.MONTHLY, FIRST, FIVE, None, Pattern(month_days=(1,), nth_weekday=(1, 1))), "schedule.number"),
    (Schedule(Repeat.MONTHLY, FIRST, FIVE, None, Pattern(nth_weekday=(6, 1))), "schedule.number"),
    (Schedule(Repeat.DAILY, FIRST, FIVE, None, Pattern(count=0)), "schedule.number"),
    (Schedule(Repeat.DAILY, FIRST, FIVE, None, Pattern(minutes=30)), "schedule.hours_missing"),
    (Schedule(Repeat.DAILY, FIRST, FIVE, None, Pattern(minutes=1, last_at=time(18))), "schedule.minutes"),
    (Schedule(Repeat.DAILY, FIRST, FIVE, None, Pattern(minutes=30, last_at=FIVE)), "schedule.hours"),
    (Schedule(Repeat.DAILY, FIRST, FIVE, None, Pattern(only_on=("noël",))), "schedule.occasion"),
    (Schedule(Repeat.DAILY, date(2031, 1, 1), FIVE, None, Pattern(not_on=("sene_dolta",))), "schedule.occasion_year"),
]  # fmt: skip


@pytest.mark.parametrize(("schedule", "key"), IMPOSSIBLE)
def test_what_can_never_start_is_refused_and_says_why(schedule: Schedule, key: str) -> None:
    assert [each.key for each in problems(schedule, VIETNAM)] == [key]


def test_29_february_is_rare_and_not_impossible() -> None:
    schedule = Schedule(Repeat.MONTHLY, FIRST, FIVE, None, Pattern(month_days=(29,), months=(2,)))
    assert problems(schedule, VIETNAM) == []
    assert first_start(schedule, VIETNAM) == local("2028-02-29T17:00")


@given(schedules())
def test_a_schedule_that_is_not_refused_starts_something(schedule: Schedule) -> None:
    assert problems(schedule, VIETNAM) == []
    assert first_start(schedule, VIETNAM) is not None


@given(schedules(), st.lists(instants, min_size=2, max_size=6).map(sorted))
def test_expanding_by_windows_equals_expanding_their_union(schedule: Schedule, marks: list[datetime]) -> None:
    at_once = list(starts(schedule, marks[0], marks[-1], VIETNAM))
    assert [each for a, b in pairwise(marks) for each in starts(schedule, a, b, VIETNAM)] == at_once


@given(schedules(), instants, instants)
def test_expanding_twice_says_the_same_in_order_each_once(schedule: Schedule, since: datetime, until: datetime) -> None:
    found = list(starts(schedule, since, until, VIETNAM))
    assert found == list(starts(schedule, since, until, VIETNAM)) == sorted(set(found))
    assert all(each.tzinfo is UTC and since <= each < until for each in found)


@given(schedules(), instants, instants)
def test_every_start_keeps_what_the_schedule_promises(schedule: Schedule, since: datetime, until: datetime) -> None:
    pattern = schedule.pattern
    for each in starts(schedule, since, until, VIETNAM):
        here = each.astimezone(VIETNAM)
        assert each not in pattern.skip
        assert here.date() not in pattern.skip_days
        assert pattern.before is None or each < pattern.before
        if each in pattern.extra or schedule.repeat is Repeat.ONCE:
            continue
        assert here.date() >= schedule.first
        assert schedule.until is None or here.date() <= schedule.until
        assert not any(OCCASIONS[name](here.date()) for name in pattern.not_on)
        assert not pattern.only_on or any(OCCASIONS[name](here.date()) for name in pattern.only_on)
        assert schedule.at <= here.time() <= (pattern.last_at or schedule.at)
