"""A revoked unit at the embedded broker: out at once, nothing left, others undisturbed (R-084)."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.brokers import embedded
from support.parties import OverSockets, payloads, wait_for
from support.wait import until

from broadcasts.clock import SystemClock
from broadcasts.wire import topics
from broadcasts.wire.topics import In, Out
from controller.mqtt.broker_users import CONTROLLER, new_secret
from controller.mqtt.doors import EmbeddedDoor
from controller.services.unit_clearing import Proof
from device_sim.broker import NotLetIn

THIEF, BYSTANDER = "u-thief", "u-bystander"


@pytest.mark.requirement("R-084")
def test_a_revoked_unit_is_out_at_once_and_leaves_nothing_while_others_miss_nothing(tmp_path: Path) -> None:
    known = {name: new_secret() for name in (THIEF, BYSTANDER, CONTROLLER)}
    stolen = known[THIEF]
    with embedded(tmp_path, known) as running:
        broker = OverSockets(running.address, known, running.restart, running.wipe)
        door = EmbeddedDoor(running, SystemClock())
        controller, bystander = broker.enter(CONTROLLER), broker.enter(BYSTANDER)
        for pattern in topics.CONTROLLER_FILTERS:
            controller.subscribe(pattern, 1)
        bystander.subscribe(f"loa/v1/u/{BYSTANDER}/in/#", 1)
        thief = broker.enter(THIEF, clean=False)
        thief.subscribe(f"loa/v1/u/{THIEF}/in/#", 1)
        for kind in (Out.REPORTED, Out.PRESENCE):
            thief.publish(topics.from_unit(THIEF, kind), b"retained", retain=True)
            wait_for(controller, topics.from_unit(THIEF, kind), b"retained")
        command = topics.to_unit(BYSTANDER, In.COMMAND)
        for number in range(20):
            controller.publish(command, b"%d" % number)
        assert door.prove(THIEF) is Proof.OPEN

        del known[THIEF]
        door.empty(THIEF)
        assert door.shut([THIEF])
        until(lambda: not thief.is_open, "the thief is cut off")
        assert door.prove(THIEF) is Proof.REFUSED
        for secret in (stolen, "", "wrong"):
            with pytest.raises(NotLetIn):
                broker.enter(THIEF, secret=secret)
        for number in range(20, 40):
            controller.publish(command, b"%d" % number)
        wait_for(bystander, command, b"39")
        assert payloads(bystander, command) == [b"%d" % number for number in range(40)]
        assert bystander.is_open
        assert controller.is_open
        for kind in (Out.REPORTED, Out.PRESENCE):
            wait_for(controller, topics.from_unit(THIEF, kind), b"")

        controller.goodbye()
        again = broker.enter(CONTROLLER)
        for pattern in topics.CONTROLLER_FILTERS:
            again.subscribe(pattern, 1)
        again.publish(topics.CANARY, b"fence")
        wait_for(again, topics.CANARY, b"fence")
        assert [packet for packet in again.inbox if THIEF in packet.topic.split("/")] == []
        for party in (again, bystander):
            party.goodbye()
        known[THIEF] = new_secret()
        running.reload()
        heir = broker.enter(THIEF, clean=False)
        assert not getattr(heir, "session_present", True)  # nothing waits under the old name
        heir.goodbye()
