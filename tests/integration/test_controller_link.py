"""The controller's connection to the broker: many messages in one parcel, and what is known of their arrival."""

from __future__ import annotations

import threading

from support.parties import OverSockets
from support.wait import until

from broadcasts.clock import SystemClock
from broadcasts.wire import topics
from broadcasts.wire.topics import In, Out
from controller.mqtt.broker_users import CONTROLLER
from controller.mqtt.link import BrokerAddress, PahoLink

MANY = 3_000


def test_a_parcel_of_many_plans_arrives_whole_in_order_and_acknowledged(
    link: PahoLink, linked_broker: OverSockets
) -> None:
    unit = linked_broker.enter("u-1")
    topic = topics.to_unit("u-1", In.PLAN)
    assert unit.subscribe(topic, 0) == 0
    bodies = [f"{number} ".encode() * 100 for number in range(MANY)]
    assert link.publish_all(((topic, body) for body in bodies), qos=1, retain=True) == MANY
    assert link.flush()
    until(lambda: len(unit.inbox) == MANY, "every plan at the unit")
    assert [packet.payload for packet in unit.inbox] == bodies
    unit.goodbye()


def test_what_units_say_meanwhile_is_heard_and_acknowledged(link: PahoLink, linked_broker: OverSockets) -> None:
    units = [linked_broker.enter(f"u-{number}") for number in range(2, 6)]
    plans = [(topics.to_unit("u-2", In.PLAN), b"x" * 2_000) for _ in range(MANY)]
    sending = threading.Thread(target=lambda: link.publish_all(plans, qos=1, retain=True))
    sending.start()
    for number, unit in enumerate(units, 2):
        unit.publish(topics.from_unit(f"u-{number}", Out.REPORTED), b"{}", 1)
    sending.join(60)
    assert link.flush()
    waited = {topics.from_unit(f"u-{number}", Out.REPORTED) for number in range(2, 6)}
    while waited:  # our own retained words come first
        waited.discard(link.inbox.get(timeout=60).topic)
    for unit in units:
        unit.goodbye()


def test_nothing_is_on_its_way_while_there_is_no_link(linked_broker: OverSockets) -> None:
    away = PahoLink(BrokerAddress(*linked_broker.address, CONTROLLER, "x"), SystemClock(), lambda: None)
    assert away.publish_all([(topics.to_unit("u-1", In.PLAN), b"x")], qos=1, retain=True) == 0
    assert away.flush()
