"""The live side's only door to MQTT: many connections on one selector, no threads.

One paho client for each connection that a unit asks for, thrown away with it: a unit connects clean, so nothing of an
old connection may reach a new one. Dialling and the TLS handshake are steps of the selector too, because paho's own
`connect` blocks, and one dead route would stop the whole fleet. Nothing is decided here: when to connect again is the
unit's business.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import ssl
from collections import deque
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

from paho.mqtt.client import Client, ConnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from broadcasts.clock import Clock
from broadcasts.wire import topics
from device_sim.buffered import Buffered
from device_sim.events import Arrived, Connect, Inbox, LinkDown, LinkUp, Publish
from device_sim.tls import Tls

DIAL_S = 10.0
"""How long an attempt may take from the first packet to the last granted subscription."""
CHORES_S = 5.0
"""How often keep-alive and overdue attempts are looked at."""
PING_WAIT_S = 20.0
"""A ping without an answer for so long means a dead link (CONTRACT.md, section 1); paho waits a whole keep-alive."""
IN_FLIGHT = 1000
SUBSCRIBE_QOS = 0


class _Client(Client):
    """A paho client that is handed its socket instead of making one. `_create_socket`, `_in_packet` and `_ping_t` are
    private to paho 2.x: the version is pinned below 3 and `tests/integration/test_live_fleet.py` and `test_link.py` run
    over them."""

    ready: Buffered

    @property
    def is_between(self) -> bool:
        """No packet was read in part."""
        return not self._in_packet["command"]

    def waits_since(self) -> float:
        """When the ping left that is not answered (monotonic seconds); 0 without one."""
        return float(self._ping_t)

    def _create_socket(self) -> Any:
        return self.ready


class _Phase(Enum):
    DIALLING = auto()
    SHAKING = auto()
    JOINING = auto()
    """CONNECT and SUBSCRIBE are on their way."""
    OPEN = auto()
    CLOSED = auto()


@dataclass(eq=False)
class _Line:
    """One attempt to connect, and the connection that came of it."""

    unit: str
    asked: Connect
    sock: socket.socket
    overdue_at: float
    phase: _Phase = _Phase.DIALLING
    client: _Client | None = None
    abandoned: bool = False
    """The unit asked for something else meanwhile: nothing of this one is told any more."""
    early: list[Arrived] = field(default_factory=list)
    """What arrived before every subscription was granted: told after `LinkUp`."""
    watched: int = 0


class Links:
    """All connections of a fleet. Events gather until `take` is called, so that no unit runs inside a callback."""

    def __init__(self, host: str, port: int, clock: Clock, tls: Tls | None = None) -> None:
        """With `tls` every connection is encrypted and the broker's name checked. Raises OSError: no such host."""
        self._host, self._port, self._clock, self._tls = host, port, clock, tls
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        self._family, self._address = found[0], found[4]
        self._selector = selectors.DefaultSelector()
        self._lines: dict[str, _Line] = {}
        self._unsent: set[_Line] = set()
        self._events: deque[tuple[_Line, Inbox]] = deque()
        self._chores_at = clock.monotonic()
        self._waker, self._wake_end = socket.socketpair()
        for end in (self._waker, self._wake_end):
            end.setblocking(False)
        self._selector.register(self._wake_end, selectors.EVENT_READ, None)

    # --- what a unit asks for

    def connect(self, unit: str, asked: Connect) -> None:
        """One attempt, answered by `LinkUp` or `LinkDown`. A connection that this unit still had is dropped."""
        self.cut(unit, tell=False)
        sock = socket.socket(self._family, socket.SOCK_STREAM)
        sock.setblocking(False)
        # Without it every command and its answer waits 44 ms for the peer's delayed acknowledgement.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        line = _Line(unit, asked, sock, self._clock.monotonic() + DIAL_S)
        self._lines[unit] = line
        try:
            sock.connect(self._address)
        except BlockingIOError:
            pass
        except OSError:
            self._lost(line)
            return
        self._watch(line, selectors.EVENT_WRITE)

    def publish(self, unit: str, message: Publish) -> None:
        """Silently nothing without a connection: what matters is said again by the unit."""
        line = self._lines.get(unit)
        if line is not None and line.client is not None and line.phase is _Phase.OPEN:
            line.client.publish(message.topic, message.payload, message.qos, message.retain)

    def disconnect(self, unit: str) -> None:
        """Politely: the broker forgets the will. No `LinkDown` follows."""
        line = self._lines.get(unit)
        if line is None:
            return
        line.abandoned = True
        if line.client is not None and line.phase is _Phase.OPEN:
            line.phase = _Phase.CLOSED
            line.client.disconnect()
            line.client.loop_write()
        self._close(line)

    def cut(self, unit: str, *, tell: bool = True) -> None:
        """As if the mast fell: the broker finds out by itself and speaks the will; the unit hears `LinkDown`."""
        line = self._lines.get(unit)
        if line is not None and tell:
            self._lost(line)
        elif line is not None:
            line.abandoned = True
            self._close(line)

    def sever(self, unit: str) -> None:
        """As if the operator forgot the connection: it looks up, and nothing passes either way."""
        line = self._lines.get(unit)
        if line is not None and line.client is not None and line.phase is _Phase.OPEN:
            line.client.ready.severed = True
            if line.watched:
                self._selector.unregister(line.sock)
            line.watched = 0

    def is_open(self, unit: str) -> bool:
        line = self._lines.get(unit)
        return line is not None and line.phase is _Phase.OPEN

    # --- the loop's side

    def wake(self) -> None:
        """Make a `poll` that waits return; may be called from any thread."""
        with contextlib.suppress(OSError):  # enough of them are under way, or all is over
            self._waker.send(b"!")

    def poll(self, timeout_s: float) -> None:
        """Move bytes; wait for at most `timeout_s` for something to move."""
        self.flush()
        if self._events:
            timeout_s = 0
        chores_in = self._chores_at - self._clock.monotonic()
        for key, mask in self._selector.select(max(0.0, min(timeout_s, chores_in))):
            if isinstance(key.data, _Line):
                self._move(key.data, mask)
            else:
                self._drain()
        if self._clock.monotonic() >= self._chores_at:
            self._chores()
        self.flush()

    def take(self) -> list[tuple[str, Inbox]]:
        """What happened since the last call: (unit, event), in order."""
        taken = [(line.unit, event) for line, event in self._events if not line.abandoned]
        self._events.clear()
        return taken

    def close(self) -> None:
        """Power fails everywhere: the broker speaks every will."""
        for unit in list(self._lines):
            self.cut(unit, tell=False)
        self._selector.close()
        self._waker.close()
        self._wake_end.close()

    # --- inside

    def _drain(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._wake_end.recv(4096):
                pass

    def _watch(self, line: _Line, mask: int) -> None:
        if mask == line.watched:
            return
        if line.watched:
            self._selector.modify(line.sock, mask, line)
        else:
            self._selector.register(line.sock, mask, line)
        line.watched = mask

    def _move(self, line: _Line, mask: int) -> None:
        if line.phase is _Phase.DIALLING:
            self._dialled(line)
        elif line.phase is _Phase.SHAKING:
            self._shake(line)
        elif line.client is not None:
            if mask & selectors.EVENT_READ:
                self._read(line, line.client)
            if mask & selectors.EVENT_WRITE and line.phase is not _Phase.CLOSED:
                self._unsent.add(line)

    def _dialled(self, line: _Line) -> None:
        if line.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self._lost(line)
        elif self._tls is None:
            self._join(line)
        else:
            # The wrapped socket takes over the descriptor, so the selector has to meet it anew.
            self._selector.unregister(line.sock)
            line.watched = 0
            line.sock = self._tls.of(line.unit).wrap_socket(
                line.sock, server_hostname=self._host, do_handshake_on_connect=False
            )
            line.phase = _Phase.SHAKING
            self._shake(line)

    def _shake(self, line: _Line) -> None:
        assert isinstance(line.sock, ssl.SSLSocket)
        try:
            line.sock.do_handshake()
        except ssl.SSLWantReadError:
            self._watch(line, selectors.EVENT_READ)
        except ssl.SSLWantWriteError:
            self._watch(line, selectors.EVENT_WRITE)
        except OSError:  # a wrong certificate, or a peer that is no TLS server
            self._lost(line)
        else:
            self._join(line)

    def _join(self, line: _Line) -> None:
        asked = line.asked
        client = _Client(
            CallbackAPIVersion.VERSION2,
            client_id=asked.client_id,
            clean_session=True,
            protocol=MQTTProtocolVersion.MQTTv311,
            userdata=line,
        )
        if self._tls is None or line.unit not in self._tls.own:  # else the certificate says it, and no secret travels
            client.username_pw_set(asked.client_id, asked.secret)
        manner = topics.MANNERS[topics.Out.PRESENCE]
        client.will_set(asked.will_topic, asked.will_payload, manner.qos, manner.retain)
        client.max_inflight_messages_set(IN_FLIGHT)
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        client.on_socket_register_write = self._on_want_write
        client.ready = Buffered(line.sock)
        line.client, line.phase = client, _Phase.JOINING
        client.connect_async(self._host, self._port, asked.keep_alive_s)
        self._watch(line, selectors.EVENT_READ)
        client.reconnect()

    def _on_connect(
        self, client: Client, line: _Line, flags: ConnectFlags, reason: ReasonCode, properties: Properties | None
    ) -> None:
        if not reason.is_failure:
            client.subscribe([(each, SUBSCRIBE_QOS) for each in topics.unit_filters(line.unit)])

    def _on_subscribe(
        self, client: Client, line: _Line, mid: int, reasons: list[ReasonCode], properties: Properties | None
    ) -> None:
        if any(reason.is_failure for reason in reasons):
            line.overdue_at = 0.0  # given up at the next look: closing inside a callback would pull paho's own rug
            self._chores_at = 0.0
            return
        line.phase = _Phase.OPEN
        self._events.append((line, LinkUp()))
        self._events.extend((line, arrived) for arrived in line.early)
        line.early.clear()

    def _on_message(self, client: Client, line: _Line, message: MQTTMessage) -> None:
        arrived = Arrived(message.topic, bytes(message.payload))
        if line.phase is _Phase.OPEN:
            self._events.append((line, arrived))
        else:
            line.early.append(arrived)

    def _on_want_write(self, client: Client, line: _Line, sock: object) -> None:
        self._unsent.add(line)

    def _read(self, line: _Line, client: _Client) -> None:
        """Messages of QoS 0 are most of what comes, and live voice is ten a second for each unit: they take the short
        way past paho, which is asked for the rest."""
        if line.phase is _Phase.OPEN and client.is_between and client.ready.fill():
            self._events.extend((line, Arrived(*each)) for each in client.ready.published())
            if not client.ready.pending():
                return
        failed = client.loop_read()
        while not failed and line.phase is not _Phase.CLOSED and client.socket() is not None and client.ready.pending():
            failed = client.loop_read()
        if failed or client.socket() is None:
            self._lost(line)

    def flush(self) -> None:
        """Bytes leave at once instead of after another round of the selector; what does not fit waits for it."""
        waiting, self._unsent = self._unsent, set()
        for line in waiting:
            client = line.client
            if client is None or line.phase is _Phase.CLOSED:
                continue
            if client.loop_write() is not MQTTErrorCode.MQTT_ERR_SUCCESS or client.socket() is None:
                self._lost(line)
            else:
                more = selectors.EVENT_WRITE if client.want_write() else 0
                if not client.ready.severed:
                    self._watch(line, selectors.EVENT_READ | more)

    def _chores(self) -> None:
        now = self._clock.monotonic()
        self._chores_at = now + CHORES_S
        for line in list(self._lines.values()):
            if line.phase is not _Phase.OPEN:
                if now >= line.overdue_at:
                    self._lost(line)
            elif line.client is not None:
                waits = line.client.waits_since()
                failed = line.client.loop_misc() is not MQTTErrorCode.MQTT_ERR_SUCCESS
                if failed or (waits and now - waits >= PING_WAIT_S):
                    self._lost(line)

    def _lost(self, line: _Line) -> None:
        if line.phase is not _Phase.CLOSED:
            self._close(line)
            self._events.append((line, LinkDown()))

    def _close(self, line: _Line) -> None:
        line.phase = _Phase.CLOSED
        self._unsent.discard(line)
        if self._lines.get(line.unit) is line:
            del self._lines[line.unit]
        if line.watched:
            self._selector.unregister(line.sock)
            line.watched = 0
        line.sock.close()
