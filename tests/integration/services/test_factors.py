"""The second factor: codes that open once, recovery codes, and what is closed without one."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pyotp
import pytest
from sqlalchemy import select
from support.services import House, raises

from broadcasts.errors import Conflict, Fault, Refused
from controller.db.tables import RecoveryCode, User
from controller.services import accounts, approving, factors
from controller.services.rights import Actor, Right

FRESH = "Mot-cau-de-nho-2026"


def enter(house: House, name: str, code: str = "") -> Actor:
    actor = accounts.who(house.ctx, accounts.log_in(house.ctx, name, FRESH, code))
    assert actor is not None
    return actor


@pytest.fixture
def boss(house: House) -> Actor:
    """An approver with a password of his own and no second factor yet."""
    first = accounts.log_in(house.ctx, "boss", house.passwords["boss"])
    actor = accounts.who(house.ctx, first)
    assert actor is not None
    assert actor.owes == "password"
    accounts.change_password(house.ctx, actor, house.passwords["boss"], FRESH)
    return enter(house, "boss")


def enrol(house: House, actor: Actor) -> tuple[pyotp.TOTP, list[str]]:
    app = pyotp.TOTP(factors.begin(house.ctx, actor).secret)
    return app, factors.confirm(house.ctx, actor, app.at(house.now))


@pytest.mark.requirement("R-115")
def test_an_approver_does_nothing_before_the_second_factor_is_on(house: House, boss: Actor) -> None:
    assert (boss.owes, boss.strong) == ("factor", False)
    broadcast = house.submit()
    seen = house.seen(broadcast)
    with raises(Refused, "second_factor.needed"):
        approving.approve(house.ctx, boss, broadcast, seen)
    with raises(Refused, "second_factor.session"):
        accounts.actor_by_password(house.ctx, "boss", FRESH)
    app, _ = enrol(house, boss)
    house.clock.advance(60)
    strong = enter(house, "boss", app.at(house.now))
    assert (strong.owes, strong.strong) == ("", True)
    approving.approve(house.ctx, strong, broadcast, seen)


@pytest.mark.requirement("R-115")
def test_a_password_alone_opens_nothing_once_there_is_a_code(house: House, boss: Actor) -> None:
    app, _ = enrol(house, boss)
    half = enter(house, "boss")
    assert (half.owes, half.strong) == ("code", False)
    with raises(Refused, "code.wrong"):
        factors.give(house.ctx, half, "000000" if app.at(house.now) != "000000" else "000001")
    with raises(Refused, "code.wrong"):
        factors.give(house.ctx, half, app.at(house.now))  # it confirmed the telephone already
    house.clock.advance(30)
    factors.give(house.ctx, half, app.at(house.now))
    with raises(Conflict, "second_factor.there"):
        factors.begin(house.ctx, half)


def test_a_code_opens_once_and_none_before_it_ever_again(house: House, boss: Actor) -> None:
    app, _ = enrol(house, boss)
    house.clock.advance(120)
    before, now, after = (app.at(house.now + timedelta(seconds=30 * n)) for n in (-1, 0, 1))
    enter(house, "boss", after)
    for spent in (after, now, before):
        with raises(Refused, "code.wrong"):
            enter(house, "boss", spent)
    house.clock.advance(60)
    assert enter(house, "boss", app.at(house.now)).strong


@pytest.mark.parametrize("late", [-61, 61])
def test_a_code_of_more_than_a_step_aside_does_not_count(house: House, boss: Actor, late: int) -> None:
    app, _ = enrol(house, boss)
    house.clock.advance(300)
    with raises(Refused, "code.wrong"):
        enter(house, "boss", app.at(house.now + timedelta(seconds=late)))


@pytest.mark.requirement("R-117")
def test_wrong_codes_lock_like_wrong_passwords(house: House, boss: Actor) -> None:
    app, _ = enrol(house, boss)
    house.clock.advance(60)
    half = enter(house, "boss")
    wrong = str((int(app.at(house.now)) + 333_333) % 1_000_000).zfill(6)
    for key in ["code.wrong"] * 4 + ["login.locked"]:
        with raises(Refused, key):
            factors.give(house.ctx, half, wrong)
    with raises(Refused, "login.locked"):
        factors.give(house.ctx, half, app.at(house.now))
    with raises(Refused, "login.locked"):
        enter(house, "boss", app.at(house.now))


def test_a_right_password_between_does_not_wipe_out_wrong_codes_for_ever(house: House, boss: Actor) -> None:
    """Whoever knows the password must not try codes without end: each log-in alone wins him nothing."""
    app, _ = enrol(house, boss)
    house.clock.advance(60)
    wrong = str((int(app.at(house.now)) + 333_333) % 1_000_000).zfill(6)
    keys = []
    for _ in range(6):
        try:
            half = enter(house, "boss")
            factors.give(house.ctx, half, wrong)
        except Refused as refused:
            keys.append(refused.key)
    assert keys == ["code.wrong"] * 4 + ["login.locked"] * 2


def test_a_recovery_code_opens_once_however_it_is_typed(house: House, boss: Actor) -> None:
    _, codes = enrol(house, boss)
    assert len(set(codes)) == factors.CODES
    assert enter(house, "boss", codes[0].replace("-", " ").upper()).strong
    with raises(Refused, "code.wrong"):
        enter(house, "boss", codes[0])
    with house.ctx.db.read() as session:
        assert factors.codes_left(session, boss.id) == factors.CODES - 1
        stored = session.scalars(select(RecoveryCode.code_sha256)).all()
    assert not {code.replace("-", "") for code in codes} & set(stored)
    fresh = factors.new_codes(house.ctx, enter(house, "boss", codes[1]), codes[2])
    with raises(Refused, "code.wrong"):
        enter(house, "boss", codes[3])
    assert enter(house, "boss", fresh[0]).strong


def test_somebody_elses_recovery_code_opens_nothing(house: House, boss: Actor) -> None:
    _, codes = enrol(house, boss)
    accounts.change_password(house.ctx, house.actor("author"), house.passwords["author"], FRESH)
    author = enter(house, "author")
    enrol(house, author)
    with raises(Refused, "code.wrong"):
        enter(house, "author", codes[0])


@pytest.mark.requirement("R-127")
def test_the_secret_lies_sealed_in_the_database(house: House, boss: Actor) -> None:
    app, _ = enrol(house, boss)
    with house.ctx.db.read() as session:
        sealed = session.get_one(User, boss.id).factor_secret
    assert app.secret not in sealed
    assert house.ctx.keys.unseal(sealed) == app.secret
    with pytest.raises(Fault) as caught:
        house.ctx.keys.unseal(sealed[:-4] + "AAAA")
    assert caught.value.key == "keys.seal"


def test_turning_it_on_ends_the_sessions_that_never_gave_a_code(house: House, boss: Actor) -> None:
    other = accounts.log_in(house.ctx, "boss", FRESH)
    enrol(house, boss)
    assert accounts.who(house.ctx, other) is None


def test_in_a_demo_that_asks_for_no_code_everybody_may_what_his_role_may(house: House, boss: Actor) -> None:
    ctx = replace(house.ctx, people=replace(house.ctx.people, second_factor=False))
    actor = accounts.actor_by_password(ctx, "boss", FRESH)
    assert (actor.owes, actor.strong) == ("", True)
    actor.need(Right.APPROVE)


def test_a_secret_that_was_only_shown_ends_with_the_session_and_with_the_password(house: House, boss: Actor) -> None:
    """Whoever knew the old password may have looked at it: it must not become the second factor of the new one."""
    seen = factors.begin(house.ctx, boss).secret
    assert factors.begin(house.ctx, boss).secret == seen
    again = enter(house, "boss")
    later = factors.begin(house.ctx, again).secret
    assert later != seen
    other = "Mot-cau-khac-de-nho-2026"
    accounts.change_password(house.ctx, again, FRESH, other)
    assert factors.begin(house.ctx, again).secret not in (seen, later)
    with raises(Refused, "code.wrong"):
        factors.confirm(house.ctx, again, pyotp.TOTP(seen).at(house.now))


def test_a_code_that_is_given_again_in_a_session_says_when(house: House, boss: Actor) -> None:
    app, _ = enrol(house, boss)
    begun = house.now
    house.clock.advance(300)
    again = accounts.who(house.ctx, accounts.log_in(house.ctx, "boss", FRESH))
    assert again is not None
    assert (again.strong, again.strong_at) == (False, None)
    token = accounts.log_in(house.ctx, "boss", FRESH, app.at(house.now))
    strong = accounts.who(house.ctx, token)
    assert strong is not None
    assert strong.strong_at == begun + timedelta(seconds=300)
    house.clock.advance(60)
    factors.give(house.ctx, strong, app.at(house.now))
    strong = accounts.who(house.ctx, token)
    assert strong is not None
    assert strong.strong_at == house.now
