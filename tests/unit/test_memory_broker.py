"""What the shared suite cannot see of the broker in memory: order, callbacks, revocation."""

from __future__ import annotations

import pytest

from broadcasts.wire import topics
from broadcasts.wire.topics import In, Out
from device_sim.broker import Broker, NotLetIn, Packet

JOURNAL = topics.from_unit("u-1", Out.JOURNAL)
COMMAND = topics.to_unit("u-1", In.COMMAND)


@pytest.fixture
def broker() -> Broker:
    broker = Broker()
    broker.admit_controller("controller", "c")
    broker.admit_unit("u-1", "1")
    broker.admit_unit("u-2", "2")
    return broker


def test_an_answer_is_delivered_after_what_it_answers_has_reached_everybody(broker: Broker) -> None:
    heard: list[tuple[str, bytes]] = []
    controller = broker.connect("controller", "controller", "c", on_packet=lambda p: heard.append(("c", p.payload)))

    def answer(packet: Packet) -> None:
        heard.append(("u-1", packet.payload))
        unit.publish(JOURNAL, b"answer to " + packet.payload)

    unit = broker.connect("u-1", "u-1", "1", on_packet=answer)
    other = broker.connect("u-2", "u-2", "2", on_packet=lambda p: heard.append(("u-2", p.payload)))
    controller.subscribe("loa/v1/u/+/out/#", 1)
    unit.subscribe(topics.TRUST)
    other.subscribe(topics.TRUST)
    controller.publish(topics.TRUST, b"news")
    assert heard == [("u-1", b"news"), ("u-2", b"news"), ("c", b"answer to news")]


def test_what_a_lasting_session_missed_while_its_link_died_is_still_owed(broker: Broker) -> None:
    controller = broker.connect("controller", "controller", "c", clean=False, on_packet=lambda _: controller.drop())
    controller.subscribe("loa/v1/u/+/out/#", 1)
    unit = broker.connect("u-1", "u-1", "1")
    unit.publish(JOURNAL, b"breaks the link")
    unit.publish(JOURNAL, b"while away")
    unit.publish(JOURNAL, b"not worth keeping", qos=0)
    assert [p.payload for p in broker.connect("controller", "controller", "c", clean=False).inbox] == [b"while away"]


def test_a_full_queue_drops_the_newest(broker: Broker) -> None:
    small = Broker(max_waiting=2)
    small.admit_controller("controller", "c")
    small.admit_unit("u-1", "1")
    away = small.connect("controller", "controller", "c", clean=False)
    away.subscribe("loa/v1/u/+/out/#", 1)
    away.drop()
    unit = small.connect("u-1", "u-1", "1")
    for number in (b"1", b"2", b"3"):
        unit.publish(JOURNAL, number)
    back = small.connect("controller", "controller", "c", clean=False)
    assert [packet.payload for packet in back.inbox] == [b"1", b"2"]


def test_a_revoked_unit_is_cut_off_its_will_unheard_and_its_branch_closed(broker: Broker) -> None:
    ended: list[str] = []
    will = Packet(topics.from_unit("u-1", Out.PRESENCE), b"gone", 1, True)
    controller = broker.connect("controller", "controller", "c")
    controller.subscribe("loa/v1/u/+/out/#", 1)
    unit = broker.connect("u-1", "u-1", "1", will=will, on_closed=lambda: ended.append("u-1"))
    broker.revoke("u-1")
    assert ended == ["u-1"]
    assert not unit.is_open
    assert controller.inbox == []
    assert broker.not_allowed == 1
    with pytest.raises(NotLetIn):
        broker.connect("u-1", "u-1", "1")


def test_a_dead_connection_can_neither_speak_nor_listen(broker: Broker) -> None:
    controller = broker.connect("controller", "controller", "c")
    unit = broker.connect("u-1", "u-1", "1")
    controller.subscribe("loa/v1/u/+/out/#", 1)
    unit.drop()
    unit.drop()
    unit.publish(JOURNAL, b"from the grave")
    assert unit.subscribe("loa/v1/u/u-1/in/#") == 0x80
    controller.publish(COMMAND, b"to nobody")
    assert controller.inbox == unit.inbox == []
