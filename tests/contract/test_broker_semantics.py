"""What Loa needs of a broker, held against all three it runs on (design, section 6; MQTT 3.1.1).
Where brokers differ and Loa does not care, the test says so in its name and allows each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count

import pytest
from support.brokers import KINDS, UNITS, BrokerUnderTest, Kind, Party, running_broker
from support.wait import until

from broadcasts.wire import topics
from broadcasts.wire.topics import In, Out, ScopeTopic
from controller.mqtt.broker_users import CONTROLLER
from device_sim.broker import REFUSED, NotLetIn, Packet

Enter = Callable[..., Party]


@pytest.fixture(scope="module", params=KINDS)
def broker(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerUnderTest]:
    kind: Kind = request.param
    with running_broker(kind, tmp_path_factory.mktemp(kind)) as running:
        yield running


_fresh = count()


@pytest.fixture
def unit() -> str:
    """A unit that no other test uses."""
    return UNITS[next(_fresh) % len(UNITS)]


@pytest.fixture
def other() -> str:
    return UNITS[next(_fresh) % len(UNITS)]


@pytest.fixture
def enter(broker: BrokerUnderTest) -> Iterator[Enter]:
    """Connects; whoever is still there at the end of the test says goodbye."""
    inside: list[Party] = []

    def connect(name: str, **manner: object) -> Party:
        inside.append(broker.enter(name, **manner))  # type: ignore[arg-type]
        return inside[-1]

    yield connect
    for party in inside:
        if party.is_open:
            party.goodbye()


@pytest.fixture
def controller(enter: Enter) -> Party:
    return enter(CONTROLLER)


def payloads(party: Party, topic: str) -> list[bytes]:
    return [packet.payload for packet in list(party.inbox) if packet.topic == topic]


def wait_for(party: Party, topic: str, payload: bytes) -> Packet:
    until(lambda: payload in payloads(party, topic), f"{payload!r} on {topic}; have {party.inbox}")
    return next(packet for packet in party.inbox if (packet.topic, packet.payload) == (topic, payload))


# Retained messages


def test_a_later_subscriber_is_told_what_was_retained_and_that_it_is_old(
    enter: Enter, controller: Party, unit: str
) -> None:
    plan = topics.to_unit(unit, In.PLAN)
    controller.publish(plan, b"version 1", retain=True)
    controller.publish(plan, b"version 2", retain=True)
    late = enter(unit)
    late.subscribe(f"loa/v1/u/{unit}/in/#")
    assert wait_for(late, plan, b"version 2").retain
    assert payloads(late, plan) == [b"version 2"]
    controller.publish(plan, b"version 3", retain=True)
    assert not wait_for(late, plan, b"version 3").retain


def test_an_empty_payload_clears_what_was_retained(enter: Enter, controller: Party, unit: str) -> None:
    plan, ack = topics.to_unit(unit, In.PLAN), topics.to_unit(unit, In.JOURNAL_ACK)
    controller.publish(plan, b"a plan", retain=True)
    controller.publish(plan, b"", retain=True)
    controller.publish(ack, b"a watermark", retain=True)
    late = enter(unit)
    late.subscribe(f"loa/v1/u/{unit}/in/#")
    wait_for(late, ack, b"a watermark")
    controller.publish(topics.to_unit(unit, In.COMMAND), b"fence")
    wait_for(late, topics.to_unit(unit, In.COMMAND), b"fence")
    assert payloads(late, plan) == []


def test_what_is_not_retained_reaches_nobody_who_comes_later(enter: Enter, controller: Party, unit: str) -> None:
    command = topics.to_unit(unit, In.COMMAND)
    controller.publish(command, b"reboot")
    late = enter(unit)
    late.subscribe(f"loa/v1/u/{unit}/in/#")
    controller.publish(command, b"quiet test")
    wait_for(late, command, b"quiet test")
    assert payloads(late, command) == [b"quiet test"]


def test_retained_messages_survive_a_restart_and_not_a_wiped_store(
    broker: BrokerUnderTest, enter: Enter, unit: str
) -> None:
    plan = topics.to_unit(unit, In.PLAN)
    first = enter(CONTROLLER)
    first.publish(plan, b"before", retain=True)
    first.publish(topics.CANARY, b"alive", retain=True)
    broker.restart()
    until(lambda: not first.is_open, "the restart cuts everybody off")
    reader = enter(unit)
    reader.subscribe(f"loa/v1/u/{unit}/in/#")
    assert wait_for(reader, plan, b"before").retain
    broker.wipe()
    after = enter(CONTROLLER)
    after.subscribe(topics.CANARY, 1)
    after.subscribe(f"loa/v1/u/+/in/{In.PLAN}", 1)
    after.publish(topics.CANARY, b"fence")
    wait_for(after, topics.CANARY, b"fence")
    assert [packet for packet in after.inbox if packet.retain] == []


# Wills and goodbyes


def test_a_dropped_link_is_announced_by_the_last_will_and_stays_announced(
    enter: Enter, controller: Party, unit: str
) -> None:
    presence = topics.from_unit(unit, Out.PRESENCE)
    controller.subscribe("loa/v1/u/+/out/#", 1)
    enter(unit, will=Packet(presence, b"gone", 1, True)).drop()
    wait_for(controller, presence, b"gone")
    back = enter(unit)
    back.subscribe(presence)
    assert wait_for(back, presence, b"gone").retain


def test_a_goodbye_is_not_announced_as_a_death(enter: Enter, controller: Party, unit: str) -> None:
    presence = topics.from_unit(unit, Out.PRESENCE)
    controller.subscribe("loa/v1/u/+/out/#", 1)
    enter(unit, will=Packet(presence, b"gone", 1, True)).goodbye()
    enter(unit).publish(presence, b"back")
    wait_for(controller, presence, b"back")
    assert payloads(controller, presence) == [b"back"]


def test_a_will_outside_the_authors_rights_is_never_published(
    enter: Enter, controller: Party, unit: str, other: str
) -> None:
    presence = topics.from_unit(other, Out.PRESENCE)
    controller.subscribe("loa/v1/u/+/out/#", 1)
    with suppress(NotLetIn):  # a broker may refuse such a will at the door
        enter(unit, will=Packet(presence, b"slander", 1, True)).drop()
    enter(other).publish(presence, b"I am fine", retain=True)
    wait_for(controller, presence, b"I am fine")
    assert payloads(controller, presence) == [b"I am fine"]


# Sessions


def test_the_newer_connection_of_a_client_wins(enter: Enter, controller: Party, unit: str) -> None:
    command = topics.to_unit(unit, In.COMMAND)
    old = enter(unit)
    old.subscribe(f"loa/v1/u/{unit}/in/#")
    new = enter(unit)
    until(lambda: not old.is_open, "the older connection is closed")
    new.subscribe(f"loa/v1/u/{unit}/in/#")
    controller.publish(command, b"to whom?")
    wait_for(new, command, b"to whom?")
    assert payloads(old, command) == []


def test_the_controllers_session_keeps_what_units_said_while_it_was_away(
    broker: BrokerUnderTest, enter: Enter, unit: str
) -> None:
    journal = topics.from_unit(unit, Out.JOURNAL)
    enter(CONTROLLER).goodbye()  # a clean one: nothing of earlier tests is left
    away = enter(CONTROLLER, clean=False)
    assert away.subscribe("loa/v1/u/+/out/#", 1) == 1
    away.drop()
    speaker = enter(unit)
    said = [f"entry {number}".encode() for number in range(200)]
    for entry in said[:100]:
        speaker.publish(journal, entry)
    broker.restart()
    speaker = enter(unit)
    for entry in said[100:]:
        speaker.publish(journal, entry)
    back = enter(CONTROLLER, clean=False)
    until(lambda: len(payloads(back, journal)) >= len(said), "all 200 entries")
    assert payloads(back, journal) == said
    back.goodbye()
    enter(CONTROLLER).goodbye()


def test_a_clean_session_keeps_nothing(enter: Enter, controller: Party, unit: str) -> None:
    command = topics.to_unit(unit, In.COMMAND)
    first = enter(unit)
    first.subscribe(f"loa/v1/u/{unit}/in/#", 1)
    first.drop()
    controller.publish(command, b"missed")
    second = enter(unit)
    second.subscribe(f"loa/v1/u/{unit}/in/#", 1)
    controller.publish(command, b"heard")
    wait_for(second, command, b"heard")
    assert payloads(second, command) == [b"heard"]


@pytest.mark.parametrize("qos", [0, 1])
def test_a_subscription_at_either_qos_gets_every_message_in_order(
    enter: Enter, controller: Party, unit: str, qos: int
) -> None:
    listener = enter(unit)
    assert listener.subscribe(f"loa/v1/u/{unit}/in/#", qos) == qos
    command = topics.to_unit(unit, In.COMMAND)
    sent = [f"{number}".encode() for number in range(50)]
    for payload in sent:
        controller.publish(command, payload)
    wait_for(listener, command, sent[-1])
    assert payloads(listener, command) == sent


def test_overlapping_filters_give_a_message_once_or_twice_and_never_not_at_all(
    enter: Enter, controller: Party, unit: str
) -> None:
    presence = topics.from_unit(unit, Out.PRESENCE)
    listener = enter(CONTROLLER)
    listener.subscribe("loa/v1/u/+/out/#", 1)
    listener.subscribe(f"loa/v1/u/+/out/{Out.PRESENCE}", 1)
    speaker = enter(unit)
    speaker.publish(presence, b"here")
    speaker.publish(presence, b"fence")
    wait_for(listener, presence, b"here")
    wait_for(listener, presence, b"fence")
    assert payloads(listener, presence).count(b"here") in (1, 2)


# Rights


def test_nobody_enters_without_a_name(enter: Enter) -> None:
    with pytest.raises(NotLetIn):
        enter("")


def test_nobody_enters_with_a_wrong_or_foreign_secret(
    broker: BrokerUnderTest, enter: Enter, unit: str, other: str
) -> None:
    for secret in ("", "wrong", broker.secrets[other]):
        with pytest.raises(NotLetIn):
            enter(unit, secret=secret)
    with pytest.raises(NotLetIn):
        enter("stranger", secret="wrong")


@pytest.mark.parametrize("victim", ["unit", "controller"])
def test_a_foreign_client_id_takes_nothing_over_and_hears_nothing(
    enter: Enter, unit: str, other: str, victim: str
) -> None:
    """Refused at the door (embedded, memory), or known under the credential's name (Mosquitto)."""
    target, pattern, topic, author = (
        (other, f"loa/v1/u/{other}/in/#", topics.to_unit(other, In.COMMAND), CONTROLLER)
        if victim == "unit"
        else (CONTROLLER, "loa/v1/u/+/out/#", topics.from_unit(other, Out.JOURNAL), other)
    )
    rightful = enter(target, clean=False)
    rightful.subscribe(pattern, 1)
    intruder: Party | None = None
    with suppress(NotLetIn):
        intruder = enter(unit, client_id=target, clean=False)
    enter(author).publish(topic, b"for the rightful one")
    wait_for(rightful, topic, b"for the rightful one")
    assert rightful.is_open
    if intruder is not None:
        intruder.subscribe(f"loa/v1/u/{unit}/in/#")
        assert payloads(intruder, topic) == []
    rightful.goodbye()
    enter(target).goodbye()


