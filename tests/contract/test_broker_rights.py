"""Who may enter a broker, speak and hear there (design, section 6), held against all brokers that Loa runs on.
Where brokers differ and Loa does not care, the test says so in its name and allows each."""

from __future__ import annotations

from contextlib import suppress

import pytest
from support.parties import BrokerUnderTest, Enter, Party, payloads, wait_for

from broadcasts.wire import topics
from broadcasts.wire.topics import In, Out, ScopeTopic
from controller.mqtt.broker_users import CONTROLLER
from device_sim.broker import REFUSED, NotLetIn


def test_nobody_enters_without_a_name(enter: Enter) -> None:
    with pytest.raises(NotLetIn):
        enter("")


def test_nobody_enters_with_a_wrong_secret(enter: Enter, unit: str) -> None:
    for secret in ("", "wrong"):
        with pytest.raises(NotLetIn):
            enter(unit, secret=secret)
    with pytest.raises(NotLetIn):
        enter("stranger", secret="wrong")


def test_with_anothers_secret_nobody_speaks_or_hears_under_their_own_name(
    broker: BrokerUnderTest, enter: Enter, controller: Party, unit: str, other: str
) -> None:
    """Refused at the door, or, where the secret is a certificate, taken for its owner."""
    said, told = topics.from_unit(unit, Out.REPORTED), topics.to_unit(unit, In.COMMAND)
    controller.subscribe("loa/v1/u/+/out/#", 1)
    mixed: Party | None = None
    with suppress(NotLetIn):
        mixed = enter(unit, secret=broker.secrets[other])
    if mixed is not None:
        for name in (unit, other):
            mixed.subscribe(f"loa/v1/u/{name}/in/#")
        mixed.publish(said, b"forged")
        controller.publish(told, b"for the unit alone")
        mixed.publish(topics.from_unit(other, Out.REPORTED), b"fence")
        wait_for(controller, topics.from_unit(other, Out.REPORTED), b"fence")
        controller.publish(topics.to_unit(other, In.COMMAND), b"fence")
        wait_for(mixed, topics.to_unit(other, In.COMMAND), b"fence")
        assert payloads(mixed, told) == []
    assert payloads(controller, said) == []


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
