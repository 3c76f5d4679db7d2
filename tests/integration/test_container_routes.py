"""The last route of the fixtures, through testcontainers: the same servers that other tests get from programs."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from support.brokers import mosquitto_by
from support.postgres import empty_database, postgres_by
from support.wait import until

from broadcasts.wire import topics
from broadcasts.wire.topics import In, Out
from controller.mqtt.broker_users import CONTROLLER, new_secret
from device_sim.broker import NotLetIn

pytestmark = pytest.mark.docker


def test_mosquitto_in_a_container_keeps_our_rights_and_its_store(tmp_path: Path) -> None:
    known = {name: new_secret() for name in (CONTROLLER, "u-1", "u-2")}
    with mosquitto_by("container", tmp_path, known) as broker:
        with pytest.raises(NotLetIn):
            broker.enter("u-1", secret="wrong")
        controller = broker.enter(CONTROLLER)
        controller.subscribe("loa/v1/u/+/out/#", 1)
        controller.publish(topics.to_unit("u-1", In.PLAN), b"kept", retain=True)
        broker.enter("u-2").publish(topics.from_unit("u-1", Out.REPORTED), b"forged")
        broker.enter("u-1").publish(topics.from_unit("u-1", Out.REPORTED), b"true")
        until(lambda: len(controller.inbox) > 0, "what the unit says of itself")
        assert [packet.payload for packet in controller.inbox] == [b"true"]
        broker.restart()
        unit = broker.enter("u-1")
        unit.subscribe("loa/v1/u/u-1/in/#")
        until(lambda: [packet.payload for packet in unit.inbox] == [b"kept"], "the retained plan")
        broker.wipe()
        late = broker.enter("u-1")
        late.subscribe("loa/v1/u/u-1/in/#")
        broker.enter(CONTROLLER).publish(topics.to_unit("u-1", In.COMMAND), b"fence")
        until(lambda: len(late.inbox) > 0, "the command")
        assert [packet.payload for packet in late.inbox] == [b"fence"]


def test_postgresql_in_a_container_gives_empty_databases() -> None:
    with postgres_by("container") as server, empty_database(server) as url:
        engine = create_engine(url)
        with engine.begin() as connection:
            connection.execute(text("create table pole (name text)"))
            assert connection.execute(text("select count(*) from pole")).scalar_one() == 0
        engine.dispose()
