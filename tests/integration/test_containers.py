"""The fixtures that start real servers in containers, run against a real engine (deploy/ci/engine.sh)."""

from __future__ import annotations

import queue

import paho.mqtt.client as mqtt
import psycopg
import pytest
from testcontainers.community.mqtt import MosquittoContainer
from testcontainers.community.postgres import PostgresContainer

pytestmark = pytest.mark.docker


def test_a_retained_message_in_a_mosquitto_container_reaches_a_later_subscriber() -> None:
    with MosquittoContainer("eclipse-mosquitto:2") as broker:
        address = broker.get_container_host_ip(), int(broker.get_exposed_port(1883))
        sender = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="sender")
        sender.connect(*address)
        sender.loop_start()
        sender.publish("here/now", b"17:00", qos=1, retain=True).wait_for_publish(10)
        sender.disconnect()
        sender.loop_stop()

        heard: queue.Queue[tuple[bytes, bool]] = queue.Queue()
        reader = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="reader")
        reader.on_message = lambda _client, _data, message: heard.put((message.payload, message.retain))
        reader.connect(*address)
        reader.subscribe("here/#", qos=1)
        reader.loop_start()
        try:
            assert heard.get(timeout=10) == (b"17:00", True)
        finally:
            reader.disconnect()
            reader.loop_stop()


def test_a_postgresql_container_keeps_what_was_committed_and_forgets_what_was_not() -> None:
    with PostgresContainer("postgres:15", driver=None) as server:
        url = server.get_connection_url()
        with psycopg.connect(url) as connection:
            connection.execute("create table pole (name text primary key)")
            connection.execute("insert into pole values ('c-1')")
            connection.commit()
            connection.execute("insert into pole values ('c-2')")
            connection.rollback()
        with psycopg.connect(url) as connection:
            assert connection.execute("select name from pole").fetchall() == [("c-1",)]
