"""A simulated unit joins over the API, connects with its certificate to a real Mosquitto, renews it, and is revoked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from support.brokers import mosquitto_with_certificates
from support.office import House, open_house
from support.paho_client import PahoParty
from support.parties import OverSockets
from support.wait import until

from broadcasts.clock import SystemClock
from broadcasts.errors import Refused
from broadcasts.wire import topics
from broadcasts.wire.topics import Out
from controller.app import create_app
from controller.bootstrap import unit_terms
from controller.mqtt.broker_users import CONTROLLER
from controller.services import enrolling as secrets
from controller.services import unit_enrolling, unit_revoking
from controller.services.unit_terms import UnitTerms
from device_sim import enrolling
from device_sim.enrolling import Newborn
from device_sim.fleetfile import read_fleet
from device_sim.tls import with_certificates


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OverSockets]:
    with mosquitto_with_certificates(tmp_path_factory.mktemp("mosquitto"), {CONTROLLER: ""}) as running:
        yield running


@pytest.fixture
def house(broker: OverSockets, tmp_path: Path) -> Iterator[House]:
    """Of now, whose authority is the one that the broker knows."""
    (tmp_path / "house").mkdir()
    made, now = open_house(tmp_path / "house", clusters=5, now=SystemClock().now()), SystemClock().now()
    terms = UnitTerms(
        unit_terms.read(broker.folder, now),
        f"mqtts://127.0.0.1:{broker.address[1]}",
        (broker.folder / "authority.crt").read_text(encoding="ascii"),
        "https://files.example/u",
    )
    ctx = replace(made.ctx, units=terms)
    office = replace(made.office, ctx=ctx)
    yield replace(made, ctx=ctx, office=office, app=create_app(office))
    made.ctx.db.close()


def enter(broker: OverSockets, newborn: Newborn, unit: str) -> PahoParty:
    own = newborn.folder / "certificates" / unit
    told = (str(newborn.folder / "broker-ca.crt"), f"{own}.crt", f"{own}.key")
    return PahoParty(broker.address, unit, "", "", clean=True, will=None, tls=told)


@pytest.mark.requirement("R-084")
def test_a_unit_joins_connects_renews_and_is_revoked(broker: OverSockets, house: House, tmp_path: Path) -> None:
    client, newborn = TestClient(house.app), Newborn.at(tmp_path / "unit", "SIM-0001")
    waited: list[int] = []

    def accept(seconds: int) -> bool:
        waited.append(seconds)
        unit_enrolling.accept(house.ctx, house.actor("kythuat"), newborn.label)
        return True

    unit = enrolling.join(newborn, client, accept)
    assert (unit, waited) == ("u-sim-0001", [30])
    fleet = read_fleet(newborn.folder / enrolling.FLEET)
    assert (fleet.host, fleet.port, fleet.tls) == (*broker.address, True)
    assert fleet.members[0].enrolled.unit == unit
    assert fleet.members[0].enrolled.root == house.ctx.keys.root_public()
    with house.ctx.db.read() as session:
        assert dict(secrets.credentials(session))[unit] == secrets.secret_hashes(newborn.secret)["sha256"]
    with_certificates(newborn.folder / "broker-ca.crt", fleet.certificates or Path(), [unit], SystemClock().now())

    controller = broker.enter(CONTROLLER)
    controller.subscribe("loa/v1/u/+/out/#", 1)
    party = enter(broker, newborn, unit)
    party.publish(topics.from_unit(unit, Out.REPORTED), b"here I am")
    until(lambda: [packet.payload for packet in controller.inbox] == [b"here I am"], "the unit is heard")
    party.goodbye()

    first = (newborn.folder / "certificates" / f"{unit}.crt").read_text(encoding="ascii")
    again = Newborn.at(tmp_path / "unit", "SIM-0001")
    assert again.fingerprint == newborn.fingerprint
    house.clock.advance(3600)
    assert enrolling.enrolled(again) is not None
    assert enrolling.renew(again, client, unit, house.clock.now()) == unit
    assert (newborn.folder / "certificates" / f"{unit}.crt").read_text(encoding="ascii") != first

    with house.ctx.db.write() as session:
        unit_revoking.revoke_now(house.ctx, session, unit, "stolen", "seen at the market", "test")
    for attempt in (
        lambda: enrolling.renew(again, client, unit, house.clock.now()),
        lambda: enrolling.join(again, client, lambda _: False),
    ):
        with pytest.raises(Refused):
            attempt()
    controller.goodbye()


def test_nobody_accepts_it_and_it_says_so(house: House, tmp_path: Path) -> None:
    newborn = Newborn.at(tmp_path / "unit", "SIM-0002")
    with pytest.raises(Refused) as caught:
        enrolling.join(newborn, TestClient(house.app), lambda _: False)
    assert caught.value.fields["why"] == "nobody accepted it"
    assert (newborn.folder / "unit.json").stat().st_mode & 0o077 == 0


def test_who_asks_too_often_from_one_address_is_told_to_wait(house: House) -> None:
    client = TestClient(house.app)
    answers = [client.post("/api/v1/enrolments", content=b"x").status_code for _ in range(61)]
    assert (answers[0], answers[-1]) == (401, 429)
    assert client.post("/api/v1/enrolments/renewals", content=b"x").json()["title"] == "enrolment.too_often"
    house.clock.advance(60)
    assert client.post("/api/v1/enrolments", content=b"x" * 9_000).status_code == 413
    assert json.loads(client.get("/api/v1/enrolments/e-nobody").text)["title"] == "unit.unknown"
