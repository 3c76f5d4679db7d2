"""By whose right: lent for a time, the exception of a one-person station, an approval that ends, an emergency's second
word."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from support.relays import a_relay
from support.services import HERE, THERE, House, an_exception, raises

from broadcasts.domain.verdict import Verdict
from broadcasts.errors import Conflict, Refused
from broadcasts.wire.alert import AlertKind
from controller.db.tables import (
    Approval,
    AuditEntry,
    Broadcast,
    Delegation,
    Delivery,
    EmergencyRecording,
    RoleGrant,
    Station,
    User,
)
from controller.services import (
    accounts,
    approving,
    composing,
    delegating,
    emergencies,
    own_exceptions,
    people,
    regulating,
)
from controller.services.alert_calls import Call
from controller.services.regulating import rules_of
from controller.services.rights import Right, Role
from controller.services.targets import Target

COMMUNE, STATION, PROVINCE = f"c-{HERE}", f"s-{HERE}", "p-94"
WEEK = timedelta(days=7)


def add(house: House, name: str, role: Role, area: str) -> None:
    with house.ctx.db.write() as session:
        accounts.create_user(house.ctx, session, accounts.FirstPassword.make(), name, name, role, area, "test")


@pytest.fixture
def admin(house: House) -> str:
    """Looks after the accounts of the whole province."""
    add(house, "quantri", Role.ADMINISTRATOR, PROVINCE)
    return "quantri"


def lend(house: House, to: str = "phatthanh2", **changed: Any) -> str:
    told: dict[str, Any] = {"area": COMMUNE, "since": None, "until": house.now + WEEK, "reason": "Đi họp tỉnh"}
    return delegating.lend(house.ctx, house.actor("boss"), to, **told | changed)


def approval(house: House, broadcast: str) -> Approval:
    with house.ctx.db.read() as session:
        return session.scalars(
            select(Approval).where(Approval.broadcast_id == broadcast).order_by(Approval.revision.desc())
        ).first()  # type: ignore[return-value]


@pytest.fixture
def deputy(house: House) -> str:
    """Writes here, and approves nothing by a right of his own."""
    add(house, "phatthanh2", Role.BROADCASTER, COMMUNE)
    return "phatthanh2"


@pytest.mark.requirement("R-031")
def test_who_was_lent_the_right_approves_in_the_name_of_the_lender_and_the_record_says_so(
    house: House, deputy: str
) -> None:
    broadcast = house.submit()
    with raises(Refused, "no_right"):
        house.approve(broadcast, deputy)
    made = lend(house)
    house.approve(broadcast, deputy)
    found = approval(house, broadcast)
    assert (found.by_id, found.delegation_id, found.exception_id) == (house.actor(deputy).id, made, None)
    with house.ctx.db.read() as session:
        acts = session.execute(
            select(AuditEntry.actor, AuditEntry.act, AuditEntry.area)
            .where(AuditEntry.act.in_(["delegation.lend", "broadcast.approve"]))
            .order_by(AuditEntry.id)
        ).all()
        line = session.scalars(select(AuditEntry).where(AuditEntry.act == "broadcast.approve")).one()
    assert [tuple(each) for each in acts] == [
        ("boss", "delegation.lend", COMMUNE),
        (deputy, "broadcast.approve", COMMUNE),
    ]
    assert line.detail["delegation"] == made


def test_a_right_of_ones_own_is_used_before_a_lent_one(house: House) -> None:
    lend(house, "deputy")
    broadcast = house.submit()
    house.approve(broadcast, "deputy")
    assert approval(house, broadcast).delegation_id is None


@pytest.mark.requirement("R-031")
def test_a_lent_right_reaches_neither_what_the_borrower_nor_what_the_lender_wrote(house: House, deputy: str) -> None:
    lend(house)
    own = house.submit(by=deputy)
    with raises(Refused, "approve.own"):
        house.approve(own, deputy)
    edited = house.submit()
    composing.submit(house.ctx, house.actor(deputy), house.draft(title="Khác"), edited)
    composing.submit(house.ctx, house.actor("author"), house.draft(title="Lại khác"), edited)
    with raises(Refused, "approve.own"):
        house.approve(edited, deputy)
    lenders = house.submit()
    with house.ctx.db.write() as session:
        session.get_one(Broadcast, lenders).author_id = house.actor("boss").id
    with raises(Refused, "approve.lent_own"):
        house.approve(lenders, deputy)
    for broadcast in (own, edited):
        house.approve(broadcast, "boss")
    house.approve(lenders, "deputy")


ENDS: dict[str, Callable[[House, str], object]] = {
    "by itself": lambda house, _: house.clock.advance(WEEK.total_seconds()),
    "taken back": lambda house, made: delegating.take_back(house.ctx, house.actor("boss"), made),
    "the lender has the right no more": lambda house, _: _end_role(house, "boss"),
    "the lender's account is off": lambda house, _: _disable(house, "boss"),
}


def _end_role(house: House, name: str) -> None:
    with house.ctx.db.write() as session:
        for row in session.scalars(select(RoleGrant).where(RoleGrant.user_id == house.actor(name).id)):
            row.until = house.now


def _disable(house: House, name: str) -> None:
    with house.ctx.db.write() as session:
        session.get_one(User, house.actor(name).id).disabled_at = house.now


@pytest.mark.parametrize("how", ENDS)
def test_a_lent_right_ends(house: House, deputy: str, how: str) -> None:
    made = lend(house)
    before = house.actor(deputy)
    assert before.may(Right.APPROVE)
    ENDS[how](house, made)
    assert not house.actor(deputy).may(Right.APPROVE)
    broadcast = house.submit()
    seen = house.seen(broadcast, "deputy")
    with raises(Refused, "delegation.over"):
        approving.approve(house.ctx, before, broadcast, seen)


def test_what_may_not_be_lent(house: House, deputy: str) -> None:
    lend(house)
    borrower = house.actor(deputy)
    with raises(Refused, "delegation.lent"):
        delegating.lend(house.ctx, borrower, "deputy", COMMUNE, None, house.now + WEEK, "x")
    with raises(Conflict, "delegation.there"):
        lend(house)
    wrong: list[tuple[str, dict[str, Any]]] = [
        ("not_yours", {"area": f"c-{THERE}"}),
        ("reason.missing", {"reason": " "}),
        ("delegation.time", {"until": house.now}),
        ("delegation.time", {"until": house.now + timedelta(days=93)}),
        ("delegation.time", {"since": house.now + timedelta(days=93), "until": house.now + timedelta(days=94)}),
        ("delegation.time", {"since": datetime.max.replace(tzinfo=UTC), "until": datetime.max.replace(tzinfo=UTC)}),
        ("delegation.self", {"to": "boss"}),
        ("user.unknown", {"to": "stranger"}),
        ("user.unknown", {"to": "nobody"}),
    ]
    for key, changed in wrong:
        with raises(Refused, key):
            lend(house, **changed)
    with raises(Refused, "no_right"):
        delegating.lend(house.ctx, house.actor("author"), deputy, COMMUNE, None, house.now + WEEK, "x")
    with raises(Refused, "second_factor.needed"):
        weak = replace(house.actor("boss"), strong=False)
        delegating.lend(house.ctx, weak, deputy, COMMUNE, None, house.now + WEEK, "x")


@pytest.mark.requirement("R-032")
def test_a_lent_right_changes_no_regulation(house: House, deputy: str) -> None:
    lend(house)
    borrower = house.actor(deputy)
    with house.ctx.db.read() as session:
        rules = rules_of(session.get_one(Station, STATION))
    assert borrower.may(Right.APPROVE)
    assert not borrower.may(Right.REGULATE)
    for call in (
        lambda by: regulating.weigh(house.ctx, by, STATION, rules),
        lambda by: regulating.change(house.ctx, by, STATION, rules, 1),
    ):
        with raises(Refused, "no_right"):
            call(borrower)
    regulating.weigh(house.ctx, house.actor("boss"), STATION, rules)


@pytest.mark.parametrize("role", [Role.ADMINISTRATOR, Role.AUDITOR])
def test_whoever_watches_over_the_others_borrows_no_approval(house: House, role: Role) -> None:
    add(house, "watcher", role, COMMUNE)
    with raises(Refused, "grant.apart"):
        lend(house, "watcher")
    boss, watcher = house.actor("boss").id, house.actor("watcher").id
    with house.ctx.db.write() as session:  # as if it had been lent before the role was given
        lent = Delegation(
            id="dg-0",
            from_id=boss,
            to_id=watcher,
            area_id=COMMUNE,
            since=house.now,
            until=house.now + WEEK,
            reason="x",
            made_at=house.now,
        )
        session.add(lent)
    assert house.actor("watcher").roles == (role,)


def test_a_right_is_taken_back_by_the_lender_or_an_administrator_and_once(house: House, deputy: str) -> None:
    add(house, "quantri2", Role.ADMINISTRATOR, COMMUNE)
    first, second = lend(house), lend(house, "deputy")
    for name in ("deputy", "stranger", deputy):
        with raises(Refused, "not_yours"):
            delegating.take_back(house.ctx, house.actor(name), first)
    delegating.take_back(house.ctx, house.actor("boss"), first)
    delegating.take_back(house.ctx, house.actor("quantri2"), second)
    with raises(Conflict, "delegation.over"):
        delegating.take_back(house.ctx, house.actor("boss"), first)
    with house.ctx.db.read() as session:
        assert [line.state for line in delegating.every(house.ctx, session, house.actor("boss"))] == ["over", "over"]
        assert session.get_one(Delegation, first).ended_by == "boss"


@pytest.mark.requirement("R-031")
def test_the_exception_comes_from_above_with_a_number_a_reason_and_an_end(house: House, admin: str) -> None:
    add(house, "quantrixa", Role.ADMINISTRATOR, COMMUNE)
    above, until = house.actor(admin), house.now + timedelta(days=30)
    broadcast = house.submit()
    with house.ctx.db.write() as session:
        session.get_one(Broadcast, broadcast).author_id = house.actor("boss").id
    for key, number, reason, end in (
        ("exception.number", " ", "Một cán bộ", until),
        ("reason.missing", "07/QĐ", " ", until),
        ("exception.until", "07/QĐ", "Một cán bộ", house.now),
        ("exception.until", "07/QĐ", "Một cán bộ", house.now + timedelta(days=367)),
    ):
        with raises(Refused, key):
            own_exceptions.give(house.ctx, above, STATION, number, reason, end)
    with raises(Refused, "exception.not_above"):
        own_exceptions.give(house.ctx, house.actor("quantrixa"), STATION, "07/QĐ", "Một cán bộ", until)
    with raises(Refused, "no_right"):
        own_exceptions.give(house.ctx, house.actor("boss"), STATION, "07/QĐ", "Một cán bộ", until)
    made = own_exceptions.give(house.ctx, above, STATION, "07/QĐ", "Một cán bộ", until)
    with raises(Conflict, "exception.there"):
        own_exceptions.give(house.ctx, above, STATION, "08/QĐ", "Một cán bộ", until)
    house.approve(broadcast)
    assert approval(house, broadcast).exception_id == made
    with house.ctx.db.read() as session:
        line = session.scalars(select(AuditEntry).where(AuditEntry.act == "exception.give")).one()
        used = session.scalars(select(AuditEntry).where(AuditEntry.act == "approve.own")).one()
    assert (line.actor, line.area, line.detail["number"]) == ("quantri", COMMUNE, "07/QĐ")
    assert used.detail == {"exception": made}
    own_exceptions.take_back(house.ctx, above, made)
    with raises(Conflict, "exception.over"):
        own_exceptions.take_back(house.ctx, above, made)


@pytest.mark.requirement("R-031")
def test_an_exception_that_ended_allows_nothing_and_that_of_one_station_nothing_at_its_neighbour(house: House) -> None:
    with house.ctx.db.write() as session:
        session.add(an_exception(house, STATION))
    both = composing.submit(house.ctx, house.actor("phatthanh"), house.draft(areas=(COMMUNE, f"c-{THERE}")))
    one = house.submit()
    with house.ctx.db.write() as session:
        session.get_one(Broadcast, both).author_id = house.actor("lanhdao").id
        session.get_one(Broadcast, one).author_id = house.actor("boss").id
    with raises(Refused, "approve.own"):
        house.approve(both, "lanhdao")
    house.clock.advance(timedelta(days=1).total_seconds())
    one = house.submit()
    with house.ctx.db.write() as session:
        session.get_one(Broadcast, one).author_id = house.actor("boss").id
    with raises(Refused, "approve.own"):
        house.approve(one)


def test_a_standing_approval_ends_by_itself_and_nothing_of_it_sounds_afterwards(house: House) -> None:
    broadcast = house.submit(repeat="daily")
    end = house.now + timedelta(days=3)
    boss = house.actor("boss")
    for wrong in (house.now, house.now + timedelta(days=32)):
        with raises(Refused, "approval.end"):
            approving.approve(house.ctx, boss, broadcast, house.seen(broadcast), until=wrong)
    approving.approve(house.ctx, boss, broadcast, house.seen(broadcast), until=end)
    house.compile()
    starts = {item.start for item in house.plan(f"u-{HERE}-1").items}
    assert starts == {house.ms(days=day, hours=2) for day in range(3)}
    over = [each for each in house.deliveries(broadcast) if each.start > end]
    assert over
    assert {(each.verdict, each.reason) for each in over} == {(Verdict.NOT_PLAYED, "approval_over")}
    house.clock.advance(timedelta(days=3, minutes=10).total_seconds())
    house.compile()
    assert house.plan(f"u-{HERE}-1").items == []


def test_a_relay_is_never_approved_without_an_end(house: House) -> None:
    broadcast = house.submit(repeat="daily", **a_relay(house))
    with raises(Refused, "approval.end_missing"):
        house.approve(broadcast)
    until = house.now + timedelta(days=31)
    approving.approve(house.ctx, house.actor("boss"), broadcast, house.seen(broadcast), until=until)
    assert approval(house, broadcast).valid_until == until


def test_a_row_that_nobody_approved_is_in_no_plan_whoever_wrote_it(house: House) -> None:
    """As if something had gone round the services: the compiler asks for the approval itself."""
    approved, waiting = house.on_air(), house.submit()
    with house.ctx.db.write() as session:
        for row in session.scalars(select(Delivery).where(Delivery.broadcast_id == approved)).all():
            told = {name: getattr(row, name) for name in Delivery.__table__.columns.keys()}  # noqa: SIM118
            session.add(Delivery(**told | {"id": f"x-{row.id[:30]}", "broadcast_id": waiting}))
    house.compile()
    named = [item.id for item in house.plan(f"u-{HERE}-1").items]
    assert len(named) == 1
    assert not named[0].startswith("x-")


CALL = Call(AlertKind.FLOOD, Target(areas=(COMMUNE,)), reason="Nước lên", lasts=timedelta(hours=1))


def sounded(house: House) -> str:
    with house.ctx.db.write() as session:
        told = {"kind": AlertKind.FLOOD, "language": "vi", "asset_sha256": house.bulletin.sha256}
        session.add(EmergencyRecording(area_id=COMMUNE, set_at=house.now, set_by="test", **told))
    add(house, "trucban", Role.EMERGENCY, COMMUNE)
    return emergencies.sound(house.ctx, house.actor("trucban"), CALL)


def test_an_emergency_waits_for_the_word_of_a_second_person_and_the_first_cannot_give_it(house: House) -> None:
    alert = sounded(house)
    with house.ctx.db.read() as session:
        for name, count in (("boss", 1), ("trucban", 0), ("stranger", 0), ("author", 0)):
            assert emergencies.waiting(house.ctx, session, house.actor(name)) == count, name
    with raises(Refused, "alert.own"):
        emergencies.confirm(house.ctx, house.actor("trucban"), alert, right=True)
    with raises(Refused, "not_yours"):
        emergencies.confirm(house.ctx, house.actor("stranger"), alert, right=True)
    with raises(Refused, "no_right"):
        emergencies.confirm(house.ctx, house.actor("author"), alert, right=True)
    with raises(Refused, "reason.missing"):
        emergencies.confirm(house.ctx, house.actor("boss"), alert, right=False)
    emergencies.confirm(house.ctx, house.actor("boss"), alert, right=True)
    with raises(Conflict, "alert.confirmed"):
        emergencies.confirm(house.ctx, house.actor("deputy"), alert, right=True)
    with house.ctx.db.read() as session:
        [line] = emergencies.every(house.ctx, session, house.actor("boss"))
        assert (line.by, line.confirmed_by, line.sounds) == ("trucban", "boss", True)
        assert emergencies.waiting(house.ctx, session, house.actor("deputy")) == 0


def test_an_emergency_needs_the_right_the_place_and_the_second_factor(house: House) -> None:
    sounded(house)
    who = house.actor("trucban")
    with raises(Refused, "second_factor.needed"):
        emergencies.sound(house.ctx, replace(who, strong=False), CALL)
    with raises(Refused, "no_right"):
        emergencies.sound(house.ctx, house.actor("boss"), CALL)
    for elsewhere in (f"c-{THERE}", PROVINCE, f"k-{THERE}-1", "nowhere"):
        for target in (Target((elsewhere,)), Target(clusters=(elsewhere,))):
            with raises(Refused, "not_yours"):
                emergencies.sound(house.ctx, who, replace(CALL, target=target))
    with raises(Refused, "not_yours"):
        emergencies.silence(house.ctx, who, scope=PROVINCE)
    assert emergencies.silence(house.ctx, who, scope=COMMUNE) == 1


def test_roles_that_exclude_each_other_meet_only_while_the_exception_holds(house: House, admin: str) -> None:
    head, author = house.actor(admin), house.actor("author")
    own_exceptions.give(house.ctx, head, STATION, "07/QĐ", "Một cán bộ", house.now + timedelta(days=2))
    people.grant(house.ctx, head, author.id, Role.APPROVER, COMMUNE)
    broadcast = house.submit()
    house.approve(broadcast, "author")
    house.clock.advance(timedelta(days=2).total_seconds())
    broadcast = house.submit()
    with raises(Refused, "approve.own"):
        house.approve(broadcast, "author")
    house.approve(broadcast)
