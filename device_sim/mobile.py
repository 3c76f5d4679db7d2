"""The mobile network between broker, files and poles: delay, loss, disorder, half-open links, broken downloads."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial

from broadcasts.wire import topics
from broadcasts.wire.topics import In
from device_sim import bill
from device_sim.agenda import Agenda
from device_sim.backstage import Backstage
from device_sim.broker import Broker, Connection, Packet
from device_sim.events import Arrived, Connect, Fetch, FetchFailed, Got, Inbox, LinkDown, LinkUp, Publish
from device_sim.faults import Fault
from device_sim.post import Download, Post

PING_WAIT_MS = 20_000
"""A ping without an answer for so long means a dead link (CONTRACT.md, section 1)."""
LOSS = 0.2
DISORDER_MS = 5_000
RESEND_MS = 200
"""What TCP waits at least before it sends again (RFC 6298 allows 1 s; Linux takes 200 ms)."""
Give = Callable[..., None]
Strikes = Callable[[float, Post], bool]


class Mobile:
    def __init__(
        self, broker: Broker, agenda: Agenda, files: Backstage, chance: random.Random, give: Give, strikes: Strikes
    ) -> None:
        """`give(post, *inbox)` is one step of a unit, `strikes(odds, post)` a throw of the dice."""
        self._broker, self._agenda, self._files, self._chance = broker, agenda, files, chance
        self._give, self._strikes = give, strikes
        self.fetch_broken = self.fetch_corrupt = 0.0
        self.resent = 0.0
        """The part of packets that TCP has to send again: each time after twice as long, and what follows waits."""
        self.broker_up = True

    # --- connections

    def dial(self, post: Post, connect: Connect) -> None:
        post.dialling = connect
        post.keep_alive_ms = connect.keep_alive_s * 1_000
        self._dial_after(post, 3 * post.delay_ms)

    def dial_again(self, post: Post, patience_ms: int) -> None:
        """Network or broker are back: an attempt that hung comes through within `patience_ms`."""
        if post.dialling is not None:
            self._dial_after(post, self._chance.randint(500, patience_ms))

    def _dial_after(self, post: Post, wait_ms: int) -> None:
        self._agenda.after(wait_ms, partial(self._dial, post, post.dialling))

    def _dial(self, post: Post, connect: Connect | None) -> None:
        if connect is None or post.dialling is not connect or post.offline or not self.broker_up:
            return
        post.dialling = None
        post.lane_down = post.lane_up = self._agenda.now
        will = Packet(connect.will_topic, connect.will_payload, qos=1, retain=True)
        connection = self._broker.connect(
            connect.client_id, connect.client_id, connect.secret, will=will,
            on_packet=partial(self._down, post), on_closed=partial(self._closed, post),
        )  # fmt: skip
        post.connection = connection
        filters = topics.unit_filters(post.name)
        cost = bill.connect(connect.client_id, connect.secret, connect.will_topic, len(connect.will_payload), filters)
        post.bill.keep_alive_ms = post.keep_alive_ms
        post.bill.connected(self._agenda.now, cost)
        self._give(post, LinkUp())
        for pattern in filters:
            connection.subscribe(pattern, 0)

    def goodbye(self, post: Post) -> None:
        connection, post.connection, post.dialling = post.connection, None, None
        post.bill.closed(self._agenda.now)
        if connection is not None and connection is not post.severed:
            connection.goodbye()

    def forget_mapping(self, post: Post) -> None:
        """The operator's NAT forgets an idle connection. The broker misses the next ping and speaks the will after one
        and a half keep-alives; the unit misses the answer to it."""
        connection = post.connection
        if connection is None or post.is_severed:
            return
        post.severed = connection
        self._agenda.after(post.keep_alive_ms + PING_WAIT_MS, partial(self._miss_answer, post, connection))
        self._agenda.after(post.keep_alive_ms * 3 // 2, connection.drop)

    def _miss_answer(self, post: Post, connection: Connection) -> None:
        if post.connection is connection:
            post.connection = None
            post.bill.closed(self._agenda.now)
            self._give(post, LinkDown())

    def lose(self, post: Post) -> None:
        """Half open: the broker notices nothing before one and a half keep-alives, or a takeover."""
        connection, post.connection = post.connection, None
        post.bill.closed(self._agenda.now)
        download, post.fetch = post.fetch, None
        if download is not None:
            have = max(0, int((self._agenda.now - download.began - download.first_ms) * post.bytes_per_ms))
            post.bill.fetched(min(have, len(download.body)))
            self._give(post, Got(download.fetch.sha256, download.fetch.offset, download.body[:have], False))
        if connection is not None:
            self._agenda.after(post.keep_alive_ms * 3 // 2, connection.drop)
            self._give(post, LinkDown())

    def _closed(self, post: Post) -> None:
        if post.connection is not None and not post.connection.is_open and not post.is_severed:
            post.connection = None
            post.bill.closed(self._agenda.now)
            self._agenda.after(post.delay_ms, partial(self._give, post, LinkDown()))

    # --- messages

    def _down(self, post: Post, packet: Packet) -> None:
        """Towards the unit; nothing is kept for one that is not there."""
        connection, now = post.connection, self._agenda.now
        if connection is None or post.is_severed or (post.has(Fault.LOSS, now) and post.chance.random() < LOSS):
            return
        if post.has(Fault.WITHHOLD, now) and not packet.topic.endswith(f"/{In.TIME}"):
            return
        if post.has(Fault.NO_TIME, now) and packet.topic.endswith(f"/{In.TIME}"):
            return
        arrived = Arrived(packet.topic, packet.payload)
        post.bill.received(packet.topic, len(packet.payload))
        post.snoop.note(arrived)
        lane = max(post.lane_down, now + post.delay_ms + self._resending())
        if post.has(Fault.REORDER, now):
            lane = now + post.delay_ms + post.chance.randint(0, DISORDER_MS)
        else:
            post.lane_down = lane
        for _ in range(2 if post.has(Fault.DUPLICATE, now) else 1):
            self._agenda.at(lane, partial(self.arrive, post, connection, arrived))

    def arrive(self, post: Post, connection: Connection, arrived: Arrived) -> None:
        """At the unit, if the connection it travels on still stands."""
        if post.connection is connection and not post.is_severed:
            self._give(post, arrived)

    def up(self, post: Post, out: Publish) -> None:
        connection, now = post.connection, self._agenda.now
        lost = out.qos == 0 and post.has(Fault.LOSS, now) and post.chance.random() < LOSS
        if connection is None or lost:
            return
        post.bill.sent(now, out.topic, len(out.payload), out.qos)
        lane = max(post.lane_up, now + post.delay_ms + self._resending())
        if post.has(Fault.REORDER, now):
            lane = now + post.delay_ms + post.chance.randint(0, DISORDER_MS)
        else:
            post.lane_up = lane
        for _ in range(2 if out.qos and post.has(Fault.DUPLICATE, now) else 1):
            self._agenda.at(lane, partial(self._reach, post, connection, out))

    def _resending(self) -> int:
        """Ms."""
        late, wait = 0, RESEND_MS
        while self.resent and self._chance.random() < self.resent:
            late, wait = late + wait, 2 * wait
        return late

    def _reach(self, post: Post, connection: Connection, out: Publish) -> None:
        if post.connection is connection and not post.is_severed:
            connection.publish(out.topic, out.payload, out.qos, out.retain)

    # --- files

    def fetch(self, post: Post, fetch: Fetch) -> None:
        latency = 4 * post.delay_ms
        post.fetch = None
        answer = None
        if not post.offline:
            answer = self._files.get(post.name, post.enrolled.secret, fetch.path, fetch.offset)
        if answer is None or answer[0] not in (200, 206):
            post.bill.fetched(0)
            self._later(latency, post, FetchFailed(fetch.sha256, answer[0] if answer is not None else 0))
            return
        body = answer[1][: fetch.size]
        if body and self._strikes(self.fetch_corrupt, post):
            spoiled = bytearray(body)
            spoiled[post.chance.randrange(len(spoiled))] ^= 1 << post.chance.randrange(8)
            body = bytes(spoiled)
        download = post.fetch = Download(fetch, body, self._agenda.now, latency)
        broken_at = post.chance.randrange(len(body)) if body and self._strikes(self.fetch_broken, post) else None
        lasts = latency + int((len(body) if broken_at is None else broken_at) / post.bytes_per_ms)
        self._agenda.after(lasts, partial(self._fetched, post, download, broken_at))

    def _fetched(self, post: Post, download: Download, broken_at: int | None) -> None:
        if post.fetch is not download:
            return
        post.fetch = None
        post.bill.fetched(len(download.body) if broken_at is None else broken_at)
        sha256, offset = download.fetch.sha256, download.fetch.offset
        if broken_at is None:
            self._give(post, Got(sha256, offset, download.body, True))
        else:
            broken = FetchFailed(sha256, 0, "broken off")
            self._give(post, Got(sha256, offset, download.body[:broken_at], False), broken)

    def _later(self, wait_ms: int, post: Post, event: Inbox) -> None:
        self._agenda.after(wait_ms, partial(self._give, post, event))
