"""A unit at Debian's Mosquitto with our settings: what its certificate does not open, and what is left of it when it is
revoked (R-084). The brokers are real, and so is the controller's link; nobody else may notice."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from cryptography import x509
from support.brokers import UNITS, mosquitto_with_certificates
from support.office import House, open_house
from support.paho_client import PahoParty
from support.parties import OverSockets, payloads, wait_for
from support.wait import until

from broadcasts.clock import SystemClock
from broadcasts.wire import topics
from broadcasts.wire.topics import In, Out, ScopeTopic
from controller.bootstrap import unit_terms
from controller.bootstrap.doors import door
from controller.bootstrap.service import external_broker
from controller.db.tables import Revocation, Unit
from controller.mqtt.broker_users import CONTROLLER
from controller.mqtt.doors import MosquittoDoor
from controller.mqtt.link import PahoLink
from controller.services import unit_enrolling, unit_revoking
from controller.services.unit_authority import Certified
from controller.services.unit_clearing import Clearing, Proof
from controller.services.unit_terms import UnitTerms
from controller.settings import Settings
from deploy.local_ca import CLIENTS
from device_sim.broker import REFUSED, NotLetIn

THIEF, BYSTANDER, OTHER = UNITS[0], UNITS[1], UNITS[2]
EVERYTHING = ("#", "+/#", "loa/#", "loa/v1/u/#", "loa/v1/u/+/in/#", "loa/v1/u/+/out/#", "$SYS/#", "$CONTROL/#")


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OverSockets]:
    known = dict.fromkeys((*UNITS[:6], CONTROLLER), "")
    with mosquitto_with_certificates(tmp_path_factory.mktemp("mosquitto"), known) as running:
        yield running


def contract(unit: str) -> list[str]:
    """Every topic that there is, as far as `unit` is meant."""
    told = [topics.to_unit(unit, kind) for kind in In] + [topics.from_unit(unit, kind) for kind in Out]
    return told + [topics.to_scope(unit, kind) for kind in ScopeTopic] + [topics.TRUST, topics.CANARY]


@pytest.mark.requirement("R-084")
def test_a_valid_certificate_writes_no_topic_but_its_own_and_reads_none_but_its_own_and_what_is_for_all(
    broker: OverSockets,
) -> None:
    controller, victim, attacker = broker.enter(CONTROLLER), broker.enter(OTHER), broker.enter(BYSTANDER)
    for pattern in topics.CONTROLLER_MAY_READ:
        controller.subscribe(pattern, 1)
    for party, name in ((victim, OTHER), (attacker, BYSTANDER)):
        for pattern in topics.unit_filters(name):
            assert party.subscribe(pattern) == 0
    own = {topics.from_unit(BYSTANDER, kind) for kind in Out}
    foreign = [topic for unit in (OTHER, BYSTANDER, CONTROLLER) for topic in contract(unit) if topic not in own]
    foreign += ["$CONTROL/dynamic-security/v1", "$SYS/broker/uptime", "elsewhere", f"loa/v1/u/{BYSTANDER}/mine"]
    for topic in foreign:
        for retain in (False, True):
            attacker.publish(topic, b"forged", retain=retain)
    for pattern in (*EVERYTHING, *contract(OTHER)):
        for qos in (0, 1):
            attacker.subscribe(pattern, qos)
    for_the_victim = [topics.to_unit(OTHER, kind) for kind in In]
    for topic in for_the_victim:
        controller.publish(topic, b"for the victim", retain=True)
        wait_for(victim, topic, b"for the victim")
    for kind in Out:
        victim.publish(topics.from_unit(OTHER, kind), b"of the victim")
    controller.publish(topics.CANARY, b"of the controller")
    controller.publish(topics.TRUST, b"fence")
    for party in (attacker, victim, controller):
        wait_for(party, topics.TRUST, b"fence")
    attacker.publish(topics.from_unit(BYSTANDER, Out.REPORTED), b"true")
    wait_for(controller, topics.from_unit(BYSTANDER, Out.REPORTED), b"true")
    late = broker.enter(UNITS[3])
    for pattern in topics.unit_filters(UNITS[3]):
        late.subscribe(pattern)
    controller.publish(topics.TRUST, b"second fence")
    wait_for(late, topics.TRUST, b"second fence")
    heard = [packet for party in (controller, victim, attacker, late) for packet in party.inbox]
    assert [packet for packet in heard if packet.payload == b"forged"] == []
    allowed = {topics.TRUST, topics.from_unit(BYSTANDER, Out.PRESENCE)}
    assert {packet.topic for packet in attacker.inbox} <= allowed
    assert attacker.is_open
    for topic in for_the_victim:
        controller.publish(topic, b"", retain=True)
    for party in (controller, victim, attacker, late):
        party.goodbye()


@pytest.mark.requirement("R-084")
def test_under_no_other_client_id_does_it_hear_or_disturb_anybody(broker: OverSockets) -> None:
    names = [name for name in broker.secrets if name != THIEF]
    rightful = {name: broker.enter(name) for name in names}
    for name, party in rightful.items():
        mine = "loa/v1/u/+/out/#" if name == CONTROLLER else f"loa/v1/u/{name}/in/#"
        party.subscribe(mine, 1)
    for name in names:
        intruder = broker.enter(THIEF, client_id=name, clean=False)
        intruder.subscribe(f"loa/v1/u/{name}/in/#")
        intruder.publish(topics.from_unit(name, Out.REPORTED), b"forged")
        for unit in names:
            if unit != CONTROLLER:
                rightful[CONTROLLER].publish(topics.to_unit(unit, In.COMMAND), name.encode())
                wait_for(rightful[unit], topics.to_unit(unit, In.COMMAND), name.encode())
        assert intruder.inbox == []
        intruder.goodbye()
    assert all(party.is_open for party in rightful.values())
    assert rightful[CONTROLLER].inbox == []
    for party in rightful.values():
        party.goodbye()
    broker.enter(THIEF).goodbye()


@dataclass
class Office:
    house: House
    link: PahoLink
    clearing: Clearing
    door: MosquittoDoor

    def revoke(self, unit: str) -> None:
        with self.house.ctx.db.write() as session:
            unit_revoking.revoke_now(self.house.ctx, session, unit, "stolen", "seen at the market", "test")

    def row(self, unit: str) -> Revocation:
        with self.house.ctx.db.read() as session:
            return session.get_one(Revocation, unit)


@pytest.fixture
def office(broker: OverSockets, tmp_path: Path) -> Iterator[Office]:
    """A controller whose authority is that of the broker."""
    (tmp_path / "house").mkdir()
    house, clock = open_house(tmp_path / "house", clusters=5), SystemClock()
    own = broker.secrets[CONTROLLER]
    settings = Settings(
        data=tmp_path / "data",
        broker=f"mqtts://127.0.0.1:{broker.address[1]}",
        broker_ca=broker.folder / "authority.crt",
        broker_cert=Path(f"{own}.crt"),
        broker_key=Path(f"{own}.key"),
        unit_authority=broker.folder,
    )
    authority = unit_terms.read(broker.folder, clock.now())
    ctx = replace(house.ctx, clock=clock, wall=clock, units=UnitTerms(authority))
    house = replace(house, ctx=ctx)
    with ctx.db.write() as session:
        for name in broker.secrets:
            if name != CONTROLLER and session.get(Unit, name) is None:
                session.add(Unit(id=name, key_x="", secret_hashes={"sha256": ""}, enrolled_at=clock.now()))
    address = external_broker(settings, clock.now())
    link = PahoLink(address, clock, lambda: None)
    thread = threading.Thread(target=link.run, name="mqtt")
    thread.start()
    until(lambda: link.up, "the controller is connected")
    made = door(ctx, settings, link, None, address)
    assert isinstance(made, MosquittoDoor)
    yield Office(house, link, Clearing(ctx, link, made), made)
    link.close()
    thread.join(60)
    ctx.db.close()
    broker.enter(CONTROLLER).goodbye()


@pytest.mark.requirement("R-084")
def test_a_revoked_unit_is_cut_off_at_once_and_nothing_of_it_is_left_while_others_miss_nothing(
    broker: OverSockets, office: Office
) -> None:
    thief = broker.enter(THIEF, clean=False)
    thief.subscribe(f"loa/v1/u/{THIEF}/in/#", 1)
    thief.publish(topics.from_unit(THIEF, Out.REPORTED), b"retained", retain=True)
    thief.publish(topics.from_unit(THIEF, Out.PRESENCE), b"retained", retain=True)
    for kind in (In.PLAN, In.JOURNAL_ACK):
        assert office.link.publish(topics.to_unit(THIEF, kind), b"retained", qos=1, retain=True)
    bystander = broker.enter(BYSTANDER)
    bystander.subscribe(f"loa/v1/u/{BYSTANDER}/in/#", 1)
    assert office.link.flush()
    said = 0

    def say() -> None:
        nonlocal said
        assert office.link.publish(topics.to_unit(BYSTANDER, In.COMMAND), b"%d" % said, qos=1, retain=False)
        said += 1

    for _ in range(50):
        say()
    office.revoke(THIEF)
    now = SystemClock().now()
    office.clearing.step(now)
    for _ in range(50):
        say()
    until(lambda: not thief.is_open, "the thief is cut off")
    until(lambda: office.door.prove(THIEF) is Proof.REFUSED, "it is in force")
    office.clearing.step(SystemClock().now())
    assert office.row(THIEF).proven_at is not None
    office.link.publish(topics.to_unit(THIEF, In.COMMAND), b"for the thief", qos=1, retain=False)

    back: PahoParty | None = broker.enter(THIEF, clean=False)  # type: ignore[assignment]
    assert back is not None
    assert not back.session_present  # what waited for it is gone
    for pattern in (*topics.unit_filters(THIEF), *EVERYTHING):
        assert back.subscribe(pattern) == REFUSED
    while not office.link.inbox.empty():
        office.link.inbox.get_nowait()
    for kind in Out:
        back.publish(topics.from_unit(THIEF, kind), b"after all", retain=True)
    bystander.publish(topics.from_unit(BYSTANDER, Out.REPORTED), b"fence")
    until(lambda: not office.link.inbox.empty(), "the fence")
    assert [received.payload for received in list(office.link.inbox.queue)] == [b"fence"]
    assert back.inbox == []
    back.goodbye()

    got = [b"%d" % number for number in range(said)]
    command = topics.to_unit(BYSTANDER, In.COMMAND)
    until(lambda: payloads(bystander, command) == got, "all that was said, once and in order")
    assert bystander.is_open
    assert office.link.up
    observer = broker.enter(CONTROLLER)
    for pattern in topics.CONTROLLER_MAY_READ:
        observer.subscribe(pattern, 1)
    observer.publish(topics.CANARY, b"fence")
    wait_for(observer, topics.CANARY, b"fence")
    assert [packet.topic for packet in observer.inbox if THIEF in packet.topic.split("/")] == []
    observer.goodbye()
    bystander.goodbye()


@pytest.mark.requirement("R-084")
def test_when_the_list_of_certificates_is_read_again_a_revoked_one_opens_nothing_and_nobody_else_is_disturbed(
    broker: OverSockets, office: Office
) -> None:
    gone, stays = UNITS[4], UNITS[5]
    insider, bystander = broker.enter(gone), broker.enter(stays)
    bystander.subscribe(f"loa/v1/u/{stays}/in/#", 1)
    held = x509.load_pem_x509_certificate((broker.folder / CLIENTS / f"{gone}.crt").read_bytes())
    with office.house.ctx.db.write() as session:
        made = Certified(f"{held.serial_number:x}", "", held.not_valid_after_utc)
        unit_enrolling.keep_certificate(session, gone, made, SystemClock().now())
    office.revoke(gone)
    office.clearing.step(SystemClock().now())
    broker.reload()
    until(lambda: not insider.is_open, "it is cut off")
    with pytest.raises(NotLetIn):
        broker.enter(gone)
    assert office.link.publish(topics.to_unit(stays, In.COMMAND), b"still here", qos=1, retain=False)
    wait_for(bystander, topics.to_unit(stays, In.COMMAND), b"still here")
    assert bystander.is_open
    broker.restart()
    with pytest.raises(NotLetIn):
        broker.enter(gone)
    broker.enter(stays).goodbye()
