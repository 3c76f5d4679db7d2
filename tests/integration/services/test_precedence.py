"""Two priority bulletins want the same horn: the commune decides, and the plans say so."""

from __future__ import annotations

from datetime import date, time, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from support.services import HERE, THERE, House, raises

from broadcasts.domain import priority
from broadcasts.errors import Refused
from controller.db.tables import Approval, AuditEntry, Broadcast
from controller.services import accounts, approving, composing
from controller.services.precedence import PriorityClash, decide, priority_clashes
from controller.services.rights import Role
from controller.services.seeding import PROVINCE
from controller.services.slots import slot_of

STATION, OTHER_STATION = f"s-{HERE}", f"s-{THERE}"
UNIT = f"u-{HERE}-1"
TOMORROW = {"first_day": date(2026, 3, 4), "at": time(17, 0), "priority": 2}


def above(house: House) -> None:
    """A desk of the province that writes, and one that approves."""
    for name, role in (("upper", Role.BROADCASTER), ("upper-boss", Role.APPROVER)):
        with house.ctx.db.write() as session:
            first = accounts.FirstPassword.make()
            accounts.create_user(house.ctx, session, first, name, name, role, PROVINCE[0], "test")


def handed_down(house: House, **changed: Any) -> str:
    """A priority bulletin of the province for both communes, on air."""
    told = TOMORROW | {"areas": (PROVINCE[0],), "title": "Tỉnh đưa xuống"} | changed
    broadcast = house.submit("upper", **told)
    house.approve(broadcast, "upper-boss")
    return broadcast


def own(house: House, **changed: Any) -> str:
    return house.on_air(**TOMORROW | {"title": "Của xã"} | changed)


def seen(house: House, by: str = "boss") -> list[PriorityClash]:
    return priority_clashes(house.ctx, house.actor(by))


def goes_first(house: House, cluster: str, one: str, two: str) -> str:
    found = [slot_of(each) for name in (one, two) for each in house.deliveries(name) if each.cluster_id == cluster]
    return min(found, key=priority.order).broadcast


@pytest.mark.requirement("R-016")
def test_a_priority_bulletin_from_above_that_meets_one_of_the_commune_is_shown_to_its_approver(house: House) -> None:
    above(house)
    theirs, ours = handed_down(house), own(house)
    [clash] = seen(house)
    assert {clash.winner.broadcast, clash.loser.broadcast} == {theirs, ours}
    assert (clash.station, clash.times, len(clash.clusters), clash.decided) == (STATION, 1, 5, None)
    assert {side.broadcast: side.title for side in (clash.winner, clash.loser)} == {
        theirs: "Tỉnh đưa xuống",
        ours: "Của xã",
    }


@pytest.mark.requirement("R-016")
def test_the_commune_decides_at_its_own_horns_and_nowhere_else(house: House) -> None:
    above(house)
    theirs = handed_down(house)
    ours = own(house, at=time(17, 0, 1))  # the other begins first, so it would win
    foreign = composing.submit(
        house.ctx, house.actor("neighbour"), house.draft(**TOMORROW | {"areas": (f"c-{THERE}",), "at": time(17, 0, 1)})
    )
    house.approve(foreign, "stranger")
    assert goes_first(house, f"cl-{HERE}-1", theirs, ours) == theirs
    assert decide(house.ctx, house.actor("boss"), STATION, ours, theirs, "Lũ đang lên ở xã") == 5
    assert goes_first(house, f"cl-{HERE}-1", theirs, ours) == ours
    assert goes_first(house, f"cl-{THERE}-1", theirs, foreign) == theirs


@pytest.mark.requirement("R-016")
def test_the_decision_is_in_the_plan_and_nothing_has_to_be_approved_again(house: House) -> None:
    above(house)
    theirs, ours = handed_down(house), own(house)
    house.compile()
    before = house.plan(UNIT).version
    decide(house.ctx, house.actor("boss"), STATION, theirs, ours, "Tin của tỉnh khẩn hơn")
    house.compile()
    plan = house.plan(UNIT)
    rank = {item.id: item.rank for item in plan.items}
    assert plan.version > before
    assert [rank[each.id] for name in (theirs, ours) for each in house.deliveries(name) if each.id in rank] == [1, 0]
    with house.ctx.db.read() as session:
        for name in (theirs, ours):
            approval = session.scalars(select(Approval).where(Approval.broadcast_id == name)).one()
            broadcast = session.get_one(Broadcast, name)
            assert broadcast.status == "approved"
            assert approving.content_hash(session, broadcast) == approval.content_sha256


