"""In a revoked unit's own name at the broker: to cut off whoever holds its session and take off what it left, and later
to try whether the broker refuses it. One connection, clean, for a moment; nothing is believed that was not tried."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Sequence
from enum import Enum
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode

from broadcasts.clock import Clock
from broadcasts.wire import topics
from controller.mqtt.link import BrokerAddress
from controller.mqtt.socket_tuning import TunedClient

PATIENCE_S = 5.0
_REFUSED = 128


class Entry(Enum):
    IN = "let in"
    REFUSED = "refused"
    AWAY = "nobody answered"
    """Also where TLS did not come about: then it is the broker that does not know our authority."""


class StandIn:
    """`broker.user` is the unit. Connects when made; `leave` ends it."""

    def __init__(self, broker: BrokerAddress, clock: Clock) -> None:
        self._clock = clock
        self._code: int | None = None
        self._granted: list[int] | None = None
        self._said: set[int] = set()
        self._lost = False
        self._client = client = TunedClient(
            CallbackAPIVersion.VERSION2, client_id=broker.user, clean_session=True, protocol=mqtt.MQTTv311
        )
        if broker.secret:
            client.username_pw_set(broker.user, broker.secret)
        if broker.tls is not None:
            client.tls_set_context(broker.tls)
        client.on_connect = self._connected
        client.on_subscribe = self._subscribed
        client.on_publish = self._published
        self.entry = self._enter(broker)

    def may_read(self) -> bool:
        """What every unit may."""
        self._client.subscribe(topics.TRUST, 0)
        self._wait(lambda: self._granted is not None)
        return self._granted is not None and self._granted[0] < _REFUSED

    def take_off(self, retained: Sequence[str]) -> bool:
        numbers = [self._client.publish(topic, b"", 1, retain=True).mid for topic in retained]
        self._wait(lambda: self._said.issuperset(numbers))
        return self._said.issuperset(numbers)

    def leave(self) -> None:
        self._client.disconnect()
        self._client.loop(timeout=0.05)
        self._client.close()

    def _enter(self, broker: BrokerAddress) -> Entry:
        try:
            self._client.connect(broker.host, broker.port, keepalive=10)
        except (ssl.SSLError, socket.gaierror, OSError):
            return Entry.AWAY
        self._wait(lambda: self._code is not None)
        if self._code == 0:
            return Entry.IN
        return Entry.REFUSED if self._code is not None else Entry.AWAY

    def _wait(self, done: Any) -> None:
        deadline = self._clock.monotonic() + PATIENCE_S
        while not done() and self._clock.monotonic() < deadline and not self._lost:
            self._lost = self._client.loop(timeout=0.1) != MQTTErrorCode.MQTT_ERR_SUCCESS

    def _connected(self, _client: object, _data: object, _flags: object, code: Any, _more: object) -> None:
        self._code = int(code.value)

    def _subscribed(self, _client: object, _data: object, _number: object, codes: Any, _more: object) -> None:
        self._granted = [int(code.value) for code in codes]

    def _published(self, _client: object, _data: object, number: int, _code: object, _more: object) -> None:
        self._said.add(number)
