"""Edits of a series, and copies of days: what has sounded stays, nothing sounds that nobody approved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from support.services import NOON, House, furnished, raises

from broadcasts.clock import VIETNAM
from broadcasts.domain.delivery import OPEN, State
from broadcasts.domain.model import Pattern
from broadcasts.domain.programme import Part, PartKind
from broadcasts.domain.recurrence import starts
from broadcasts.errors import Conflict, LoaError, Refused
from controller.db.tables import Approval, Broadcast, Delivery, Station
from controller.services import composing, copying, rescheduling
from controller.services.composing import Preview, preview
from controller.services.rescheduling import Extent
from controller.services.schedules import approved_schedule, schedule_of

FIVE = time(17, 0)
TODAY = date(2026, 3, 3)


def at(day: int, hour: int = 17, minute: int = 0) -> datetime:
    return datetime(2026, 3, day, hour, minute, tzinfo=VIETNAM)


def daily(house: House, **changed: Any) -> str:
    """From today on at 17:00, approved."""
    return house.on_air(**{"repeat": "daily", "first_day": TODAY, "at": FIVE} | changed)


def change(house: House, broadcast: str, extent: Extent, start: datetime | None = None, **changed: Any) -> str:
    with house.ctx.db.read() as session:
        actor = house.actor("author")
        draft = rescheduling.draft_for(session, actor, broadcast, extent, start, house.now)
    return rescheduling.change(house.ctx, house.actor("author"), broadcast, replace(draft, **changed), extent, start)


def days(house: House, broadcast: str, *, live: bool = True) -> list[str]:
    """Local day and time of what may still sound, or of all."""
    found = house.deliveries(broadcast)
    chosen = {each.start for each in found if not live or each.state in {str(state) for state in OPEN}}
    return [f"{each.astimezone(VIETNAM):%d %H:%M}" for each in sorted(chosen)]


def facts(house: House) -> dict[str, tuple[object, ...]]:
    with house.ctx.db.read() as session:
        return {
            each.id: (each.broadcast_id, each.revision, each.start, each.asset_sha256, each.state, each.verdict)
            for each in session.scalars(select(Delivery).where(Delivery.start <= house.now))
        }


def status(house: House, broadcast: str) -> str:
    with house.ctx.db.read() as session:
        return session.get_one(Broadcast, broadcast).status


def test_this_one_moves_a_single_start_once_somebody_approved_it_and_the_others_stay_on_air(house: House) -> None:
    series = daily(house)
    moved = change(house, series, Extent.ONE, at(5), at=time(18, 30), title="Lịch tiêm dời giờ")
    assert days(house, series) == ["03 17:00", "04 17:00", *(f"{day:02} 17:00" for day in range(6, 11))]
    assert (status(house, series), status(house, moved)) == ("approved", "submitted")
    assert days(house, moved) == []
    house.approve(moved)
    assert days(house, moved) == ["05 18:30"]
    with house.ctx.db.read() as session:
        assert session.get_one(Broadcast, moved).replaces == series


def test_a_start_that_was_moved_does_not_come_back_when_the_horizon_rolls_on(house: House) -> None:
    series = daily(house)
    change(house, series, Extent.ONE, at(14), at=time(18, 30))
    house.clock.advance(6 * 86_400)
    house.compile()
    assert "14 17:00" not in days(house, series)
    assert {"13 17:00", "15 17:00"} <= set(days(house, series))


def test_this_and_following_ends_the_old_series_before_it_and_begins_a_new_one_there(house: House) -> None:
    series = daily(house)
    later = change(house, series, Extent.FOLLOWING, at(6), at=time(6, 0))
    house.approve(later)
    assert days(house, series) == ["03 17:00", "04 17:00", "05 17:00"]
    assert days(house, later)[:2] == ["06 06:00", "07 06:00"]


def foreseen(house: House, broadcast: str, extent: Extent, start: datetime, **changed: Any) -> Preview:
    with house.ctx.db.read() as session:
        draft = rescheduling.draft_for(session, house.actor("author"), broadcast, extent, start, house.now)
    span = rescheduling.span_of(extent, start)
    return preview(house.ctx, house.actor("author"), replace(draft, **changed), broadcast, span)


def test_the_preview_of_one_start_that_moves_says_so_and_leaves_the_rest_of_the_series_out(house: House) -> None:
    broadcast = daily(house)
    seen = foreseen(house, broadcast, Extent.ONE, at(5), at=time(18, 0))
    assert {each.kind for each in seen.air.changes} == {"moved"}
    assert {(each.was, each.at) for each in seen.air.changes} == {(at(5), at(5, 18))}
    following = foreseen(house, broadcast, Extent.FOLLOWING, at(6), at=time(18, 0))
    assert min(each.was for each in following.air.changes if each.was) == at(6)


def test_a_start_that_is_moved_onto_the_next_one_of_its_own_series_clashes_with_it(house: House) -> None:
    broadcast = daily(house)
    onto = {"first_day": date(2026, 3, 6)}
    assert foreseen(house, broadcast, Extent.ONE, at(5)).clashes == []
    seen = foreseen(house, broadcast, Extent.ONE, at(5), **onto)
    assert {clash.since for clash in seen.clashes} == {at(6)}
    whole = {"repeat": "daily", "first_day": TODAY}
    assert foreseen(house, broadcast, Extent.ALL, at(5), **whole).clashes == []


def test_the_rest_of_the_series_counts_against_the_limit_of_the_day(house: House) -> None:
    with house.ctx.db.write() as session:
        station = session.scalars(select(Station).where(Station.area_id == house.actor("author").area)).one()
        station.rules = {"day": 1}
    chimes = [Part(PartKind.CHIME, "", house.other.sha256)] * 19
    broadcast = daily(house, parts=(*chimes, Part(PartKind.BULLETIN, "", house.bulletin.sha256)))
    alone = foreseen(house, broadcast, Extent.ONE, at(5))
    assert alone.problems == []
    twice = foreseen(house, broadcast, Extent.ONE, at(5), first_day=date(2026, 3, 6), at=time(18, 0))
    assert [each.key for each in twice.problems] == ["limit.day"]


def test_the_difference_of_a_programme_counts_playings_and_not_their_parts(house: House) -> None:
    parts = (
        Part(PartKind.CHIME, "", house.other.sha256),
        Part(PartKind.BULLETIN, "", house.bulletin.sha256),
    )
    broadcast = daily(house, parts=parts)
    same = foreseen(house, broadcast, Extent.ALL, at(5))
    assert same.air.changes == []
    moved = foreseen(house, broadcast, Extent.ONE, at(5), at=time(18, 0))
    assert {(each.kind, each.was, each.at) for each in moved.air.changes} == {("moved", at(5), at(5, 18))}


def test_following_from_the_middle_of_a_day_leaves_its_morning_to_the_old_series(house: House) -> None:
    hourly = Pattern(minutes=60, last_at=time(19, 0))
    series = daily(house, pattern=hourly, until_day=date(2026, 3, 4))
    later = change(house, series, Extent.FOLLOWING, at(3, 18), title="Tin mới")
    house.approve(later)
    assert days(house, series) == ["03 17:00"]
    assert days(house, later) == ["03 18:00", "03 19:00", "04 17:00", "04 18:00", "04 19:00"]


def test_following_counts_only_what_is_left(house: House) -> None:
    series = daily(house, pattern=Pattern(count=5))
    later = change(house, series, Extent.FOLLOWING, at(5))
    house.approve(later)
    assert days(house, series) == ["03 17:00", "04 17:00"]
    assert days(house, later) == ["05 17:00", "06 17:00", "07 17:00"]


def test_all_of_a_series_that_has_not_begun_is_a_new_revision_of_itself(house: House) -> None:
    series = daily(house)
    assert change(house, series, Extent.ALL, at=time(18, 0)) == series
    assert status(house, series) == "submitted"
    assert days(house, series) == []


def test_all_of_a_series_that_has_sounded_leaves_that_under_its_own_name(house: House) -> None:
    series = daily(house)
    house.clock.set(at(4, 17, 30))
    before = facts(house)
    assert len(before) == 10
    new = change(house, series, Extent.ALL, title="Tên mới", asset=house.other.sha256, at=time(18, 0))
    assert new != series
    assert facts(house) == before
    with house.ctx.db.read() as session:
        decided = session.scalars(select(Approval).where(Approval.broadcast_id == series)).one()
        assert decided.facts["title"] == "Lịch tiêm chủng"
    house.approve(new)
    assert days(house, new)[0] == "04 18:00"
    assert all(start <= "04 17:00" for start in days(house, series))


def test_what_has_sounded_is_not_edited_in_place_by_whatever_door(house: House) -> None:
    """Or what sounded yesterday would be told by the title of today."""
    series = daily(house)
    house.clock.set(at(4, 17, 30))
    with raises(Refused, "schedule.begun"):
        composing.submit(house.ctx, house.actor("author"), house.draft(repeat="daily", title="Mới"), series)
    assert status(house, series) == "approved"


def test_an_edit_of_one_start_of_a_series_that_waits_is_decided_on_as_it_is_now(house: House) -> None:
    series = house.submit(repeat="daily", first_day=TODAY, at=FIVE)
    seen = house.seen(series)
    change(house, series, Extent.ONE, at(5), at=time(18, 30))
    with raises(Conflict, "broadcast.changed"):
        from controller.services import approving

        approving.approve(house.ctx, house.actor("boss"), series, seen)
    house.approve(series)
    assert "05 17:00" not in days(house, series)


@pytest.mark.parametrize(
    ("start", "key"),
    [(at(5, 16), "schedule.no_such_start"), (at(2), "schedule.no_such_start"), (None, "schedule.no_such_start")],
)
def test_what_is_no_start_of_the_series_cannot_be_edited(house: House, start: datetime | None, key: str) -> None:
    series = daily(house)
    with raises(Refused, key):
        rescheduling.change(house.ctx, house.actor("author"), series, house.draft(), Extent.ONE, start)
    assert len(days(house, series)) == 8


def test_what_has_begun_stays_as_it_is(house: House) -> None:
    series = daily(house)
    house.clock.set(at(4, 17, 0))
    with raises(Refused, "schedule.begun"):
        rescheduling.change(house.ctx, house.actor("author"), series, house.draft(), Extent.ONE, at(4))


def test_an_edit_that_is_refused_changes_nothing(house: House) -> None:
    series = daily(house)
    for changed in ({"at": time(23, 0)}, {"title": " "}, {"asset": "0" * 64}):
        with pytest.raises(LoaError):
            change(house, series, Extent.FOLLOWING, at(6), **changed)
    assert len(days(house, series)) == 8
    with house.ctx.db.read() as session:
        assert session.get_one(Broadcast, series).taken_off == {}


def test_a_start_within_the_lock_window_needs_push_now(house: House) -> None:
    series = daily(house)
    house.clock.set(at(4, 16, 55))
    with raises(Refused, "time.locked"):
        change(house, series, Extent.ONE, at(4), at=time(18, 0))
    change(house, series, Extent.ONE, at(4), at=time(18, 0), push_now=True)
    assert "04 17:00" not in days(house, series)


def test_nobody_edits_a_series_of_another_station(house: House) -> None:
    series = daily(house)
    with raises(Refused, "not_yours"):
        rescheduling.change(house.ctx, house.actor("neighbour"), series, house.draft(), Extent.ONE, at(5))


def test_leaving_out_takes_one_start_off_the_air_at_once_and_asks_no_approver(house: House) -> None:
    series = daily(house)
    stopped = rescheduling.leave_out(house.ctx, house.actor("author"), series, Extent.ONE, at(5), False)
    assert stopped == 5
    assert status(house, series) == "approved"
    assert "05 17:00" not in days(house, series)


steps = st.lists(
    st.tuples(st.sampled_from(["this", "following", "all", "approve", "leave", "wait"]), st.integers(0, 9)), max_size=8
)


@settings(max_examples=15, suppress_health_check=list(HealthCheck), deadline=None)
@given(steps)
def test_no_sequence_of_edits_changes_what_has_sounded_or_sounds_without_approval(
    workshop: Any, tmp_path_factory: pytest.TempPathFactory, steps: Sequence[tuple[str, int]]
) -> None:
    with furnished(workshop, "sqlite", tmp_path_factory.mktemp("edits")) as house:
        every = [daily(house, pattern=Pattern(minutes=120, last_at=time(19, 30)))]
        sounded: dict[str, tuple[object, ...]] = {}
        for act, number in steps:
            chosen = every[number % len(every)]
            try:
                if act == "wait":
                    house.clock.advance(7 * 3600 + number * 600)
                    house.compile()
                elif act == "approve":
                    house.approve(chosen)
                else:
                    _edit(house, every, chosen, act, number)
            except LoaError:
                pass
            now_sounded = facts(house)
            assert sounded.items() <= now_sounded.items()
            sounded = now_sounded
            _all_approved(house)


def _edit(house: House, every: list[str], chosen: str, act: str, number: int) -> None:
    with house.ctx.db.read() as session:
        schedule = schedule_of(session.get_one(Broadcast, chosen))
    ahead = list(starts(schedule, house.now, house.now + timedelta(days=8), VIETNAM))
    start = ahead[number % len(ahead)] if ahead else None
    if act == "leave":
        if start is not None:
            rescheduling.leave_out(house.ctx, house.actor("author"), chosen, Extent.ONE, start, True)
        return
    changed = {"at": time(8 + number, 15), "pattern": Pattern(), "push_now": True}
    found = change(house, chosen, Extent(act), start, **changed)
    if found not in every:
        every.append(found)


def _all_approved(house: House) -> None:
    """Whatever may still sound is a start of a schedule that somebody approved, and was not taken off it."""
    with house.ctx.db.read() as session:
        for each in session.scalars(select(Delivery).where(Delivery.state == State.PLANNED, Delivery.end > house.now)):
            broadcast = session.get_one(Broadcast, each.broadcast_id)
            decided = session.scalars(
                select(Approval).where(Approval.broadcast_id == broadcast.id, Approval.revision == each.revision)
            ).one()
            assert decided.approved
            for schedule in (approved_schedule(broadcast), schedule_of(broadcast)):
                assert next(starts(schedule, each.start, each.start + timedelta(seconds=1), VIETNAM)) == each.start


@pytest.mark.requirement("R-045")
def test_a_day_is_copied_as_drafts_that_wait_for_approval(house: House) -> None:
    daily(house, title="Tin sáng", at=time(5, 30), first_day=date(2026, 3, 4))
    daily(house, title="Tin chiều")
    made = copying.copy(house.ctx, house.actor("author"), date(2026, 3, 4), 1, date(2026, 3, 20))
    assert [status(house, each) for each in made] == ["submitted"] * 2
    assert [days(house, each) for each in made] == [[], []]
    for each in made:
        house.approve(each)
    house.clock.set(at(15))
    house.compile()
    assert [days(house, each) for each in made] == [["20 05:30"], ["20 17:00"]]


def test_a_week_of_one_bulletin_is_one_broadcast_with_seven_starts(house: House) -> None:
    daily(house)
    [week] = copying.copy(house.ctx, house.actor("author"), date(2026, 3, 4), 7, date(2026, 3, 18))
    with house.ctx.db.read() as session:
        schedule = schedule_of(session.get_one(Broadcast, week))
    assert list(starts(schedule, NOON, at(30), VIETNAM)) == [at(day) for day in range(18, 25)]


def test_copying_twice_copies_nothing_more(house: House) -> None:
    daily(house)
    author = house.actor("author")
    copying.copy(house.ctx, author, date(2026, 3, 4), 7, date(2026, 3, 18))
    assert [each.there for each in copying.preview_copy(house.ctx, author, date(2026, 3, 4), 7, date(2026, 3, 18))] == [
        True
    ]
    with raises(Refused, "copy.nothing"):
        copying.copy(house.ctx, author, date(2026, 3, 4), 7, date(2026, 3, 18))


def test_what_cannot_be_copied_says_why_and_nothing_is_saved(house: House) -> None:
    daily(house)
    author = house.actor("author")
    for first, length, to, key in (
        (date(2026, 3, 4), 2, date(2026, 3, 18), "copy.days"),
        (date(2026, 3, 4), 1, date(2026, 3, 2), "copy.past"),
        (date(2026, 3, 4), 1, date(2026, 3, 4), "copy.past"),
        (date(2026, 2, 4), 1, date(2026, 3, 18), "copy.nothing"),
    ):
        with raises(Refused, key):
            copying.copy(house.ctx, author, first, length, to)
    with house.ctx.db.read() as session:
        assert len(session.scalars(select(Broadcast)).all()) == 1
