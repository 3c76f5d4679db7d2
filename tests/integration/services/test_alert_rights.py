"""Who may sound and silence an emergency: the right there, and a second factor given just now."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pyotp
import pytest
from sqlalchemy import select
from support.services import HERE, THERE, House, raises
from support.sirens import typed

from broadcasts.errors import Refused
from broadcasts.wire.alert import AlertKind
from controller.db.tables import AuditEntry, StandingAlert, User
from controller.services import accounts, alerting, emergency_set, factors
from controller.services.rights import STRONG, Actor, Right, Role
from controller.services.seeding import PROVINCE

COMMUNE, OTHER = f"c-{HERE}", f"c-{THERE}"
FRESH = "Mot-cau-de-nho-2026"
LASTS = timedelta(minutes=10)


@pytest.fixture
def officer(house: House) -> Actor:
    """May sound emergencies in one commune."""
    first = accounts.FirstPassword.make()
    with house.ctx.db.write() as session:
        accounts.create_user(house.ctx, session, first, "truc", "Trực ban", Role.EMERGENCY, COMMUNE, "test")
    return house.actor("truc")


@pytest.fixture
def inside(house: House, officer: Actor) -> tuple[str, pyotp.TOTP]:
    """The officer's session, in which a code was given a minute ago, and his telephone."""
    with house.ctx.db.write() as session:
        user = session.get_one(User, officer.id)
        user.password_hash, user.must_change = accounts.hash_of(FRESH), False
    first = accounts.who(house.ctx, accounts.log_in(house.ctx, "truc", FRESH))
    assert first is not None
    app = pyotp.TOTP(factors.begin(house.ctx, first).secret)
    factors.confirm(house.ctx, first, app.at(house.now))
    house.clock.advance(60)
    token = accounts.log_in(house.ctx, "truc", FRESH, app.at(house.now))
    house.clock.advance(60)
    return token, app


def sound(house: House, actor: Actor, scope: str = COMMUNE) -> str:
    content = [("vi", house.bulletin.sha256)]
    try:
        word = typed(house.ctx, house.on_duty, scope)
    except Refused:  # no such place
        word = ""
    return alerting.sound(house.ctx, actor, scope, AlertKind.FLOOD, content, "Nước lên", LASTS, confirmed=word)


def standing(house: House) -> list[str]:
    with house.ctx.db.read() as session:
        return list(session.scalars(select(StandingAlert.id).where(StandingAlert.silenced_at.is_(None))))


@pytest.mark.parametrize("name", ["author", "boss", "tinh", "kythuat"])
def test_no_other_role_sounds_or_silences_an_emergency(house: House, name: str) -> None:
    alert = sound(house, house.on_duty)
    for act in (sound, lambda house, actor: alerting.silence(house.ctx, actor, COMMUNE)):
        with raises(Refused, "no_right"):
            act(house, house.actor(name))
    with raises(Refused, "no_right"):
        emergency_set.sound(house.ctx, house.actor(name), COMMUNE, AlertKind.STORM, "Bão", LASTS)
    assert standing(house) == [alert]


def test_an_emergency_sounds_only_where_its_officer_is_on_duty(house: House, officer: Actor) -> None:
    sound(house, officer)
    sound(house, officer, f"u-{HERE}-1")
    sound(house, house.on_duty, OTHER)
    for elsewhere in (OTHER, PROVINCE[0], f"u-{THERE}-1", "nowhere", ""):
        with raises(Refused, "not_yours"):
            sound(house, officer, elsewhere)
        with raises(Refused, "not_yours"):
            alerting.silence(house.ctx, officer, elsewhere)
    assert len(standing(house)) == 3


def test_an_emergency_asks_for_a_code_that_was_given_just_now(house: House, inside: tuple[str, pyotp.TOTP]) -> None:
    token, app = inside

    def actor() -> Actor:
        found = accounts.who(house.ctx, token)
        assert found is not None
        return found

    with raises(Refused, "second_factor.needed"):
        sound(house, replace(actor(), strong=False, strong_at=None))
    sound(house, actor())
    for _ in range(2):
        house.clock.advance(10 * 60)
        actor()
    with raises(Refused, "second_factor.again"):
        sound(house, actor())
    assert alerting.silence(house.ctx, actor(), COMMUNE) == 0
    factors.give(house.ctx, actor(), app.at(house.now))
    sound(house, actor())


def test_whoever_locks_an_account_from_outside_does_not_silence_the_officer_on_duty(
    house: House, inside: tuple[str, pyotp.TOTP]
) -> None:
    token, app = inside
    for _ in range(5):
        with pytest.raises(Refused):
            accounts.log_in(house.ctx, "truc", "wrong")
    with raises(Refused, "login.locked"):
        accounts.log_in(house.ctx, "truc", FRESH, app.at(house.now))
    house.clock.advance(30)
    actor = accounts.who(house.ctx, token)
    assert actor is not None
    factors.give(house.ctx, actor, app.at(house.now))
    with raises(Refused, "login.locked"):
        accounts.log_in(house.ctx, "truc", FRESH)
    with raises(Refused, "login.locked"):
        factors.give(house.ctx, actor, "000000")
    assert accounts.who(house.ctx, token) is None


def test_who_was_stopped_from_sounding_an_emergency_stands_in_the_log(house: House, officer: Actor) -> None:
    with raises(Refused, "not_yours"):
        sound(house, officer, OTHER)
    with house.ctx.db.read() as session:
        line = session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc()).limit(1)).one()
    assert (line.act, line.actor, line.about, line.area) == ("alert.sound.refused", "truc", OTHER, OTHER)
    assert line.detail == {"rule": "not_yours"}


def test_what_poles_hold_for_emergencies_and_what_they_install_needs_a_second_factor() -> None:
    assert {Right.ALERT, Right.PRELOAD, Right.UPKEEP} <= STRONG
