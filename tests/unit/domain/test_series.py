"""From a template to a schedule: exactly what its article asks for."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broadcasts.clock import VIETNAM
from broadcasts.domain.campaign import Rule, met
from broadcasts.domain.model import Priority, Repeat
from broadcasts.domain.regulation import Regulation, Window
from broadcasts.domain.schedule_check import problems
from broadcasts.domain.series import Series, Wish, make
from broadcasts.domain.statutes import TEMPLATES, Kind

ALL_DAY = Regulation((Window(0, 1440),))
DAYTIME = Regulation((Window(300, 1260),))
MINUTE = timedelta(minutes=1)
ISSUED = datetime(2026, 3, 3, 13, 30, tzinfo=VIETNAM)


def at(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 3, day, hour, minute, tzinfo=VIETNAM)


def series(
    name: str,
    first: datetime,
    *,
    duration: timedelta = MINUTE,
    regulation: Regulation = ALL_DAY,
    priority: Priority = Priority.PRIORITY,
    **told: object,
) -> Series:
    wish = Wish(first, **({"issued_at": ISSUED} | told))  # type: ignore[arg-type]
    return make(TEMPLATES[name], wish, duration, [regulation], priority, VIETNAM)


def shown(found: Series) -> list[str]:
    assert found.problems == []
    return [f"{each.astimezone(VIETNAM):%d %H:%M}" for each in found.starts]


def keys(found: list[object] | object) -> list[str]:
    return [each.key for each in found]  # type: ignore[attr-defined]


@pytest.mark.requirement("R-037")
def test_grassroots_democracy_is_three_days_in_a_row() -> None:
    found = series("democracy", at(4, 17))
    assert shown(found) == ["04 17:00", "05 17:00", "06 17:00"]
    assert found.notes == []


@pytest.mark.requirement("R-037")
def test_the_number_of_days_is_a_setting_and_fewer_than_the_article_says_is_noted() -> None:
    assert len(shown(series("democracy", at(4, 17), days=5))) == 5
    assert keys(series("democracy", at(4, 17), days=2).notes) == ["campaign.fewer_days"]


@pytest.mark.requirement("R-038")
def test_a_start_after_five_working_days_of_the_decision_is_warned_of() -> None:
    on_time, late = series("democracy", at(10, 17)), series("democracy", at(11, 17))
    assert keys(on_time.notes) == []
    assert keys(late.notes) == ["campaign.working_days"]
    assert late.notes[0].fields == {"days": 5, "date": "10/03/2026"}


@pytest.mark.requirement("R-040")
def test_legal_access_is_three_times_over_five_days() -> None:
    assert shown(series("legal_access", at(4, 17))) == ["04 17:00", "06 17:00", "08 17:00"]


@pytest.mark.requirement("R-041")
def test_an_epidemic_measure_begins_within_six_hours_and_then_sounds_three_times_a_day_for_seven_whole_days() -> None:
    times = (time(6), time(11, 30), time(17))
    found = series("epidemic", at(3, 18), times=times)
    assert shown(found)[:4] == ["03 18:00", "04 06:00", "04 11:30", "04 17:00"]
    assert len(found.starts) == 1 + 7 * 3
    assert found.notes == []
    assert keys(series("epidemic", at(3, 20), times=times).notes) == ["campaign.first_late"]
    early = series("epidemic", at(4, 6), times=times)
    assert len(early.starts) == 7 * 3
    assert early.schedule is not None
    assert early.schedule.repeat is Repeat.DAILY
    assert keys(early.notes) == ["campaign.first_late"]


@pytest.mark.requirement("R-042")
@pytest.mark.parametrize(
    ("name", "days"), [("meeting", 2), ("household_vote", 2), ("hamlet_head", 7), ("conference", 5)]
)
def test_a_notice_goes_out_so_many_days_before_the_event(name: str, days: int) -> None:
    event = date(2026, 3, 20)
    assert keys(series(name, at(20 - days, 17), event_on=event).notes) == []
    assert keys(series(name, at(21 - days, 17), event_on=event).notes) == ["campaign.notice_late"]
    assert len(shown(series(name, at(20 - days, 17), event_on=event))) == days
    assert keys(series(name, at(20, 17), event_on=event).problems) == ["campaign.event_over"]
    assert keys(series(name, at(15, 17)).problems) == ["campaign.event"]


@pytest.mark.requirement("R-060")
def test_urgent_storm_news_sound_twice_in_a_row_at_once_and_then_every_hour_on_the_hour_day_and_night() -> None:
    found = series("storm_urgent", at(3, 21, 40), ends_at=at(4, 3), duration=2 * MINUTE)
    assert shown(found) == ["03 21:40", "03 21:42", "03 22:00", "03 23:00", "04 00:00", "04 01:00", "04 02:00"]
    second = found.starts[1] - found.starts[0]
    assert timedelta(minutes=2) < second < timedelta(minutes=2, seconds=5)


@pytest.mark.requirement("R-060")
def test_an_hour_that_strikes_while_the_first_two_sound_is_not_said_a_third_time() -> None:
    found = series("storm_urgent", at(3, 21, 58), ends_at=at(4, 0), duration=2 * MINUTE)
    assert shown(found) == ["03 21:58", "03 22:00", "03 23:00"]


@pytest.mark.requirement("R-060")
def test_ordinary_storm_news_sound_every_two_hours_on_the_hour() -> None:
    assert shown(series("storm_news", at(3, 14, 5), ends_at=at(3, 22))) == ["03 16:00", "03 18:00", "03 20:00"]


@pytest.mark.requirement("R-062")
@pytest.mark.parametrize(("name", "every"), [("tsunami", 30), ("tsunami_3", 20)])
def test_a_tsunami_sounds_at_once_twice_more_five_minutes_apart_and_then_in_its_rhythm_over_midnight(
    name: str, every: int
) -> None:
    found = series(name, at(3, 23, 7), ends_at=at(4, 1))
    at_once = [at(3, 23, minute) for minute in (7, 12, 17)]
    later = [at_once[-1] + count * every * MINUTE for count in range(1, 10)]
    assert list(found.starts) == [*at_once, *(each for each in later if each < at(4, 1))]


@pytest.mark.requirement("R-058")
@pytest.mark.parametrize(("name", "hours"), [("command", 3), ("command_above_3", 1)])
def test_command_documents_sound_at_once_and_again_every_so_many_hours(name: str, hours: int) -> None:
    found = series(name, at(3, 14, 20), ends_at=at(4, 14, 20))
    assert list(found.starts) == [at(3, 14, 20) + timedelta(hours=each) for each in range(0, 24, hours)]


@pytest.mark.requirement("R-059", "R-063")
@pytest.mark.parametrize("name", ["station_order", "other_hazard"])
def test_where_the_issuing_body_orders_the_rhythm_somebody_has_to_say_it(name: str) -> None:
    assert keys(series(name, at(3, 14), ends_at=at(3, 20)).problems) == ["campaign.rhythm"]
    assert keys(series(name, at(3, 14), ends_at=at(3, 20), every_minutes=7).problems) == ["campaign.rhythm"]
    found = series(name, at(3, 14, 5), ends_at=at(3, 17), every_minutes=90)
    assert shown(found) == ["03 14:05", "03 15:35"]


@pytest.mark.requirement("R-061")
@pytest.mark.parametrize("name", [name for name, each in TEMPLATES.items() if each.is_warning])
def test_no_warning_repeats_without_the_time_at_which_it_was_issued(name: str) -> None:
    found = series(name, at(3, 14), ends_at=at(3, 20), every_minutes=60, issued_at=None)
    assert keys(found.problems) == ["campaign.issue_time"]
    assert found.schedule is None


def test_a_warning_has_an_end_within_a_week() -> None:
    for end in (None, at(3, 13), at(11, 14)):
        assert keys(series("storm_news", at(3, 14), ends_at=end).problems) == ["campaign.end"]


def test_what_lies_outside_the_hours_is_a_problem_and_can_be_left_out() -> None:
    night = {"ends_at": at(5, 3), "regulation": DAYTIME}
    found = series("storm_urgent", at(3, 19, 30), **night)  # type: ignore[arg-type]
    assert keys(found.problems) == ["campaign.quiet"]
    assert found.problems[0].fields["n"] == 8 + 6
    day = series("storm_urgent", at(3, 19, 30), within_hours=True, **night)  # type: ignore[arg-type]
    assert shown(day)[:4] == ["03 19:30", "03 19:31", "03 20:00", "04 05:00"]
    assert shown(day)[-1] == "04 20:00"
    assert len(day.left_out) == 14


def test_day_and_night_passes_the_hours_only_in_the_class_that_hours_do_not_bind() -> None:
    night = {"ends_at": at(4, 3), "regulation": DAYTIME, "priority": Priority.EMERGENCY}
    assert keys(series("storm_urgent", at(3, 21, 40), **night).problems) == []  # type: ignore[arg-type]
    assert keys(series("storm_news", at(3, 21, 40), **night).problems) == ["campaign.quiet"]  # type: ignore[arg-type]


WINDOWS = st.tuples(st.integers(0, 700), st.integers(740, 1440)).map(lambda each: Regulation((Window(*each),)))


@st.composite
def wishes(draw: st.DrawFn) -> tuple[str, Wish, Regulation]:
    first = at(3, 0) + draw(st.integers(0, 1439)) * MINUTE
    wish = Wish(
        first,
        times=tuple(draw(st.lists(st.integers(0, 287).map(lambda n: time(n // 12, n % 12 * 5)), max_size=3))),
        days=draw(st.none() | st.integers(1, 9)),
        every_minutes=draw(st.sampled_from([20, 60, 120])),
        issued_at=first - timedelta(hours=1),
        event_on=date(2026, 3, 3) + timedelta(days=draw(st.integers(1, 12))),
        ends_at=first + timedelta(minutes=draw(st.integers(30, 3000))),
        within_hours=draw(st.booleans()),
    )
    return draw(st.sampled_from(sorted(TEMPLATES))), wish, draw(WINDOWS)


@given(wishes())
def test_a_series_without_problems_lies_in_the_hours_and_is_a_schedule_that_anybody_may_hand_in(
    told: tuple[str, Wish, Regulation],
) -> None:
    name, wish, regulation = told
    found = make(TEMPLATES[name], wish, timedelta(seconds=90), [regulation], Priority.PRIORITY, VIETNAM)
    if found.problems:
        return
    assert found.schedule is not None
    assert problems(found.schedule, VIETNAM) == []
    assert all(regulation.allows(each, timedelta(seconds=90), VIETNAM) for each in found.starts)
    assert list(found.starts) == sorted(set(found.starts))
    assert found.starts[0] >= wish.first


@given(wishes())
def test_a_series_that_nothing_was_noted_of_and_that_all_sounded_is_fulfilled(
    told: tuple[str, Wish, Regulation],
) -> None:
    name, wish, _ = told
    template = TEMPLATES[name]
    found = make(template, wish, timedelta(seconds=90), [ALL_DAY], Priority.PRIORITY, VIETNAM)
    if found.problems or found.notes or template.kind in (Kind.NOTICE, Kind.REPEATS):
        return
    assert met(Rule(template.kind, template.days, template.times), found.starts, VIETNAM)
