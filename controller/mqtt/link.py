"""The controller's one door to paho. Callbacks decode nothing and decide nothing: they put raw bytes on a queue.

`run` is the network loop, in a thread that bootstrap owns: that thread's life is the one honest witness that anybody
listens, because paho's own `is_connected()` stays true after a callback has killed its loop (codebases.md, section 4).
"""

from __future__ import annotations

import logging
import queue
import ssl
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode

from broadcasts.clock import Clock
from broadcasts.wire import topics
from controller.mqtt.flood import FloodGate
from controller.mqtt.inbound import Received
from controller.mqtt.socket_tuning import TunedClient

_LOG = logging.getLogger("loa.mqtt")
NO_LIMIT = 0
"""Of messages on their way: who says many at once waits for them in between, and under a limit paho looks through all
of them at every acknowledgement."""
KEEP_ALIVE_S = 30
FLUSH_S = 15.0
LOOK_BACK_S = 10.0
"""What was retained comes at once; after that our own documents would only echo every word we say."""
INBOX = 100_000


@dataclass(frozen=True)
class BrokerAddress:
    host: str
    port: int
    user: str
    secret: str
    """Empty: the certificate in `tls` says who we are."""
    tls: ssl.SSLContext | None = None
    """From `controller.mqtt.tls`; none: plain, on loopback."""


class PahoLink:
    """Implements `services.ports.Link` over MQTT 3.1.1, with a session that the broker keeps for us."""

    def __init__(
        self, broker: BrokerAddress, clock: Clock, on_up: Callable[[], None], look_back_s: float = LOOK_BACK_S
    ) -> None:
        self._broker = broker
        self._clock = clock
        self._on_up = on_up
        self.inbox: queue.Queue[Received] = queue.Queue(INBOX)
        self.dropped = 0
        """Messages that found the inbox full: journals are sent again, the rest was only status."""
        self.connects = 0
        """How often the broker accepted us."""
        self.published = 0
        self.flood = FloodGate(clock, self._take_in)
        self._up = False
        self._look_back_s, self._looks_back_until = look_back_s, 0.0
        """Zero: that is over."""
        self._refused: ReasonCode | None = None
        self._pending: list[mqtt.MQTTMessageInfo] = []
        self._client = TunedClient(
            CallbackAPIVersion.VERSION2, client_id=broker.user, clean_session=False, protocol=mqtt.MQTTv311
        )
        if broker.secret:
            self._client.username_pw_set(broker.user, broker.secret)
        self._client.max_inflight_messages_set(NO_LIMIT)
        self._client.max_queued_messages_set(0)
        self._client.reconnect_delay_set(1, 10)
        if broker.tls is not None:
            self._client.tls_set_context(broker.tls)
        self._client.on_connect = self._connected
        self._client.on_disconnect = self._disconnected
        self._client.on_message = self._arrived

    @property
    def up(self) -> bool:
        return self._up

    def run(self) -> None:
        """Blocks until `close`. Reconnects by itself, also when the broker is not there yet."""
        self._client.connect_async(self._broker.host, self._broker.port, KEEP_ALIVE_S)
        self._client.loop_forever(retry_first_connection=True)

    def close(self) -> None:
        self._client.disconnect()

    def publish(self, topic: str, payload: bytes, *, qos: int, retain: bool) -> bool:
        if not self._up:
            return False
        info = self._client.publish(topic, payload, qos, retain)
        self.published += info.rc == mqtt.MQTT_ERR_SUCCESS
        if qos and info.rc == mqtt.MQTT_ERR_SUCCESS:
            self._pending.append(info)
        return info.rc == mqtt.MQTT_ERR_SUCCESS

    def publish_all(self, messages: Iterable[tuple[str, bytes]], *, qos: int, retain: bool) -> int:
        sent = 0
        with self._client.gathered():
            for topic, payload in messages:
                if not self.publish(topic, payload, qos=qos, retain=retain):
                    break
                sent += 1
        return sent

    def flush(self) -> bool:
        waiting, self._pending = self._pending, []
        deadline = self._clock.monotonic() + FLUSH_S
        for info in reversed(waiting):  # when the last one is acknowledged, nearly all are: not woken for each
            try:
                info.wait_for_publish(max(0.0, deadline - self._clock.monotonic()))
            except (ValueError, RuntimeError):
                return False
            if not info.is_published():
                return False
        return True

    def _connected(self, client: mqtt.Client, _: Any, __: Any, reason: ReasonCode, ___: Any) -> None:
        if reason.is_failure:
            if reason != self._refused:
                _LOG.warning("the broker refuses us: %s", reason)
            self._refused = reason
            return
        self._refused = None
        client.subscribe([(each, 1) for each in (*topics.CONTROLLER_FILTERS, *topics.CONTROLLER_LOOKBACK)])
        self._looks_back_until = self._clock.monotonic() + self._look_back_s
        self._up = True
        self.connects += 1
        self._on_up()

    def _disconnected(self, *_: Any) -> None:
        self._up = False

    def _arrived(self, client: mqtt.Client, _: Any, message: mqtt.MQTTMessage) -> None:
        over = self._looks_back_until
        if over and not message.retain and self._clock.monotonic() >= over:
            self._looks_back_until = 0.0
            client.unsubscribe(list(topics.CONTROLLER_LOOKBACK))
        try:
            topic = message.topic
        except UnicodeDecodeError:
            self.dropped += 1
            return
        self.flood.offer(Received(topic, bytes(message.payload), message.retain, self._clock.now()))

    def _take_in(self, received: Received) -> None:
        try:
            self.inbox.put_nowait(received)
        except queue.Full:
            self.dropped += 1
