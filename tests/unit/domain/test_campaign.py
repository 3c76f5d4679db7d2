"""Fulfilled, still possible, not fulfilled: from evidence, with each gap and its cause."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from broadcasts.clock import VIETNAM
from broadcasts.domain.campaign import Fulfilment, Gap, Outcome, Play, Rule, Status, check, longest_run, met, worst
from broadcasts.domain.statutes import Kind

THREE_DAYS = Rule(Kind.CONSECUTIVE, days=3)
NOW = datetime(2026, 3, 20, 12, tzinfo=VIETNAM)


def at(day: int, hour: int = 17) -> datetime:
    return datetime(2026, 3, day, hour, tzinfo=VIETNAM)


def sounded(*days: int) -> list[Play]:
    return [Play(at(day), Outcome.SOUNDED) for day in days]


def result(rule: Rule, plays: list[Play], now: datetime = NOW) -> Fulfilment:
    return check(rule, plays, now, VIETNAM)


@pytest.mark.requirement("R-037")
def test_three_days_in_a_row_with_a_gap_on_the_second_are_not_three_consecutive_days() -> None:
    down = Play(at(3), Outcome.MISSED, "power_off", at(3, 16))
    found = result(THREE_DAYS, [*sounded(2), down, *sounded(4)])
    assert found.status is Status.NOT_FULFILLED
    assert found.gaps == [Gap("power_off", at(3), 2, at(3, 16))]
    assert result(THREE_DAYS, [*sounded(2), down, *sounded(4, 5, 6)]).status is Status.FULFILLED


def test_what_nobody_knows_yet_leaves_it_open_and_is_shown_as_a_gap_that_may_close() -> None:
    away = Play(at(3), Outcome.OPEN, "unknown", at(3, 16))
    found = result(THREE_DAYS, [*sounded(2), away, *sounded(4)])
    assert found.status is Status.POSSIBLE
    assert found.gaps == [Gap("unknown", at(3), 2, at(3, 16), final=False)]


def test_what_is_still_to_come_is_no_gap() -> None:
    found = result(THREE_DAYS, [*sounded(2), Play(at(3), Outcome.OPEN), Play(at(4), Outcome.OPEN)], now=at(3, 8))
    assert (found.status, found.gaps, found.sounded, found.open) == (Status.POSSIBLE, [], 1, 2)


def test_a_series_too_short_says_so_even_where_everything_sounded() -> None:
    found = result(THREE_DAYS, sounded(2, 3))
    assert (found.status, found.gaps) == (Status.NOT_FULFILLED, [Gap("too_few")])
    assert result(THREE_DAYS, []).status is Status.NOT_FULFILLED


@pytest.mark.requirement("R-041")
def test_three_times_a_day_for_seven_days_and_the_first_within_six_hours() -> None:
    rule = Rule(Kind.CONSECUTIVE, days=7, times=3, latest_first=at(2, 12))
    every = [Play(at(day, hour), Outcome.SOUNDED) for day in range(2, 9) for hour in (6, 11, 17)]
    assert result(rule, every).status is Status.FULFILLED
    assert result(rule, every[1:]).status is Status.NOT_FULFILLED
    late = result(rule, [*every[2:], *sounded(9, 10)])
    assert late.status is Status.NOT_FULFILLED
    assert [gap.cause for gap in late.gaps] == ["first_late"]


@pytest.mark.requirement("R-040")
def test_three_times_on_one_day_are_not_spread_over_five() -> None:
    rule = Rule(Kind.SPREAD, days=5, times=3)
    assert result(rule, sounded(2, 4, 6)).status is Status.FULFILLED
    assert result(rule, sounded(2, 3, 5)).status is Status.NOT_FULFILLED
    assert result(rule, sounded(2, 6)).status is Status.NOT_FULFILLED


@pytest.mark.requirement("R-042")
def test_a_notice_that_first_sounded_too_late_is_not_made_good_by_many_more() -> None:
    rule = Rule(Kind.NOTICE, latest_day=date(2026, 3, 4))
    assert result(rule, sounded(4)).status is Status.FULFILLED
    assert result(rule, sounded(5, 6, 7)).status is Status.NOT_FULFILLED


def test_the_worst_cluster_speaks_for_the_hamlet() -> None:
    good, bad = result(THREE_DAYS, sounded(2, 3, 4)), result(THREE_DAYS, sounded(2))
    assert worst([good, bad, good]) is Status.NOT_FULFILLED
    assert worst([good, good]) is Status.FULFILLED
    assert worst([]) is Status.NOT_FULFILLED


INSTANTS = st.datetimes(datetime(2026, 3, 1), datetime(2026, 3, 16), timezones=st.just(UTC)).map(  # noqa: DTZ001
    lambda each: each.replace(minute=0, second=0, microsecond=0)
)
PLAYED = st.sets(INSTANTS, max_size=40)


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    return Rule(
        draw(st.sampled_from(Kind)),
        days=draw(st.integers(1, 5)),
        times=draw(st.integers(1, 3)),
        latest_first=draw(st.none() | INSTANTS),
        latest_day=draw(st.none() | st.dates(date(2026, 3, 1), date(2026, 3, 16))),
        due=tuple(sorted(draw(st.sets(INSTANTS, max_size=4)))),
    )


@given(rules(), PLAYED, PLAYED)
def test_a_fulfilled_series_stays_fulfilled_when_plays_are_added(
    rule: Rule, some: set[datetime], more: set[datetime]
) -> None:
    assume(met(rule, some, VIETNAM))
    assert met(rule, some | more, VIETNAM)


@given(rules(), PLAYED)
def test_removing_any_needed_play_breaks_it(rule: Rule, played: set[datetime]) -> None:
    """What is left after taking away all that can be spared is needed: without any one of it nothing is fulfilled, and
    the same play as a proven gap makes the series not fulfilled."""
    if rule.kind is Kind.REPEATS:
        played |= set(rule.due)
    assume(met(rule, played, VIETNAM))
    needed = set(played)
    for each in sorted(played):
        if met(rule, needed - {each}, VIETNAM):
            needed.discard(each)
    for each in needed:
        assert not met(rule, needed - {each}, VIETNAM)
        plays = [Play(one, Outcome.MISSED if one == each else Outcome.SOUNDED) for one in needed]
        found = result(rule, plays)
        assert found.status is Status.NOT_FULFILLED
        assert found.gaps


@given(rules(), st.lists(st.tuples(INSTANTS, st.sampled_from(Outcome)), max_size=25, unique_by=lambda each: each[0]))
def test_evidence_that_comes_in_only_ever_settles_what_was_open(
    rule: Rule, told: list[tuple[datetime, Outcome]]
) -> None:
    plays = [Play(at_, outcome) for at_, outcome in told]
    before = result(rule, plays).status
    for settled in (Outcome.SOUNDED, Outcome.MISSED):
        after = result(rule, [Play(p.at, settled if p.outcome is Outcome.OPEN else p.outcome) for p in plays]).status
        if before is not Status.POSSIBLE:
            assert after is before
        else:
            assert after is (Status.FULFILLED if settled is Outcome.SOUNDED else Status.NOT_FULFILLED)


@given(st.sets(st.dates(date(2026, 1, 1), date(2026, 2, 10)), max_size=30))
def test_the_longest_run_is_the_longest(days: set[date]) -> None:
    length = longest_run(days)
    runs = [{start + timedelta(days=n) for n in range(length)} for start in days]
    assert (length == 0) == (not days)
    assert not days or any(run <= days for run in runs)
    assert not any({start + timedelta(days=n) for n in range(length + 1)} <= days for start in days)
