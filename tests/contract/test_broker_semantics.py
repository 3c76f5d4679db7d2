"""What Loa needs of a broker, held against all it runs on (design, section 6; MQTT 3.1.1): what is retained, wills,
sessions, sizes. Who may do what is in test_broker_rights.py.
Where brokers differ and Loa does not care, the test says so in its name and allows each."""

from __future__ import annotations

from contextlib import suppress

import pytest
from support.parties import BrokerUnderTest, Enter, Party, payloads, wait_for
from support.wait import until

from broadcasts.wire import topics
from broadcasts.wire.topics import In, Out
from controller.mqtt.broker_users import CONTROLLER
from device_sim.broker import NotLetIn, Packet

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
    # What was sent without a receipt is on its way until somebody has read it.
    early = enter(unit)
    early.subscribe(f"loa/v1/u/{unit}/in/#")
    wait_for(early, plan, b"before")
    broker.restart()
    until(lambda: not (first.is_open or early.is_open), "the restart cuts everybody off")
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
