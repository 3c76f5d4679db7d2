"""A broker in memory: what MQTT 3.1.1 promises and the contract relies on, with no thread, clock or socket.

It passes the same suite as the real brokers (`tests/contract/test_broker_*.py`), so virtual time may trust it.
Everything happens inside the call that causes it, in the order of the calls; a message that a receiver publishes while
it is being told something is delivered after that, never in the middle.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from broadcasts.wire import topics

REFUSED = 0x80
"""The granted QoS of a subscription that may not be (MQTT 3.1.1 section 3.9.3)."""


class NotLetIn(Exception):
    """CONNACK 5: unknown name, wrong secret, or a client id that is not the name."""


@dataclass(frozen=True)
class Packet:
    """`retain` is set on what was kept from before the subscription, clear on what happens now."""

    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False


@dataclass(frozen=True)
class _Account:
    secret: str
    reads: tuple[str, ...]
    writes: tuple[str, ...]


@dataclass
class _Session:
    """What the broker knows of one client id; outlives the connection when it is not clean."""

    clean: bool
    filters: dict[str, int] = field(default_factory=dict)
    waiting: deque[Packet] = field(default_factory=deque)


class Connection:
    """One client's end. Calls on a closed connection do nothing, as packets on a dead socket do."""

    def __init__(
        self,
        broker: Broker,
        name: str,
        session: _Session,
        will: Packet | None,
        on_packet: Callable[[Packet], None] | None,
        on_closed: Callable[[], None] | None,
    ) -> None:
        self._broker, self.name, self.session, self.will = broker, name, session, will
        self.is_open = True
        self.inbox: list[Packet] = []
        self._on_packet = on_packet or self.inbox.append
        self._on_closed = on_closed

    def subscribe(self, pattern: str, qos: int = 0) -> int:
        """The granted QoS, or REFUSED."""
        return self._broker.subscribe(self, pattern, qos) if self.is_open else REFUSED

    def unsubscribe(self, pattern: str) -> None:
        if self.is_open and self.session.filters.pop(pattern, None) is not None:
            self._broker.unlist(self.name, pattern)

    def publish(self, topic: str, payload: bytes, qos: int = 1, retain: bool = False) -> None:
        if self.is_open:
            self._broker.publish(self, Packet(topic, payload, qos, retain))

    def goodbye(self) -> None:
        """A clean DISCONNECT: the will is forgotten."""
        self.will = None
        self._broker.close(self)

    def drop(self) -> None:
        """The link is gone: the will speaks."""
        self._broker.close(self)

    def hear(self, packet: Packet) -> None:
        self._on_packet(packet)

    def closed(self) -> None:
        self.is_open = False
        if self._on_closed is not None:
            self._on_closed()


