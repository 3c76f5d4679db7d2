"""Which unit may fetch which file."""

from __future__ import annotations

import hashlib
from datetime import timedelta

import pytest
from support.services import HERE, NOON, THERE, House, raises
from support.sirens import typed

from broadcasts.errors import Refused
from broadcasts.wire.alert import AlertKind
from controller.db.tables import Unit
from controller.services import alerting, approving, files

UNIT, FAR = f"u-{HERE}-1", f"u-{THERE}-1"


def fetch(house: House, unit: str = UNIT, secret: str | None = None, asset: str | None = None) -> bytes:
    told = house.secret(unit) if secret is None else secret
    return files.asset_for_unit(house.ctx, unit, told, asset or house.bulletin.sha256).read_bytes()


@pytest.mark.requirement("R-030")
def test_a_unit_fetches_what_its_plan_names_byte_for_byte(house: House) -> None:
    house.on_air()
    house.compile()
    assert hashlib.sha256(fetch(house)).hexdigest() == house.bulletin.sha256


@pytest.mark.requirement("R-084", "R-084")
def test_each_unit_has_its_own_secret_and_one_that_is_revoked_is_out_alone(house: House) -> None:
    house.on_air()
    house.compile()
    for unit, secret in ((UNIT, "wrong"), (UNIT, ""), (UNIT, house.secret(f"u-{HERE}-2")), ("u-nobody", "x")):
        with raises(Refused, "unit.unknown"):
            fetch(house, unit, secret)
    with house.ctx.db.write() as session:
        session.get_one(Unit, UNIT).revoked_at = NOON
    with raises(Refused, "unit.unknown"):
        fetch(house)
    assert fetch(house, f"u-{HERE}-2")


def test_what_no_plan_of_its_own_names_is_not_given_out(house: House) -> None:
    broadcast = house.submit()
    with raises(Refused, "asset.not_yours"):
        fetch(house)
    house.approve(broadcast)
    with raises(Refused, "asset.not_yours"):
        fetch(house)  # approved, and no plan names it yet
    house.compile()
    assert fetch(house)
    with raises(Refused, "asset.not_yours"):
        fetch(house, FAR)
    for name in (house.other.sha256, "0" * 64, "../../etc/passwd"):
        with raises(Refused, "asset.not_yours"):
            fetch(house, asset=name)


def test_what_was_withdrawn_before_it_left_was_never_anybodys(house: House) -> None:
    broadcast = house.on_air()
    approving.withdraw(house.ctx, house.actor("boss"), broadcast)
    house.compile()
    with raises(Refused, "asset.not_yours"):
        fetch(house)


@pytest.mark.parametrize("scope", ["p-94", f"c-{HERE}", UNIT])
def test_an_alert_opens_its_recording_to_the_units_of_its_scope_while_it_stands(house: House, scope: str) -> None:
    content = [("vi", house.other.sha256)]
    word, hour = typed(house.ctx, house.on_duty, scope), timedelta(hours=1)
    alerting.sound(house.ctx, house.on_duty, scope, AlertKind.FLOOD, content, "Nước lên", hour, confirmed=word)
    assert fetch(house, asset=house.other.sha256)
    if scope == "p-94":
        assert fetch(house, FAR, asset=house.other.sha256)
    else:
        with raises(Refused, "asset.not_yours"):
            fetch(house, FAR, asset=house.other.sha256)
    house.clock.advance(3600)
    with raises(Refused, "asset.not_yours"):
        fetch(house, asset=house.other.sha256)


def test_silence_closes_it_again(house: House) -> None:
    content = [("vi", house.other.sha256)]
    alerting.sound(house.ctx, house.on_duty, UNIT, AlertKind.FLOOD, content, "Nước lên", timedelta(hours=1))
    alerting.silence(house.ctx, house.on_duty, UNIT)
    with raises(Refused, "asset.not_yours"):
        fetch(house, asset=house.other.sha256)
