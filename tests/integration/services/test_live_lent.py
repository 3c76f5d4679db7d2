"""A right to approve that was lent, and live voices: what a deputy decides, and what nobody decides by it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select
from support.live_studio import Studio
from support.office import PROVINCE
from support.services import raises

from broadcasts.errors import Refused
from controller.db.tables import AuditEntry, RoleGrant, User
from controller.services import delegating, live_sessions
from controller.services.rights import Actor, Role

DEPUTY = "nguoi-khac"
"""Writes in the commune, and approves nothing by a right of his own."""


@pytest.fixture
def lent(studio: Studio) -> str:
    """What the approver lent to the deputy, for a week."""
    until = studio.clock.now() + timedelta(days=7)
    return delegating.lend(studio.ctx, studio.approver, DEPUTY, studio.house.commune, None, until, "Đi họp tỉnh")


def also(studio: Studio, name: str, role: Role, area: str) -> Actor:
    """This account with one more role."""
    now = studio.clock.now()
    with studio.ctx.db.write() as session:
        user = session.scalars(select(User).where(User.name == name)).one()
        session.add(RoleGrant(user_id=user.id, role=role, area_id=area, since=now, granted_by="test"))
    return studio.house.actor(name)


def decided(studio: Studio, name: str) -> AuditEntry:
    with studio.ctx.db.read() as session:
        return session.scalars(
            select(AuditEntry).where(AuditEntry.about == name, AuditEntry.act == "live.decide")
        ).one()


def asked(studio: Studio) -> str:
    return live_sessions.ask(studio.ctx, studio.author, studio.wish(chime=""))


def spoken(studio: Studio, officer: Actor) -> str:
    """An emergency in the commune that is on air."""
    name = live_sessions.declare(studio.ctx, officer, studio.emergency(areas=(studio.house.commune,)))
    live_sessions.begin(studio.ctx, officer, name, studio.room)
    studio.room.turn()
    return name


@pytest.mark.requirement("R-031")
def test_a_deputy_approves_a_voice_in_the_name_of_the_lender_and_the_record_says_so(studio: Studio, lent: str) -> None:
    name = asked(studio)
    live_sessions.decide(studio.ctx, studio.house.actor(DEPUTY), name, yes=True)
    row = studio.row(name)
    assert (row.state, row.delegation_id, row.exception_id) == ("approved", lent, None)
    line = decided(studio, name)
    assert (line.actor, line.detail["lent"]) == (DEPUTY, lent)
    studio.begin(name)
    assert studio.row(name).state == "on_air"


def test_without_the_lent_right_the_same_person_decides_nothing(studio: Studio) -> None:
    with raises(Refused, "no_right"):
        live_sessions.decide(studio.ctx, studio.house.actor(DEPUTY), asked(studio), yes=True)


def test_nobody_approves_the_voice_that_he_asked_for_by_a_lent_right(studio: Studio, lent: str) -> None:
    deputy = studio.house.actor(DEPUTY)
    name = live_sessions.ask(studio.ctx, deputy, studio.wish())
    with raises(Refused, "approve.own"):
        live_sessions.decide(studio.ctx, deputy, name, yes=True)
    assert studio.row(name).state == "asked"
    live_sessions.decide(studio.ctx, deputy, name, yes=False, note="Tôi không cần nữa")
    assert studio.row(name).state == "rejected", "to reject needs no second pair of eyes"


def test_what_the_lender_asked_for_is_not_approved_in_his_name(studio: Studio, lent: str) -> None:
    lender = also(studio, "lanhdao", Role.BROADCASTER, studio.house.commune)
    name = live_sessions.ask(studio.ctx, lender, studio.wish())
    with raises(Refused, "approve.lent_own"):
        live_sessions.decide(studio.ctx, studio.house.actor(DEPUTY), name, yes=True)
    assert studio.row(name).state == "asked"


def test_a_voice_that_also_sounds_beyond_the_lent_area_is_not_the_deputys_to_approve(studio: Studio, lent: str) -> None:
    author = also(studio, "phatthanh", Role.BROADCASTER, PROVINCE[0])
    name = live_sessions.ask(studio.ctx, author, studio.wish(areas=(PROVINCE[0],)))
    with raises(Refused, "not_yours"):
        live_sessions.decide(studio.ctx, studio.house.actor(DEPUTY), name, yes=True)


def test_a_right_that_was_taken_back_while_the_page_was_open_decides_nothing(studio: Studio, lent: str) -> None:
    name, deputy = asked(studio), studio.house.actor(DEPUTY)
    studio.clock.advance(1)
    delegating.take_back(studio.ctx, studio.house.actor("lanhdao"), lent)
    with raises(Refused, "delegation.over"):
        live_sessions.decide(studio.ctx, deputy, name, yes=True)
    with raises(Refused, "no_right"):
        live_sessions.decide(studio.ctx, studio.house.actor(DEPUTY), name, yes=True)


def test_who_approved_by_a_lent_right_does_not_speak_for_the_author(studio: Studio, lent: str) -> None:
    name, deputy = asked(studio), studio.house.actor(DEPUTY)
    live_sessions.decide(studio.ctx, deputy, name, yes=True)
    with raises(Refused, "not_yours"):
        live_sessions.begin(studio.ctx, deputy, name, studio.room)


@pytest.mark.requirement("R-031")
def test_a_deputy_confirms_the_emergency_of_another_officer_and_nobody_his_own(studio: Studio, lent: str) -> None:
    deputy = studio.house.actor(DEPUTY)
    live_sessions.confirm(studio.ctx, deputy, spoken(studio, studio.officer), right=True)
    both = also(studio, DEPUTY, Role.EMERGENCY, studio.house.commune)
    own = spoken(studio, both)
    with raises(Refused, "alert.own"):
        live_sessions.confirm(studio.ctx, both, own, right=True)
    assert studio.row(own).confirmed_at is None


def test_the_emergency_that_the_lender_spoke_is_not_confirmed_in_his_name(studio: Studio, lent: str) -> None:
    lender = also(studio, "lanhdao", Role.EMERGENCY, studio.house.commune)
    name = spoken(studio, lender)
    with raises(Refused, "alert.lent_own"):
        live_sessions.confirm(studio.ctx, studio.house.actor(DEPUTY), name, right=True)
    with raises(Refused, "alert.own"):
        live_sessions.confirm(studio.ctx, lender, name, right=True)
    live_sessions.confirm(studio.ctx, studio.officer, name, right=True)
    assert studio.row(name).confirmed_right is True