def test_a_unit_writes_only_what_it_says_itself(enter: Enter, controller: Party, unit: str, other: str) -> None:
    """Refused or dropped without a word, as the broker likes; it must not arrive."""
    foreign = [
        topics.from_unit(other, Out.REPORTED),
        topics.to_unit(other, In.PLAN),
        topics.to_unit(unit, In.PLAN),
        topics.TRUST,
        topics.CANARY,
        topics.to_scope("p-soc-trang", ScopeTopic.ALERT),
    ]
    controller.subscribe("loa/v1/u/+/out/#", 1)
    controller.subscribe(topics.CANARY, 1)
    witness = enter(other)
    for pattern in topics.unit_filters(other):
        witness.subscribe(pattern)
    for topic in foreign:
        for retain in (False, True):
            forger = enter(unit)
            forger.publish(topic, b"forged", retain=retain)
            if forger.is_open:
                forger.goodbye()
    speaker = enter(unit)
    speaker.publish(topics.from_unit(unit, Out.REPORTED), b"true")
    wait_for(controller, topics.from_unit(unit, Out.REPORTED), b"true")
    controller.publish(topics.TRUST, b"fence")
    wait_for(witness, topics.TRUST, b"fence")
    late = enter(unit)
    for pattern in topics.unit_filters(unit):
        late.subscribe(pattern)
    controller.publish(topics.TRUST, b"second fence")
    wait_for(late, topics.TRUST, b"second fence")
    heard = [packet for party in (controller, witness, late) for packet in party.inbox]
    assert [packet for packet in heard if packet.payload == b"forged"] == []


