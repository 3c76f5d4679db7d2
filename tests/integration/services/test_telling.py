"""Numbers of units that said nothing else are written without a look at what is known of them."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from support.services import HERE, NOON, House
from support.voices import Voice

from broadcasts.clock import unix_ms
from broadcasts.wire.base import Message
from broadcasts.wire.status import PowerSource, Telemetry
from controller.db.tables import UnitStatus
from controller.services import ingesting
from controller.services.heard import Heard

FIRST, SECOND = f"u-{HERE}-1", f"u-{HERE}-2"
MINUTE = timedelta(minutes=1)


def numbers(unit: str, volts: float) -> Telemetry:
    return Telemetry(
        unit=unit, at=unix_ms(NOON), power=PowerSource.MAINS, volts=volts, temperature_c=30.0, signal_dbm=-80,
        storage_free_mb=900, amplifier_ma=0, volume=70,
    )  # fmt: skip


def said(message: Message, unit: str, at: datetime, *, retained: bool = False) -> Heard:
    return Heard(unit, message, at, retained, signed=False)


def take_in(house: House, *heard: Heard) -> None:
    with house.ctx.db.write() as session:
        ingesting.apply(session, heard)


def status(house: House, unit: str) -> UnitStatus:
    with house.ctx.db.read() as session:
        return session.get_one(UnitStatus, unit)


def test_the_last_numbers_of_each_unit_stand_and_it_was_there_then(house: House) -> None:
    later, last = NOON + MINUTE, NOON + 2 * MINUTE
    take_in(
        house,
        said(numbers(FIRST, 11.0), FIRST, NOON),
        said(numbers(SECOND, 12.0), SECOND, later),
        said(numbers(FIRST, 13.0), FIRST, last),
    )
    first, second = status(house, FIRST), status(house, SECOND)
    assert (first.telemetry["volts"], first.telemetry_at, first.last_sign) == (13.0, last, last)
    assert (second.telemetry["volts"], second.telemetry_at, second.last_sign) == (12.0, later, later)


@pytest.mark.parametrize("known", [False, True])
def test_what_the_broker_kept_is_no_sign_of_life(house: House, voice: Voice, known: bool) -> None:
    if known:
        take_in(house, said(voice.reported(NOON), FIRST, NOON))
    take_in(house, said(numbers(FIRST, 11.0), FIRST, NOON + MINUTE, retained=True))
    found = status(house, FIRST)
    assert (found.telemetry["volts"], found.last_sign) == (11.0, NOON if known else None)


def test_numbers_never_take_back_when_a_unit_was_last_heard(house: House) -> None:
    take_in(house, said(numbers(FIRST, 11.0), FIRST, NOON + MINUTE))
    take_in(house, said(numbers(FIRST, 12.0), FIRST, NOON))
    assert status(house, FIRST).last_sign == NOON + MINUTE


def test_numbers_leave_what_else_is_known_of_a_unit_alone(house: House, voice: Voice) -> None:
    take_in(house, said(voice.reported(NOON), FIRST, NOON))
    before = status(house, FIRST)
    take_in(house, said(numbers(FIRST, 11.0), FIRST, NOON + MINUTE))
    after = status(house, FIRST)
    names = {column.name for column in UnitStatus.__table__.columns} - {"telemetry", "telemetry_at", "last_sign"}
    assert {name: getattr(after, name) for name in names} == {name: getattr(before, name) for name in names}


@pytest.fixture
def voice(house: House) -> Voice:
    return Voice(FIRST, house.bulletin.sha256, house.bulletin.duration_ms)
