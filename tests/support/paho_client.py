"""A paho client that never reconnects on its own, so that a test sees what the broker did to it."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Sequence
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from support.wait import until

from controller.mqtt.socket_tuning import TunedClient
from device_sim.broker import REFUSED, NotLetIn, Packet


class PahoParty:
    """One connection. `inbox` holds what arrived, in order."""

    def __init__(
        self,
        address: tuple[str, int],
        client_id: str,
        name: str,
        secret: str,
        clean: bool,
        will: Packet | None,
        tls: tuple[str, str | None, str | None] | None = None,
    ) -> None:
        """`name` "" sends no user name; `tls` is (authority, certificate, key) as file names, the last two
        None for who has no certificate.

        Raises NotLetIn, or OSError where nobody answers.
        """
        self.inbox: list[Packet] = []
        self.session_present = False
        self._granted: dict[int | None, int] = {}
        self._acknowledged: set[int] = set()
        self._answer = threading.Event()
        self._code = -1
        self._over = threading.Event()
        self._client = client = TunedClient(CallbackAPIVersion.VERSION2, client_id=client_id, clean_session=clean)
        if name:
            client.username_pw_set(name, secret)
        if will is not None:
            client.will_set(will.topic, will.payload, will.qos, will.retain)
        if tls is not None:
            client.tls_set(*tls)
        client.on_connect = self._connected
        client.on_message = self._arrived
        client.on_subscribe = self._subscribed
        client.on_publish = self._published
        client.connect(*address, keepalive=60)
        self._thread = threading.Thread(target=self._run, name=f"paho {client_id}", daemon=True)
        self._thread.start()
        until(lambda: self._answer.is_set() or self._over.is_set(), f"answer to the connect of {client_id}")
        if self._code != 0:
            self._thread.join(60)
            raise NotLetIn(client_id) if self._answer.is_set() else ConnectionError("closed without an answer")

    @property
    def is_open(self) -> bool:
        return not self._over.is_set()

    def subscribe(self, pattern: str, qos: int = 0) -> int:
        """The granted QoS, or REFUSED."""
        _, number = self._client.subscribe(pattern, qos)
        until(lambda: number in self._granted or not self.is_open, f"answer to the subscription {pattern}")
        return self._granted.get(number, REFUSED)

    def publish(self, topic: str, payload: bytes, qos: int = 1, retain: bool = False) -> None:
        """Returns when the broker has acknowledged it, or has closed the connection over it."""
        info = self._client.publish(topic, payload, qos, retain)
        until(lambda: info.mid in self._acknowledged or not self.is_open, f"acknowledgement on {topic}")

    def pour(self, messages: Sequence[tuple[str, bytes]]) -> None:
        """Hand them over at QoS 1 as fast as the connection takes them, without waiting for anything."""
        for topic, payload in messages:
            self._client.publish(topic, payload, 1)

    def goodbye(self) -> None:
        with contextlib.suppress(OSError):  # the broker has gone first, and the client's own pipe with it
            self._client.disconnect()
        self._thread.join(60)

    def drop(self) -> None:
        """Cut the link without a word, as a power cut does."""
        sock: Any = self._client.socket()
        if sock is not None:
            sock.shutdown(socket.SHUT_RDWR)
        self._thread.join(60)

    def _run(self) -> None:
        while self._client.loop(timeout=0.2) == MQTTErrorCode.MQTT_ERR_SUCCESS:
            pass
        self._over.set()
        self._client.close()

    def _connected(self, _client: object, _data: object, flags: mqtt.ConnectFlags, code: Any, _more: object) -> None:
        self.session_present = flags.session_present
        self._code = code.value
        self._answer.set()

    def _arrived(self, _client: object, _data: object, message: mqtt.MQTTMessage) -> None:
        self.inbox.append(Packet(message.topic, message.payload, message.qos, message.retain))

    def _subscribed(self, _client: object, _data: object, number: int, codes: Any, _more: object) -> None:
        self._granted[number] = codes[0].value

    def _published(self, _client: object, _data: object, number: int, _code: object, _more: object) -> None:
        self._acknowledged.add(number)