def test_a_unit_hears_only_its_own_branch_and_what_is_for_all(
    enter: Enter, controller: Party, unit: str, other: str
) -> None:
    """A forbidden subscription is refused or yields nothing."""
    plan = topics.to_unit(other, In.PLAN)
    said = topics.from_unit(other, Out.REPORTED)
    controller.publish(plan, b"retained", retain=True)
    spy = enter(unit)
    forbidden = ["#", "+/#", "loa/v1/u/#", "loa/v1/u/+/in/#", f"loa/v1/u/{other}/in/#", plan, said, topics.CANARY]
    for pattern in forbidden:
        for qos in (0, 1):
            spy.subscribe(pattern, qos)
    spy = spy if spy.is_open else enter(unit)
    for pattern in topics.unit_filters(unit):
        assert spy.subscribe(pattern) != REFUSED
    controller.publish(plan, b"live")
    controller.publish(topics.CANARY, b"mine")
    enter(other).publish(said, b"said", retain=True)
    alert = topics.to_scope(f"about-{unit}", ScopeTopic.ALERT)
    controller.publish(alert, b"fence", retain=True)
    wait_for(spy, alert, b"fence")
    assert {packet.topic for packet in spy.inbox if packet.topic in (plan, said, topics.CANARY)} == set()


def test_every_right_of_the_contract_is_granted(enter: Enter, controller: Party, unit: str) -> None:
    listener = enter(unit)
    for pattern in topics.unit_filters(unit):
        assert listener.subscribe(pattern) == 0
    for pattern in topics.CONTROLLER_MAY_READ:
        assert controller.subscribe(pattern, 1) == 1
    told = [topics.to_unit(unit, kind) for kind in In]
    told += [topics.to_scope(unit, kind) for kind in ScopeTopic] + [topics.TRUST]
    for topic in told:
        controller.publish(topic, topic.encode())
        wait_for(listener, topic, topic.encode())
    for topic in [topics.from_unit(unit, kind) for kind in Out]:
        listener.publish(topic, topic.encode())
        wait_for(controller, topic, topic.encode())
    for topic in (topics.CANARY, topics.TRUST, topics.to_unit(unit, In.PLAN), topics.to_scope(unit, ScopeTopic.ALERT)):
        controller.publish(topic, b"read back")
        wait_for(controller, topic, b"read back")
    wait_for(listener, topics.from_unit(unit, Out.PRESENCE), topics.from_unit(unit, Out.PRESENCE).encode())


