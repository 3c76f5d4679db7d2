"""`loa alert` beside a controller that runs and says nothing: the command says what is signed, by itself."""

from __future__ import annotations

import argparse
import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select
from support.audio import recording
from support.brokers import embedded
from support.office import PASSWORD, House, open_house
from support.parties import OverSockets
from support.ports import free_port
from support.wait import until

from broadcasts.clock import SystemClock
from broadcasts.errors import Fault, Refused
from broadcasts.wire.alert import AlertKind
from controller import settings as settings_module
from controller.bootstrap import alert_publishing, alerts, alone
from controller.db.tables import Emergency
from controller.mqtt.broker_users import CONTROLLER, new_secret
from controller.services import emergencies, emergency_set
from controller.services.alert_calls import Call
from controller.services.rights import Role
from controller.services.seeding import PROVINCE
from controller.services.targets import Target
from controller.settings import Settings

COMMUNE = "c-31615"


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """By the real clock, with a controller that holds the folder and does nothing."""
    clock = SystemClock()
    found = open_house(tmp_path, now=clock.now())
    found.ctx = replace(found.ctx, clock=clock, wall=clock)
    found.add_user("ubnd", Role.EMERGENCY, PROVINCE[0])
    path = recording(tmp_path / "storm.wav", seconds=2.0)
    emergency_set.put(found.ctx, found.actor("ubnd"), PROVINCE[0], "storm", "vi", path, "storm.wav")
    call = Call(AlertKind.STORM, Target(areas=(COMMUNE,)), reason="Bão", confirmed="5")
    emergencies.sound(found.ctx, found.actor("ubnd"), call)
    with alone.only_one(tmp_path):
        yield found
    found.ctx.db.close()


def settings(folder: Path, port: int, secret: str) -> Settings:
    keys = folder / "keys"
    keys.mkdir(exist_ok=True)
    (keys / "broker.secret").write_text(secret, encoding="utf-8")
    return settings_module.from_environment({"LOA_DATA": str(folder), "LOA_BROKER_PORT": str(port)})


def test_a_controller_that_hangs_is_passed_by_and_the_alert_is_out(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alert_publishing, "PATIENCE_S", 0.3)
    known = {CONTROLLER: new_secret()}
    with embedded(tmp_path, known) as broker:
        told = settings(tmp_path, broker.address[1], known[CONTROLLER])
        assert not alert_publishing.said(house.ctx)
        assert not alert_publishing.needs_us(told)
        with alert_publishing.published(told, house.ctx) as how:
            assert how == "the controller runs and says nothing: published by this command"
        assert alert_publishing.said(house.ctx)
        onlooker = OverSockets(broker.address, known, broker.restart, broker.wipe).enter(CONTROLLER)
        onlooker.subscribe(f"loa/v1/s/{COMMUNE}/alert", 1)
        until(lambda: onlooker.inbox, "the list is kept at the broker", 30)


def test_where_the_broker_hangs_too_the_command_says_so_and_the_alert_stays_to_be_said(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PATIENCE_S", "REACH_S"):
        monkeypatch.setattr(alert_publishing, name, 0.3)
    told = settings(tmp_path, free_port(), "x")
    with pytest.raises(Fault, match="broker_away"), alert_publishing.published(told, house.ctx):
        raise AssertionError("nothing is out there")
    assert not alert_publishing.said(house.ctx)


def test_the_text_of_an_alert_is_printed_alone_for_who_may_sound_it_and_sent_only_by_a_gateway(
    house: House, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with house.ctx.db.read() as session:
        alert = session.scalars(select(Emergency.id)).one()
    for sends, typed in ((False, PASSWORD), (False, "sai"), (True, PASSWORD)):
        given = argparse.Namespace(person="ubnd", id=alert, send=sends, json=False)
        monkeypatch.setattr("sys.stdin", io.StringIO(f"{typed}\n"))
        if sends or typed != PASSWORD:
            with pytest.raises(Refused, match=r"sms\.off" if sends else "login"):
                alerts._text(house.ctx, given)
            assert "LOA1" not in capsys.readouterr().out
        else:
            alerts._text(house.ctx, given)
            said = capsys.readouterr()
            [line] = said.out.splitlines()
            assert line.startswith("LOA1.")
            assert f"sounds: every unit of {COMMUNE}" in said.err
