"""Two administrators forget somebody's second factor; one alone only at the machine itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select
from support.services import HERE, House, raises

from broadcasts.errors import Conflict, Refused
from controller.db.tables import AuditEntry, LoginSession, User
from controller.services import accounts, factor_resets, people
from controller.services.rights import Actor, Role
from controller.services.seeding import PROVINCE

COMMUNE = f"c-{HERE}"


def add(house: House, name: str, area: str = PROVINCE[0]) -> Actor:
    first = accounts.FirstPassword.make()
    with house.ctx.db.write() as session:
        accounts.create_user(house.ctx, session, first, name, name, Role.ADMINISTRATOR, area, "test")
    return house.actor(name)


def boss(house: House) -> User:
    with house.ctx.db.read() as session:
        return session.get_one(User, house.actor("boss").id)


@pytest.fixture
def lost(house: House) -> str:
    """The id of an approver with a second factor and an open session, whose telephone is gone."""
    name = house.actor("boss").id
    with house.ctx.db.write() as session:
        user = session.get_one(User, name)
        user.factor_at, user.factor_secret = house.now, "sealed"
        accounts.open_session(house.ctx, session, user, "", house.now)
    return name


@pytest.fixture
def two(house: House) -> tuple[Actor, Actor]:
    return add(house, "mot"), add(house, "hai")


@pytest.mark.requirement("R-115", "R-120")
def test_what_one_proposes_another_one_confirms_and_both_stand_in_the_log(
    house: House, lost: str, two: tuple[Actor, Actor]
) -> None:
    factor_resets.propose(house.ctx, two[0], lost, "mất điện thoại")
    assert boss(house).factor_at is not None
    with raises(Refused, "second_factor.reset_own"):
        factor_resets.confirm(house.ctx, two[0], lost)
    with raises(Conflict, "second_factor.reset_there"):
        factor_resets.propose(house.ctx, two[1], lost, "mất điện thoại")
    with house.ctx.db.read() as session:
        line = people.person(house.ctx, session, two[1], lost)
    assert line.reset is not None
    assert (line.reset.reason, line.reset_by) == ("mất điện thoại", "mot")
    factor_resets.confirm(house.ctx, two[1], lost)
    assert (boss(house).factor_at, boss(house).factor_secret) == (None, "")
    with house.ctx.db.read() as session:
        assert not session.scalars(select(LoginSession).where(LoginSession.ended_at.is_(None))).all()
        told = session.scalars(
            select(AuditEntry).where(AuditEntry.act.startswith("second_factor")).order_by(AuditEntry.id)
        ).all()
    assert [(line.act, line.actor) for line in told] == [
        ("second_factor.forget_asked", "mot"),
        ("second_factor.forget", "hai"),
    ]
    assert told[1].detail == {"reason": "mất điện thoại", "asked_by": "mot"}
    with raises(Conflict, "second_factor.reset_over"):
        factor_resets.confirm(house.ctx, two[1], lost)


def test_a_proposal_lapses_and_can_be_dropped(house: House, lost: str, two: tuple[Actor, Actor]) -> None:
    factor_resets.propose(house.ctx, two[0], lost, "mất điện thoại")
    factor_resets.drop(house.ctx, two[0], lost)
    with raises(Conflict, "second_factor.reset_over"):
        factor_resets.confirm(house.ctx, two[1], lost)
    factor_resets.propose(house.ctx, two[0], lost, "mất điện thoại")
    house.clock.advance(timedelta(hours=24).total_seconds())
    with raises(Conflict, "second_factor.reset_over"):
        factor_resets.confirm(house.ctx, house.actor("hai"), lost)
    assert boss(house).factor_at is not None


@pytest.mark.requirement("R-120")
def test_the_proposal_of_somebody_who_could_make_it_no_more_is_worth_nothing(
    house: House, lost: str, two: tuple[Actor, Actor]
) -> None:
    factor_resets.propose(house.ctx, two[0], lost, "mất điện thoại")
    people.disable(house.ctx, two[1], two[0].id, "tài khoản bị chiếm")
    with raises(Conflict, "second_factor.reset_over"):
        factor_resets.confirm(house.ctx, two[1], lost)
    assert boss(house).factor_at is not None


def test_who_may_not_proposes_nothing(house: House, lost: str, two: tuple[Actor, Actor]) -> None:
    first, _ = two
    below = add(house, "xa", COMMUNE)
    wrong: list[tuple[Actor, str, str, str]] = [
        (first, lost, " ", "reason.missing"),
        (first, house.actor("author").id, "mất", "second_factor.none"),
        (first, first.id, "mất", "people.self"),
        (house.actor("deputy"), lost, "mất", "no_right"),
        (replace(first, strong=False), lost, "mất", "second_factor.needed"),
        (replace(first, strong_at=house.now - timedelta(minutes=16)), lost, "mất", "second_factor.again"),
    ]
    for actor, who, reason, key in wrong:
        with raises(Refused, key):
            factor_resets.propose(house.ctx, actor, who, reason)
    people.grant(house.ctx, first, lost, Role.EMERGENCY, PROVINCE[0])
    with raises(Refused, "people.wider"):
        factor_resets.propose(house.ctx, below, lost, "mất")
    factor_resets.propose(house.ctx, first, lost, "mất")
    for act in (factor_resets.confirm, factor_resets.drop):
        with raises(Refused, "people.wider"):
            act(house.ctx, below, lost)
    with raises(Refused, "second_factor.again"):
        factor_resets.confirm(house.ctx, replace(two[1], strong_at=house.now - timedelta(minutes=16)), lost)


@pytest.mark.requirement("R-120")
def test_alone_it_is_done_only_at_the_machine_and_only_where_there_are_no_two(house: House, lost: str) -> None:
    only = add(house, "mot")
    with raises(Refused, "second_factor.alone"):
        factor_resets.propose(house.ctx, only, lost, "mất điện thoại")
    second = add(house, "hai")
    with raises(Refused, "second_factor.two"), house.ctx.db.write() as session:
        factor_resets.alone(house.ctx, session, session.get_one(User, lost), "mất điện thoại", "terminal")
    people.disable(house.ctx, only, second.id, "nghỉ việc")
    with house.ctx.db.write() as session:
        factor_resets.alone(house.ctx, session, session.get_one(User, lost), "mất điện thoại", "terminal")
    assert boss(house).factor_at is None
    with house.ctx.db.read() as session:
        line = session.scalars(select(AuditEntry).where(AuditEntry.act == "second_factor.forget")).one()
    assert (line.actor, line.detail["administrators"]) == ("terminal", 1)


def test_who_cannot_come_is_no_second_administrator(house: House, lost: str) -> None:
    """Whoever never took up the invitation, did not log in for long, looks after another commune, or lost the telephone
    himself."""
    only = add(house, "mot")
    people.invite(house.ctx, only, "chua.den", "Chưa đến", Role.ADMINISTRATOR, PROVINCE[0])
    add(house, "xa.khac", "c-31618")
    fallow = add(house, "lau.roi")
    with house.ctx.db.write() as session:
        session.get_one(User, fallow.id).created_at = house.now - timedelta(days=46)
    with house.ctx.db.read() as session:
        user = session.get_one(User, lost)
        assert [one.name for one in factor_resets.administrators(house.ctx, session, user, house.now)] == ["mot"]
        found = factor_resets.administrators(house.ctx, session, session.get_one(User, only.id), house.now)
        assert [one.name for one in found] == []