class Broker:
    def __init__(self, max_bytes: int = topics.MAX_BYTES, max_waiting: int = 100_000) -> None:
        """A payload above `max_bytes` costs its sender the connection; a queue holds `max_waiting`, then drops."""
        self._max_bytes, self._max_waiting = max_bytes, max_waiting
        self._accounts: dict[str, _Account] = {}
        self._sessions: dict[str, _Session] = {}
        self._online: dict[str, Connection] = {}
        self._kept: dict[str, Packet] = {}
        self._wanted: dict[str, dict[str, int]] = {}
        """Filter to session name to QoS: finding who wants a topic must not cost a look at everybody."""
        self._with_plus: set[str] = set()
        self._moving: deque[tuple[Connection, Packet]] = deque()
        self._is_moving = False
        self.not_allowed = 0
        """Publications dropped because their author has no right to the topic."""

    def admit_unit(self, name: str, secret: str) -> None:
        self._accounts[name] = _Account(secret, topics.unit_filters(name), topics.unit_may_write(name))

    def admit_controller(self, name: str, secret: str) -> None:
        self._accounts[name] = _Account(secret, topics.CONTROLLER_MAY_READ, topics.CONTROLLER_MAY_WRITE)

    def revoke(self, name: str) -> None:
        """The name is no longer known, and who is connected by it is cut off."""
        self._accounts.pop(name, None)
        if name in self._online:
            self._online[name].drop()

    def connect(
        self,
        client_id: str,
        name: str,
        secret: str,
        *,
        clean: bool = True,
        will: Packet | None = None,
        on_packet: Callable[[Packet], None] | None = None,
        on_closed: Callable[[], None] | None = None,
    ) -> Connection:
        """Without `on_packet`, packets gather in the connection's `inbox`. Raises NotLetIn."""
        account = self._accounts.get(name)
        if account is None or account.secret != secret or client_id != name:
            raise NotLetIn(name)
        if name in self._online:
            self._online[name].drop()  # takeover: the newer connection wins, the old one's will speaks
        session = self._sessions.get(name)
        if session is None or clean or session.clean:
            self._end_session(name)
            session = _Session(clean)
        session.clean = clean
        self._sessions[name] = session
        connection = self._online[name] = Connection(self, name, session, will, on_packet, on_closed)
        while session.waiting:
            self._moving.append((connection, session.waiting.popleft()))
        self._move()
        return connection

    def subscribe(self, connection: Connection, pattern: str, qos: int) -> int:
        if not topics.may_read(self._accounts[connection.name].reads, pattern):
            return REFUSED
        connection.session.filters[pattern] = qos
        self._wanted.setdefault(pattern, {})[connection.name] = qos
        if "+" in pattern:
            self._with_plus.add(pattern)
        begins = pattern.split("+", 1)[0].split("#", 1)[0].rstrip("/")  # most topics need no closer look
        for topic, packet in sorted(item for item in self._kept.items() if item[0].startswith(begins)):
            if topics.matches(pattern, topic):
                self._moving.append((connection, replace(packet, qos=min(qos, packet.qos), retain=True)))
        self._move()
        return qos

    def publish(self, connection: Connection, packet: Packet) -> None:
        if len(packet.payload) > self._max_bytes:
            connection.drop()
        else:
            self._accept(connection.name, packet)

    def close(self, connection: Connection) -> None:
        """A will, if any is left, is published in the client's name."""
        if not connection.is_open:
            return
        self._forget(connection)
        if connection.will is not None:
            self._accept(connection.name, connection.will)

    def restart(self) -> None:
        """Everybody is cut off without a will; what was kept and whose session was to last is still there."""
        for connection in list(self._online.values()):
            self._forget(connection)

    def wipe(self) -> None:
        """A restart with an empty store."""
        self._kept.clear()
        for name in list(self._sessions):
            self._end_session(name)
        self.restart()

    def unlist(self, name: str, pattern: str) -> None:
        """`name` does not want `pattern` any more."""
        wanting = self._wanted.get(pattern, {})
        wanting.pop(name, None)
        if not wanting:
            self._wanted.pop(pattern, None)
            self._with_plus.discard(pattern)

    def _end_session(self, name: str) -> None:
        session = self._sessions.pop(name, None)
        for pattern in session.filters if session is not None else ():
            self.unlist(name, pattern)

    def _granted(self, topic: str) -> dict[str, int]:
        """Who wants `topic`, with the highest QoS granted for it."""
        levels = topic.split("/")
        patterns = [topic, *("/".join([*levels[:depth], "#"]) for depth in range(len(levels) + 1))]
        patterns += [pattern for pattern in self._with_plus if topics.matches(pattern, topic)]
        granted: dict[str, int] = {}
        for pattern in patterns:
            if pattern in self._wanted and topics.matches(pattern, topic):
                for name, qos in self._wanted[pattern].items():
                    granted[name] = max(qos, granted.get(name, 0))
        return granted

    def _forget(self, connection: Connection) -> None:
        del self._online[connection.name]
        if connection.session.clean:
            self._end_session(connection.name)
        connection.closed()

    def _accept(self, author: str, packet: Packet) -> None:
        account = self._accounts.get(author)
        if account is None or not topics.may_write(account.writes, packet.topic):
            self.not_allowed += 1
            return
        if packet.retain:
            if packet.payload:
                self._kept[packet.topic] = packet
            else:
                self._kept.pop(packet.topic, None)
        for name, qos in self._granted(packet.topic).items():  # one copy, however many filters match
            handed = replace(packet, qos=min(qos, packet.qos), retain=False)
            self._hand_over(name, self._sessions[name], handed)
        self._move()

    def _hand_over(self, name: str, session: _Session, packet: Packet) -> None:
        if name in self._online:
            self._moving.append((self._online[name], packet))
        elif packet.qos and len(session.waiting) < self._max_waiting:
            session.waiting.append(packet)

    def _move(self) -> None:
        if self._is_moving:
            return
        self._is_moving = True
        try:
            while self._moving:
                connection, packet = self._moving.popleft()
                if connection.is_open:
                    connection.hear(packet)
                elif packet.qos and not connection.session.clean:
                    connection.session.waiting.append(packet)  # never acknowledged, so it is owed
        finally:
            self._is_moving = False