@pytest.mark.requirement("R-016")
def test_who_decided_when_and_why_is_written_down_at_both(house: House) -> None:
    one, two = own(house, title="Một"), own(house, title="Hai")
    decide(house.ctx, house.actor("boss"), STATION, two, one, "  Bão tới  ")
    [clash] = seen(house)
    assert clash.decided is not None
    assert (clash.decided.first, clash.decided.by, clash.decided.at, clash.decided.reason) == (
        two,
        "boss",
        house.now,
        "Bão tới",
    )
    assert clash.winner.broadcast == two
    with house.ctx.db.read() as session:
        lines = session.scalars(select(AuditEntry).where(AuditEntry.act == "priority.decide")).all()
    assert {line.about for line in lines} == {one, two}
    assert {(line.actor, line.detail["first"], line.detail["reason"]) for line in lines} == {("boss", two, "Bão tới")}


def test_what_was_decided_holds_for_starts_that_come_into_being_later(house: House) -> None:
    daily = {"repeat": "daily", "until_day": date(2026, 4, 30)}
    one, two = own(house, title="Một", **daily), own(house, title="Hai", **daily)
    decide(house.ctx, house.actor("boss"), STATION, two, one, "Bão tới")
    house.clock.advance(timedelta(days=5).total_seconds())
    house.compile()
    last = max(each.start for each in house.deliveries(two))
    assert last > house.now + timedelta(days=6)
    assert {each.rank for each in house.deliveries(two)} == {1}
    assert {each.rank for each in house.deliveries(one)} == {0}


def test_decided_anew_the_newer_word_counts(house: House) -> None:
    one, two = own(house, title="Một"), own(house, title="Hai")
    boss = house.actor("boss")
    for first, second in ((two, one), (one, two)):
        decide(house.ctx, boss, STATION, first, second, "Bão tới")
        assert seen(house)[0].winner.broadcast == first


def test_ordinary_bulletins_are_not_asked_about(house: House) -> None:
    own(house, priority=3)
    own(house, priority=3)
    own(house, priority=2)
    assert seen(house) == []


def test_a_decision_that_nobody_may_make_changes_nothing(house: House) -> None:
    one, two = own(house, title="Một"), own(house, title="Hai")
    boss = house.actor("boss")
    with raises(Refused, "no_right"):
        decide(house.ctx, house.actor("author"), STATION, two, one, "Bão tới")
    with raises(Refused, "not_yours"):
        decide(house.ctx, house.actor("stranger"), STATION, two, one, "Bão tới")
    with raises(Refused, "not_yours"):
        decide(house.ctx, boss, OTHER_STATION, two, one, "Bão tới")
    with raises(Refused, "clash.none"):
        decide(house.ctx, house.actor("stranger"), OTHER_STATION, two, one, "Bão tới")
    with raises(Refused, "clash.reason"):
        decide(house.ctx, boss, STATION, two, one, "  ")
    with raises(Refused, "text.long"):
        decide(house.ctx, boss, STATION, two, one, "x" * 501)
    with raises(Refused, "clash.none"):
        decide(house.ctx, boss, STATION, two, two, "Bão tới")
    assert {each.rank for name in (one, two) for each in house.deliveries(name)} == {0}
    assert seen(house, "stranger") == []


def test_inside_the_lock_window_a_decision_needs_push_now(house: House) -> None:
    one, two = own(house, title="Một"), own(house, title="Hai")
    boss = house.actor("boss")
    house.clock.set(house.deliveries(one)[0].start - timedelta(minutes=5))
    with raises(Refused, "time.locked"):
        decide(house.ctx, boss, STATION, two, one, "Bão tới")
    assert decide(house.ctx, boss, STATION, two, one, "Bão tới", push_now=True) == 5


def test_what_no_longer_meets_is_not_shown(house: House) -> None:
    one, two = own(house, title="Một"), own(house, title="Hai")
    approving.withdraw(house.ctx, house.actor("boss"), two)
    assert seen(house) == []
    with raises(Refused, "clash.none"):
        decide(house.ctx, house.actor("boss"), STATION, two, one, "Bão tới")


@pytest.mark.requirement("R-016")
def test_a_priority_bulletin_from_above_goes_before_what_is_ordinary_here(house: House) -> None:
    above(house)
    theirs, ours = handed_down(house), own(house, priority=3, at=time(16, 59, 59))
    assert goes_first(house, f"cl-{HERE}-1", theirs, ours) == theirs
    assert seen(house) == []
