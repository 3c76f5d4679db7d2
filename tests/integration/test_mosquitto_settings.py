"""The production settings of Mosquitto, as they are: certificates, TLS, and the ACL against the contract's rights."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.brokers import mosquitto_with_certificates
from support.paho_client import PahoParty
from support.parties import OverSockets
from support.wait import until

from broadcasts.clock import SystemClock
from broadcasts.wire import topics
from broadcasts.wire.topics import In, Out
from controller.mqtt.broker_users import CONTROLLER
from controller.mqtt.doors import CONTROL
from deploy.broker_certificates import provide
from device_sim.broker import NotLetIn

SETTINGS = Path(__file__).parents[2] / "deploy/mosquitto"


@pytest.fixture(scope="module")
def station(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OverSockets]:
    """Mosquitto with the production file; only folders and the port are others."""
    known = dict.fromkeys(("u-1", "u-2", "u-3", "u-4", "u-5", CONTROLLER), "")
    with mosquitto_with_certificates(tmp_path_factory.mktemp("station"), known) as running:
        yield running


def test_a_units_certificate_is_its_name_its_rights_and_its_client_id(station: OverSockets) -> None:
    controller, unit, neighbour = station.enter(CONTROLLER), station.enter("u-1"), station.enter("u-2")
    controller.subscribe("loa/v1/u/+/out/#", 1)
    unit.subscribe("loa/v1/u/u-1/in/#")
    intruder = station.enter("u-3", client_id="u-1")
    intruder.publish(topics.from_unit("u-1", Out.REPORTED), b"forged")
    neighbour.publish(topics.from_unit("u-1", Out.REPORTED), b"forged")
    neighbour.publish(topics.from_unit("u-2", Out.REPORTED), b"true")
    until(lambda: len(controller.inbox) > 0, "what the neighbour says of itself")
    controller.publish(topics.to_unit("u-1", In.COMMAND), b"for u-1")
    until(lambda: len(unit.inbox) > 0, "the command")
    assert [packet.payload for packet in controller.inbox] == [b"true"]
    assert unit.is_open
    assert intruder.inbox == []
    for party in (controller, unit, neighbour, intruder):
        party.goodbye()


def test_nobody_enters_without_a_certificate_of_the_stations_authority(station: OverSockets) -> None:
    with pytest.raises(NotLetIn):
        station.enter("u-1", secret="of a stranger")
    with pytest.raises(NotLetIn):
        station.enter("u-1", secret="")
    with pytest.raises((OSError, NotLetIn)):
        PahoParty(station.address, "u-1", "u-1", "", clean=True, will=None)


def test_a_revoked_certificate_opens_nothing_after_a_restart_and_its_successor_does(station: OverSockets) -> None:
    station.enter("u-4").goodbye()
    now = SystemClock().now()
    provide(station.folder, ["127.0.0.1"], ["u-4", "u-5"], now, revoked=["u-4"])
    station.restart()
    with pytest.raises(NotLetIn):
        station.enter("u-4")
    station.enter("u-5").goodbye()
    provide(station.folder, ["127.0.0.1"], ["u-4"], now)
    station.enter("u-4").goodbye()


def test_the_acl_says_exactly_what_the_contract_says() -> None:
    rules: dict[str, set[tuple[str, str]]] = {"unit": set(), "controller": set()}
    who = "anyone"
    for line in (SETTINGS / "acl").read_text(encoding="utf-8").splitlines():
        if match := re.fullmatch(r"user (\S+)", line):
            who = match[1]
        elif match := re.fullmatch(r"pattern (read|write) (\S+)", line):
            rules["unit"].add((match[1], match[2]))
        elif match := re.fullmatch(r"topic (read|write) (\S+)", line):
            rules[who].add((match[1], match[2]))
        else:
            assert not line or line.startswith("#"), line
    assert rules["unit"] == _rights(topics.unit_filters("%u"), topics.unit_may_write("%u"))
    assert rules[CONTROLLER] == _rights(topics.CONTROLLER_MAY_READ, (*topics.CONTROLLER_MAY_WRITE, CONTROL))


def _rights(reads: tuple[str, ...], writes: tuple[str, ...]) -> set[tuple[str, str]]:
    return {("read", pattern) for pattern in reads} | {("write", pattern) for pattern in writes}