# Size


def test_the_largest_message_of_the_contract_passes(enter: Enter, controller: Party, unit: str) -> None:
    plan = topics.to_unit(unit, In.PLAN)
    largest = b"p" * topics.MAX_BYTES
    listener = enter(unit)
    listener.subscribe(f"loa/v1/u/{unit}/in/#")
    controller.publish(plan, largest, retain=True)
    wait_for(listener, plan, largest)
    controller.publish(plan, b"", retain=True)


def test_an_oversized_message_costs_its_sender_the_connection_and_nobody_else_anything(
    enter: Enter, controller: Party, unit: str, other: str
) -> None:
    journal = topics.from_unit(unit, Out.JOURNAL)
    controller.subscribe("loa/v1/u/+/out/#", 1)
    neighbour = enter(other)
    sender = enter(unit)
    sender.publish(journal, b"x" * (2 * topics.MAX_BYTES))
    until(lambda: not sender.is_open, "the sender is cut off")
    neighbour.publish(topics.from_unit(other, Out.JOURNAL), b"still here")
    wait_for(controller, topics.from_unit(other, Out.JOURNAL), b"still here")
    again = enter(unit)
    again.publish(journal, b"smaller")
    wait_for(controller, journal, b"smaller")
    assert payloads(controller, journal) == [b"smaller"]
    assert neighbour.is_open
