"""The controller's link and the fleet's at a Mosquitto that asks everybody for a certificate."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.brokers import mosquitto_with_certificates
from support.parties import OverSockets
from support.wait import until

from broadcasts.clock import SystemClock
from broadcasts.wire import topics
from broadcasts.wire.topics import In, Out
from controller.bootstrap.service import external_broker
from controller.mqtt.broker_users import CONTROLLER
from controller.mqtt.inbound import Received
from controller.mqtt.link import PahoLink
from controller.settings import Settings
from deploy.broker_certificates import provide
from deploy.local_ca import CLIENTS
from device_sim.events import Arrived, Connect, Inbox, LinkDown, LinkUp, Publish
from device_sim.link import Links
from device_sim.tls import with_certificates

UNITS = [f"u-{number}" for number in range(1, 13)]


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OverSockets]:
    known = dict.fromkeys([*UNITS, CONTROLLER], "")
    with mosquitto_with_certificates(tmp_path_factory.mktemp("certificates"), known) as running:
        yield running


@pytest.fixture
def controller(broker: OverSockets) -> Iterator[PahoLink]:
    own = broker.secrets[CONTROLLER]
    settings = Settings(
        broker=f"mqtts://127.0.0.1:{broker.address[1]}",
        broker_ca=broker.folder / "authority.crt",
        broker_cert=Path(f"{own}.crt"),
        broker_key=Path(f"{own}.key"),
    )
    clock = SystemClock()
    link = PahoLink(external_broker(settings, clock.now()), clock, lambda: None)
    thread = threading.Thread(target=link.run, name="mqtt")
    thread.start()
    until(lambda: link.up, "the controller is connected")
    yield link
    link.close()
    thread.join(60)
    assert not thread.is_alive()
    broker.enter(CONTROLLER).goodbye()  # nothing waits for the next one


class Fleet:
    def __init__(self, broker: OverSockets, folder: Path, units: list[str]) -> None:
        tls = with_certificates(broker.folder / "authority.crt", folder, units, SystemClock().now())
        self.links = Links(*broker.address, SystemClock(), tls)
        self.told: list[tuple[str, Inbox]] = []
        for unit in units:
            will = topics.from_unit(unit, Out.PRESENCE)
            self.links.connect(unit, Connect(unit, "no secret that anybody knows", will, b"gone", keep_alive_s=60))

    def until_told(self, *wanted: tuple[str, Inbox]) -> None:
        def look() -> bool:
            self.links.poll(0.01)
            self.told += self.links.take()
            return all(each in self.told for each in wanted)

        until(look, f"all {len(wanted)}; have {self.told[-5:]}", 60)


@pytest.fixture
def fleet(broker: OverSockets) -> Iterator[Fleet]:
    made = Fleet(broker, broker.folder / CLIENTS, UNITS)
    yield made
    made.links.close()


def test_units_connect_by_certificate_and_talk_with_the_controller(controller: PahoLink, fleet: Fleet) -> None:
    fleet.until_told(*((unit, LinkUp()) for unit in UNITS))
    for unit in UNITS:
        fleet.links.publish(unit, Publish(topics.from_unit(unit, Out.REPORTED), unit.encode(), 1, retain=False))
    assert {received.payload for received in _of(controller, fleet, len(UNITS))} == {unit.encode() for unit in UNITS}
    for unit in UNITS:
        assert controller.publish(topics.to_unit(unit, In.COMMAND), unit.encode(), qos=1, retain=False)
    fleet.until_told(*((unit, Arrived(topics.to_unit(unit, In.COMMAND), unit.encode())) for unit in UNITS))


def _of(link: PahoLink, fleet: Fleet, count: int) -> list[Received]:
    def enough() -> bool:
        fleet.links.poll(0.01)
        return link.inbox.qsize() >= count

    until(enough, f"{count} messages", 60)
    return [link.inbox.get_nowait() for _ in range(count)]


def test_many_threads_may_publish_large_documents_while_others_arrive(controller: PahoLink, fleet: Fleet) -> None:
    """One TLS connection is one state: it must not be written and read at once, nor a packet cut by another one."""
    fleet.until_told(*((unit, LinkUp()) for unit in UNITS))
    sent = [(unit, f"{number} {unit} ".encode().ljust(60_000, b"x")) for unit in UNITS for number in range(15)]
    failed: list[str] = []

    def publish(share: list[tuple[str, bytes]]) -> None:
        for unit, document in share:
            if not controller.publish(topics.to_unit(unit, In.PLAN), document, qos=1, retain=False):
                failed.append(unit)

    threads = [threading.Thread(target=publish, args=(sent[number::3],)) for number in range(3)]
    for thread in threads:
        thread.start()
    for number in range(200):
        unit = UNITS[number % len(UNITS)]
        fleet.links.publish(unit, Publish(topics.from_unit(unit, Out.JOURNAL), b"j" * 5_000, 1, retain=False))
        fleet.links.poll(0.005)
    fleet.until_told(*((unit, Arrived(topics.to_unit(unit, In.PLAN), document)) for unit, document in sent))
    for thread in threads:
        thread.join(30)
    assert failed == []
    assert controller.up
    assert not [each for each in fleet.told if each[1] == LinkDown()]


def test_a_unit_with_a_certificate_of_another_station_is_not_let_in_and_does_not_stop_the_others(
    broker: OverSockets, tmp_path: Path
) -> None:
    provide(tmp_path, ["127.0.0.1"], ["u-1"], SystemClock().now())
    for unit in ("u-2", "u-3"):
        for kind in ("crt", "key"):
            (tmp_path / CLIENTS / f"{unit}.{kind}").write_bytes(
                (broker.folder / CLIENTS / f"{unit}.{kind}").read_bytes()
            )
            (tmp_path / CLIENTS / f"{unit}.{kind}").chmod(0o600)
    fleet = Fleet(broker, tmp_path / CLIENTS, ["u-1", "u-2", "u-3"])
    try:
        fleet.until_told(("u-1", LinkDown()), ("u-2", LinkUp()), ("u-3", LinkUp()))
        assert ("u-1", LinkUp()) not in fleet.told
    finally:
        fleet.links.close()
