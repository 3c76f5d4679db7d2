"""Bytes are a bill (R-139): what a mobile operator counts for one unit, at IP level, both ways, by a stated model.

The model errs on the dear side: every record of TLS is acknowledged by a packet of its own, no handshake is resumed,
client and broker both show certificates, and a name is looked up for each connection. Not counted: what the operator
does not (the radio), and retransmissions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from broadcasts.wire.relay import STREAM_BIT_S

PACKET = 52
"""IPv4 header 20, TCP header 20, time stamps and padding 12: on every packet, and all that an acknowledgement is."""
SEGMENT = 1_348
"""Payload of one packet: an MTU of 1,400 as behind a mobile operator's tunnels."""
RECORD = 22
"""TLS 1.3: record header 5, inner content type 1, tag 16."""
RECORD_MOST = 16_384
OPENING = 3 * PACKET + 2 * 8
"""SYN, SYN+ACK (both with 8 bytes more of options), ACK."""
CLOSING = 4 * PACKET
LOOKUP = (28 + 46, 28 + 62)
"""DNS over UDP: question and answer, headers included."""
HELLO, SERVER_FLIGHT, CLIENT_FLIGHT, TICKETS = 517, 2_300, 1_100, 2 * 250
"""TLS 1.3 with chains of two ECDSA certificates on either side: ClientHello (padded), ServerHello to Finished,
Certificate to Finished of the client, two session tickets."""
HTTP_HEADS = 380 + 420
"""Request and answer of one download, without the body."""
DAY_MS = 86_400_000
MONTH_MS = 30 * DAY_MS
MOST_A_MONTH = 10_000_000
"""What an idle unit may cost (design, section 6)."""


def flight(size: int) -> int:
    """`size` bytes of a TCP stream in one direction, and their acknowledgements: one for every second packet."""
    packets = -(-size // SEGMENT)
    return size + packets * PACKET + -(-packets // 2) * PACKET


def packet(size: int) -> int:
    """One MQTT control packet, in as many TLS records as it needs."""
    return flight(size + -(-size // RECORD_MOST) * RECORD)


def publish(topic: str, size: int, qos: int) -> int:
    """PUBLISH with `size` bytes of payload, and PUBACK at QoS 1 (MQTT 3.1.1, sections 2.2, 3.3, 3.4)."""
    rest = 2 + len(topic.encode()) + (2 if qos else 0) + size
    return packet(1 + _length_bytes(rest) + rest) + (packet(4) if qos else 0)


def ping() -> int:
    """PINGREQ and PINGRESP."""
    return 2 * packet(2)


def connect(client_id: str, secret: str, will_topic: str, will_size: int, filters: Iterable[str]) -> int:
    """Look-up, TCP, TLS, CONNECT, CONNACK, SUBSCRIBE, SUBACK for each filter, and the end of the connection."""
    will = 2 + len(will_topic) + 2 + will_size
    rest = 10 + 2 + len(client_id) + will + 2 + len(client_id) + 2 + len(secret)
    mqtt = packet(1 + _length_bytes(rest) + rest) + packet(4)
    mqtt += sum(packet(2 + 2 + 2 + len(each) + 1) + packet(5) for each in filters)
    return _handshake() + mqtt + CLOSING


def download(size: int) -> int:
    """One GET on a connection of its own, `size` bytes of body."""
    records = -(-max(size, 1) // RECORD_MOST)
    return _handshake() + flight(HTTP_HEADS // 2 + RECORD) + flight(HTTP_HEADS // 2 + size + records * RECORD) + CLOSING


def stream(lasted_ms: int) -> int:
    """So much of another station at the rate of the contract, over HTTPS: every packet a record of its own."""
    size = lasted_ms * STREAM_BIT_S // 8_000
    return flight(size + -(-size // SEGMENT) * RECORD)


def _handshake() -> int:
    return sum(LOOKUP) + OPENING + sum(flight(size) for size in (HELLO, SERVER_FLIGHT, CLIENT_FLIGHT, TICKETS))


def _length_bytes(rest: int) -> int:
    return 1 + (rest > 127) + (rest > 16_383) + (rest > 2_097_151)


@dataclass
class Bill:
    """One unit's. Times are true Unix ms, and only grow."""

    keep_alive_ms: int = 240_000

    def __post_init__(self) -> None:
        self.bytes: Counter[str] = Counter()
        """By purpose: `connect`, `ping`, `files`, `relay`, `in/plan`, `out/telemetry`, `s/alert`, `trust`."""
        self.times: Counter[str] = Counter()
        self._quiet_since: int | None = None
        """When the unit last sent something on the connection that stands."""

    def connected(self, now: int, cost: int) -> None:
        self._pings(now)
        self._add("connect", cost)
        self._quiet_since = now

    def closed(self, now: int) -> None:
        self._pings(now)
        self._quiet_since = None

    def sent(self, now: int, topic: str, size: int, qos: int) -> None:
        self._pings(now)
        self._quiet_since = now
        self._add(purpose(topic), publish(topic, size, qos))

    def received(self, topic: str, size: int) -> None:
        """At the QoS of the subscription, which is 0."""
        self._add(purpose(topic), publish(topic, size, 0))

    def fetched(self, size: int) -> None:
        self._add("files", download(size))

    def streamed(self, connections: int, lasted_ms: int) -> None:
        """Another station, relayed over the mobile link; one that the tuner receives costs nothing."""
        self._add("relay", connections * download(0) + stream(lasted_ms), connections)

    def settle(self, now: int) -> None:
        """Count the pings of the connection that still stands."""
        if self._quiet_since is not None:
            self._pings(now)
            self._quiet_since = now

    @property
    def messages(self) -> int:
        """Everything but sound: what a unit costs that plays nothing."""
        return self.bytes.total() - self.audio

    @property
    def audio(self) -> int:
        """Downloads, streams, and live voice."""
        return self.bytes["files"] + self.bytes["relay"] + self.bytes["s/live"]

    def _pings(self, now: int) -> None:
        """A unit that has sent nothing for a keep-alive asks whether anybody is there."""
        if self._quiet_since is not None:
            count = (now - self._quiet_since) // self.keep_alive_ms
            if count > 0:
                self._add("ping", count * ping(), count)

    def _add(self, name: str, cost: int, count: int = 1) -> None:
        self.bytes[name] += cost
        self.times[name] += count


def purpose(topic: str) -> str:
    """`loa/v1/u/u-1/out/telemetry` is `out/telemetry`, `loa/v1/s/c-1/alert` is `s/alert`, `loa/v1/trust` is `trust`."""
    parts = topic.split("/")[2:]
    return "/".join(parts[2:]) if parts[0] == "u" else "/".join([parts[0], *parts[2:]])


def a_month(bills: Iterable[Bill], lasted_ms: int) -> tuple[int, int]:
    """Of the mean unit, for 30 days: bytes of messages, bytes of downloads and streams."""
    all_of_them = list(bills)
    share = MONTH_MS / lasted_ms / max(1, len(all_of_them))
    messages = sum(bill.messages for bill in all_of_them)
    return round(messages * share), round(sum(bill.audio for bill in all_of_them) * share)
