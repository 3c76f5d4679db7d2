"""Four eyes: nothing goes on air before somebody else said yes to exactly this."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import date, time, timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import func, select
from support.services import HERE, NOON, THERE, House, an_exception, raises

from broadcasts.domain.delivery import State
from broadcasts.domain.verdict import Verdict
from broadcasts.errors import Conflict, LoaError, Refused
from controller.db.tables import Approval, AuditEntry, Broadcast, Cluster, Delivery, Station, UnitPlan
from controller.services import approving, composing


def status(house: House, broadcast: str) -> str:
    with house.ctx.db.read() as session:
        return session.get_one(Broadcast, broadcast).status


def log(house: House, broadcast: str) -> list[tuple[str, str]]:
    with house.ctx.db.read() as session:
        lines = session.scalars(select(AuditEntry).where(AuditEntry.about == broadcast).order_by(AuditEntry.id))
        return [(line.actor, line.act) for line in lines]


def at_once(*acts: Callable[[], Any]) -> list[object]:
    """What each of them came to (its exception, or none), begun as nearly together as threads can."""
    gate = threading.Barrier(len(acts))
    came: list[object] = ["never ended"] * len(acts)

    def run(number: int, act: Callable[[], Any]) -> None:
        gate.wait(10)
        try:
            act()
            came[number] = None
        except LoaError as failure:
            came[number] = failure.key

    threads = [threading.Thread(target=run, args=(number, act)) for number, act in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return came


@pytest.mark.requirement("R-029")
def test_nothing_is_planned_before_an_approver_said_yes(house: House) -> None:
    broadcast = house.submit()
    house.compile()
    assert house.deliveries(broadcast) == []
    assert house.plan(f"u-{HERE}-1").items == []
    house.approve(broadcast)
    assert status(house, broadcast) == "approved"
    assert {delivery.state for delivery in house.deliveries(broadcast)} == {State.PLANNED}
    house.compile()
    assert [item.asset for item in house.plan(f"u-{HERE}-1").items] == [house.bulletin.sha256]


EDITS: list[dict[str, Any]] = [
    {"title": "Khác"},
    {"text": "Khác"},
    {"field": 2},
    {"language": "km"},
    {"asset": "other"},
    {"areas": (), "clusters": (f"cl-{HERE}-1",)},
    {"at": time(15, 0)},
    {"first_day": date(2026, 3, 4)},
    {"repeat": "daily"},
    {"priority": 2},
    {"volume": 40},
    {"late": "shift"},
    {"on_preempt": "drop"},
]


@pytest.mark.requirement("R-029")
def test_any_edit_voids_the_approval_and_what_was_looked_at_can_no_longer_be_approved(house: House) -> None:
    author, boss = house.actor("author"), house.actor("boss")
    for changed in EDITS:
        told = {"asset": house.other.sha256} if "asset" in changed else changed
        broadcast = house.submit()
        seen = house.seen(broadcast)
        composing.submit(house.ctx, author, house.draft(**told), broadcast)
        with raises(Conflict, "broadcast.changed"):
            approving.approve(house.ctx, boss, broadcast, seen)
        house.approve(broadcast)
        composing.submit(house.ctx, author, house.draft(), broadcast)
        assert status(house, broadcast) == "submitted", changed
        assert {each.state for each in house.deliveries(broadcast)} == {State.WITHDRAWN}, changed
    house.compile()
    assert house.plan(f"u-{HERE}-1").items == []


@pytest.mark.requirement("R-030")
def test_the_record_names_author_approver_times_and_the_checksum_that_the_plan_repeats(house: House) -> None:
    broadcast = house.submit()
    seen = house.seen(broadcast)
    house.clock.advance(60)
    house.approve(broadcast)
    with house.ctx.db.read() as session:
        row = session.get_one(Broadcast, broadcast)
        approval = session.scalars(select(Approval)).one()
        asset = approving.draft_of(session, row).asset
    assert row.created_at == NOON
    assert (approval.by_id, approval.at, approval.approved) == (
        house.actor("boss").id,
        NOON + timedelta(seconds=60),
        True,
    )
    assert row.author_id == house.actor("author").id
    assert approval.content_sha256 == seen
    house.compile()
    assert [item.asset for item in house.plan(f"u-{HERE}-1").items] == [asset] == [house.bulletin.sha256]


@pytest.mark.requirement("R-031")
def test_nobody_approves_his_own_unless_the_station_has_the_exception_and_then_it_is_logged(house: House) -> None:
    broadcast = house.submit()
    with house.ctx.db.write() as session:
        session.get_one(Broadcast, broadcast).author_id = house.actor("boss").id
    with raises(Refused, "approve.own"):
        house.approve(broadcast)
    assert status(house, broadcast) == "submitted"
    with house.ctx.db.write() as session:
        session.add(an_exception(house, f"s-{HERE}"))
    house.approve(broadcast)
    assert log(house, broadcast)[-2:] == [("boss", "approve.own"), ("boss", "broadcast.approve")]


@pytest.mark.requirement("R-008")
def test_a_user_of_another_commune_can_neither_look_decide_stop_nor_edit(house: House) -> None:
    broadcast = house.submit()
    stranger, neighbour = house.actor("stranger"), house.actor("neighbour")
    seen = house.seen(broadcast)
    acts: list[Callable[[], Any]] = [
        lambda: approving.look_at(house.ctx, stranger, broadcast),
        lambda: approving.approve(house.ctx, stranger, broadcast, seen),
        lambda: approving.reject(house.ctx, stranger, broadcast, seen, "không"),
        lambda: approving.withdraw(house.ctx, stranger, broadcast),
        lambda: approving.withdraw(house.ctx, neighbour, broadcast),
        lambda: composing.submit(house.ctx, neighbour, house.draft(areas=(f"c-{THERE}",)), broadcast),
    ]
    for act in acts:
        with raises(Refused, "not_yours"):
            act()
    with house.ctx.db.read() as session:
        assert list(approving.waiting(session, stranger)) == []
        assert [each.id for each in approving.waiting(session, house.actor("boss"))] == [broadcast]
    assert status(house, broadcast) == "submitted"


def test_nobody_decides_for_poles_of_a_station_that_is_not_his(house: House) -> None:
    """A sender of the province may aim at two communes at once; the head of one of them decides for one only."""
    draft = house.draft(areas=(f"c-{HERE}", f"c-{THERE}"))
    broadcast = composing.submit(house.ctx, house.actor("phatthanh"), draft)
    for name in ("boss", "stranger"):
        with raises(Refused, "not_yours"):
            approving.approve(house.ctx, house.actor(name), broadcast, house.seen(broadcast, "lanhdao"))
        with house.ctx.db.read() as session:
            assert list(approving.waiting(session, house.actor(name))) == []
    house.approve(broadcast, "lanhdao")
    assert len(house.deliveries(broadcast)) == 10


def test_of_two_who_decide_at_once_exactly_one_wins_and_the_other_is_told(house: House) -> None:
    for _ in range(5):
        broadcast = house.submit()
        seen = house.seen(broadcast)
        boss, deputy = house.actor("boss"), house.actor("deputy")
        came = at_once(
            partial(approving.approve, house.ctx, boss, broadcast, seen),
            partial(approving.approve, house.ctx, deputy, broadcast, seen),
            partial(approving.reject, house.ctx, deputy, broadcast, seen, "không"),
        )
        assert sorted(map(str, came)) == ["None", "broadcast.decided", "broadcast.decided"]
        with house.ctx.db.read() as session:
            decisions = session.scalars(select(Approval).where(Approval.broadcast_id == broadcast)).all()
        assert len(decisions) == 1
        assert status(house, broadcast) == ("approved" if decisions[0].approved else "rejected")
        assert len(house.deliveries(broadcast)) == (5 if decisions[0].approved else 0)


def test_an_edit_and_an_approval_at_once_never_put_the_unseen_on_the_air(house: House) -> None:
    for _ in range(5):
        broadcast = house.submit()
        seen = house.seen(broadcast)
        boss, author, changed = house.actor("boss"), house.actor("author"), house.draft(title="Khác")
        came = at_once(
            partial(approving.approve, house.ctx, boss, broadcast, seen),
            partial(composing.submit, house.ctx, author, changed, broadcast),
        )
        assert came[1] is None
        assert came[0] in (None, "broadcast.changed")
        assert status(house, broadcast) == "submitted"
        assert {each.state for each in house.deliveries(broadcast)} <= {State.WITHDRAWN}


def test_a_rejection_needs_a_reason_and_keeps_it(house: House) -> None:
    broadcast = house.submit()
    seen, boss = house.seen(broadcast), house.actor("boss")
    for empty in ("", "  \n"):
        with raises(Refused, "reason.missing"):
            approving.reject(house.ctx, boss, broadcast, seen, empty)
    approving.reject(house.ctx, boss, broadcast, seen, " Sai ngày ")
    with house.ctx.db.read() as session:
        assert session.scalars(select(Approval.reason)).one() == "Sai ngày"
    assert status(house, broadcast) == "rejected"
    with raises(Conflict, "broadcast.decided"):
        approving.approve(house.ctx, boss, broadcast, seen)
    house.compile()
    assert house.plan(f"u-{HERE}-1").items == []


@pytest.mark.requirement("R-032")
def test_hours_that_changed_since_the_submission_stop_the_approval(house: House) -> None:
    broadcast = house.submit()
    with house.ctx.db.write() as session:
        session.get_one(Station, f"s-{HERE}").hours = [[300, 720]]
    with raises(Refused, "time.quiet"):
        house.approve(broadcast)
    assert status(house, broadcast) == "submitted"


@pytest.mark.requirement("R-032")
def test_hours_that_changed_since_the_approval_close_the_occurrence_with_its_reason(house: House) -> None:
    broadcast = house.on_air(repeat="daily")
    with house.ctx.db.write() as session:
        session.get_one(Station, f"s-{HERE}").hours = [[300, 720]]
    house.clock.advance(3 * 86_400)
    house.compile()
    made_since = [each for each in house.deliveries(broadcast) if each.start > NOON + timedelta(days=8)]
    assert len(made_since) == 15
    assert {(each.state, each.verdict, each.reason) for each in made_since} == {
        (State.WITHDRAWN, Verdict.NOT_PLAYED, "quiet_hours")
    }


def test_an_approval_that_comes_too_late_is_refused(house: House) -> None:
    broadcast = house.submit()
    seen, boss = house.seen(broadcast), house.actor("boss")
    house.clock.set(NOON + timedelta(hours=1, minutes=51))
    with raises(Refused, "time.locked"):
        approving.approve(house.ctx, boss, broadcast, seen)
    house.clock.set(NOON + timedelta(hours=2))
    with raises(Refused, "time.past"):
        approving.approve(house.ctx, boss, broadcast, seen)


def test_what_would_have_started_before_the_approval_never_comes_into_being(house: House) -> None:
    broadcast = house.submit(repeat="daily")
    house.clock.advance(30 * 3600)
    house.approve(broadcast)
    assert min(each.start for each in house.deliveries(broadcast)) == NOON + timedelta(days=2, hours=2)


def test_push_now_brings_a_start_in_two_minutes_on_the_air(house: House) -> None:
    broadcast = house.submit(at=time(12, 2), push_now=True)
    house.clock.advance(30)
    house.approve(broadcast)
    assert len(house.deliveries(broadcast)) == 5


def test_a_withdrawal_stops_what_has_not_ended_and_what_was_never_sent_is_closed_at_once(house: House) -> None:
    broadcast = house.on_air(repeat="daily")
    house.compile()
    with house.ctx.db.read() as session:
        named = session.scalar(select(func.count()).select_from(Delivery).where(Delivery.plan_version.is_not(None)))
    assert approving.withdraw(house.ctx, house.actor("author"), broadcast) == 40
    found = house.deliveries(broadcast)
    assert {each.state for each in found} == {State.WITHDRAWN}
    assert named == 35
    assert sum(each.verdict is None for each in found) == named
    assert {each.reason for each in found if each.verdict is not None} == {"withdrawn"}
    house.compile()
    assert house.plan(f"u-{HERE}-1").items == []
    with raises(Conflict, "broadcast.decided"):
        approving.withdraw(house.ctx, house.actor("boss"), broadcast)
    with raises(Conflict, "broadcast.changed"):
        composing.submit(house.ctx, house.actor("author"), house.draft(), broadcast)


def test_a_withdrawal_reaches_what_may_still_begin_late(house: House) -> None:
    broadcast = house.on_air(late="shift")
    house.clock.set(NOON + timedelta(hours=2, minutes=30))
    assert approving.withdraw(house.ctx, house.actor("author"), broadcast) == 5
    assert {each.state for each in house.deliveries(broadcast)} == {State.WITHDRAWN}


def test_a_withdrawal_leaves_alone_what_is_over(house: House) -> None:
    broadcast = house.on_air()
    house.clock.set(NOON + timedelta(hours=2, minutes=30))
    assert approving.withdraw(house.ctx, house.actor("author"), broadcast) == 0


def test_only_an_approver_decides(house: House) -> None:
    broadcast = house.submit()
    seen = house.seen(broadcast)
    for name in ("author", "kythuat", "tinh"):
        with raises(Refused, "no_right"):
            approving.approve(house.ctx, house.actor(name), broadcast, seen)
        with raises(Refused, "no_right"):
            approving.reject(house.ctx, house.actor(name), broadcast, seen, "không")


def test_an_approval_marks_the_plans_concerned_and_no_others_and_wakes_the_compiler(house: House) -> None:
    house.submit()
    house.compile()
    house.compile()
    broadcast = house.submit(areas=(), clusters=(f"cl-{HERE}-2",))
    house.woken.clear()
    house.approve(broadcast)
    assert house.woken == [NOON]
    with house.ctx.db.read() as session:
        marked = session.scalars(select(UnitPlan.unit_id).where(UnitPlan.dirty_since.is_not(None))).all()
    assert marked == [f"u-{HERE}-2"]


def test_a_cluster_without_a_unit_is_told_at_once_as_not_played(house: House) -> None:
    with house.ctx.db.write() as session:
        session.add(Cluster(id="cl-bare", station_id=f"s-{HERE}", name="Chưa lắp", added_at=NOON))
    broadcast = house.on_air(areas=(), clusters=("cl-bare",))
    [delivery] = house.deliveries(broadcast)
    assert (delivery.state, delivery.verdict, delivery.reason) == (State.WITHDRAWN, Verdict.NOT_PLAYED, "no_unit")
