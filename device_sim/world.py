"""The virtual world: a fleet, a broker and a controller in one thread and in no time at all, from one seed.

True time is an integer of Unix ms that jumps from event to event. Each unit sees it only through its own hardware.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

from broadcasts.wire import topics
from broadcasts.wire.topics import In
from device_sim.broker import Broker, Connection, Packet
from device_sim.counterpart import Counterpart
from device_sim.disk import Disk
from device_sim.ear import Pole
from device_sim.events import (
    Arrived,
    Boot,
    CancelFetch,
    Connect,
    Disconnect,
    Fetch,
    FetchFailed,
    Got,
    Inbox,
    LinkDown,
    LinkUp,
    Outbox,
    Powered,
    Publish,
    Restart,
    Silent,
    Sounding,
)
from device_sim.faults import Blow, Fault, Odds
from device_sim.hardware import Hardware
from device_sim.mischief import Eavesdropper
from device_sim.unit import Config, Enrolled, Unit

CONTROLLER = "controller"
INGEST_MS = 250
"""The controller gathers what arrives for so long before it takes a step."""
LOST_CLOCK_MS = 946_684_800_000
"""2000-01-01: where a clock without a battery begins."""


@dataclass
class Ran:
    """One stretch of the decoder, heard or not."""

    item: str
    asset: str
    from_ms: int
    to_ms: int
    offset_ms: int


@dataclass(eq=False)
class Post:
    """One pole with all that stands there, and its end of the mobile link."""

    number: int
    enrolled: Enrolled
    config: Config
    chance: random.Random
    delay_ms: int
    bytes_per_ms: float
    hardware: Hardware = field(default_factory=Hardware)
    disk: Disk = field(default_factory=Disk)
    pole: Pole = field(default_factory=Pole)
    unit: Unit | None = None
    booted: int = 0
    wake_at: int | None = None
    offline: int = 0
    """How many faults keep the link down at this moment."""
    dark: int = 0
    """How many faults keep the power away."""
    dialling: Connect | None = None
    connection: Connection | None = None
    keep_alive_ms: int = 240_000
    lane_down: int = 0
    lane_up: int = 0
    fetch: _Download | None = None
    tear: int | None = None
    """Power goes in the middle of the next journal write, for so long."""
    spells: dict[Fault, int] = field(default_factory=dict)
    """Withheld, duplicated, reordered, lossy: until when."""
    snoop: Eavesdropper = field(default_factory=Eavesdropper)
    ran: list[Ran] = field(default_factory=list)
    decoding: Ran | None = None
    touched: list[tuple[int, int]] = field(default_factory=list)
    """When power or wire failed: a sounding in there can be heard in part."""
    clock_wrong: list[tuple[int, int]] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.enrolled.unit

    def has(self, spell: Fault, now: int) -> bool:
        return self.spells.get(spell, 0) > now

    def mono(self, now: int) -> int:
        return round((now - self.booted) * (1 + self.hardware.drift_ppm / 1e6))

    def when(self, mono_ms: int) -> int:
        """The first true instant at which the monotonic clock shows at least `mono_ms`."""
        at = self.booted + round(mono_ms / (1 + self.hardware.drift_ppm / 1e6))
        while self.mono(at) < mono_ms:
            at += 1
        return at


@dataclass(eq=False)
class _Download:
    fetch: Fetch
    body: bytes
    began: int
    first_ms: int


class World:
    def __init__(self, counterpart: Counterpart, start: datetime, seed: int, odds: Odds | None = None) -> None:
        """Everything is off and unconnected at `start`; the first `run_until` switches it on."""
        self.now = _ms(start)
        self.start = self.now
        self.counterpart = counterpart
        self.odds = odds or Odds()
        self.broker = Broker()
        self.broker_up = True
        self.controller_alive = True
        self.calm_from: int | None = None
        """From here on no chance strikes any more (scheduled blows are the caller's business)."""
        self.steps = 0
        self._chance = random.Random(seed)
        self._heap: list[tuple[int, int, Callable[[], None]]] = []
        self._count = 0
        self._controller: Connection | None = None
        self._controller_step_at: int | None = None
        counterpart.attach(self._controller_says)
        self.broker.admit_controller(CONTROLLER, CONTROLLER)
        self.posts = [
            self._post(n, Enrolled.read({name: str(told) for name, told in each.items()}))
            for n, each in enumerate(counterpart.enrolments())
        ]
        self._at(self.now, self._controller_connects)
        for post in self.posts:
            self._at(self.now + self._chance.randint(1_000, 60_000), partial(self.power_on, post, Boot.POWER))

    def _post(self, number: int, enrolled: Enrolled) -> Post:
        chance = random.Random(self._chance.getrandbits(64))
        self.broker.admit_unit(enrolled.unit, enrolled.secret)
        small = chance.random() < self.odds.small_cache
        config = Config(cache_bytes=90_000 if small else 2_000_000_000, battery=chance.random() >= self.odds.no_battery)
        post = Post(number, enrolled, config, chance, chance.randint(30, 400), chance.uniform(20, 500))
        post.hardware.drift_ppm = chance.uniform(-50, 50)
        post.hardware.drift_since_ms = self.now
        post.hardware.clock_error_ms = chance.randint(-3_000, 3_000)
        return post

    # --- time

    def _at(self, instant: int, deed: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._heap, (max(instant, self.now), self._count, deed))

    def run_until(self, instant: datetime | int) -> None:
        end = instant if isinstance(instant, int) else _ms(instant)
        heap = self._heap
        while heap and heap[0][0] <= end:
            self.now, _, deed = heapq.heappop(heap)
            deed()
        self.now = max(self.now, end)

    def _datetime(self) -> datetime:
        return datetime.fromtimestamp(self.now / 1000, UTC)

    # --- the controller's side

    def _controller_connects(self) -> None:
        if not self.controller_alive or not self.broker_up or self._controller is not None:
            return
        self._controller = self.broker.connect(
            CONTROLLER, CONTROLLER, CONTROLLER, clean=False,
            on_packet=self._controller_hears, on_closed=self._controller_lost,
        )  # fmt: skip
        self.counterpart.connection(True, self._datetime())
        for pattern, qos in self.counterpart.filters():
            self._controller.subscribe(pattern, qos)
        self._controller_soon(0)

    def _controller_lost(self) -> None:
        self._controller = None
        if self.controller_alive:
            self.counterpart.connection(False, self._datetime())
            self._at(self.now + self._chance.randint(1_000, 5_000), self._controller_connects)

    def _controller_hears(self, packet: Packet) -> None:
        if self.controller_alive:
            self.counterpart.receive(packet.topic, packet.payload, packet.retain, self._datetime())
            self._controller_soon(INGEST_MS)

    def _controller_says(self, topic: str, payload: bytes, qos: int, retain: bool) -> bool:
        if self._controller is None:
            return False
        self._controller.publish(topic, payload, qos, retain)
        return True

    def _controller_soon(self, wait_ms: int) -> None:
        at = self.now + wait_ms
        if self._controller_step_at is None or self._controller_step_at > at:
            self._controller_step_at = at
            self._at(at, partial(self._controller_steps, at))

    def _controller_steps(self, planned: int) -> None:
        if self._controller_step_at != planned or not self.controller_alive:
            return
        self._controller_step_at = None
        next_at = _ms(self.counterpart.step(self._datetime()))
        self._controller_soon(max(1, next_at - self.now))

    def kill_controller(self, lasts: int) -> None:
        if not self.controller_alive:
            return
        self.controller_alive = False
        connection, self._controller = self._controller, None
        if connection is not None:
            connection.drop()
        self.counterpart.kill()
        self._controller_step_at = None
        self._at(self.now + lasts, self._revive_controller)

    def _revive_controller(self) -> None:
        self.controller_alive = True
        self.counterpart.restart(self._datetime())
        self._controller_connects()
        self._controller_soon(0)

    # --- the broker

    def stop_broker(self, lasts: int, wiped: bool = False) -> None:
        if not self.broker_up:
            return
        self.broker_up = False
        if wiped:
            self.broker.wipe()
        else:
            self.broker.restart()
        self._at(self.now + lasts, self._broker_returns)

    def _broker_returns(self) -> None:
        self.broker_up = True
        self._at(self.now + self._chance.randint(500, 5_000), self._controller_connects)
        for post in self.posts:
            if post.dialling is not None:
                self._dial_soon(post, self._chance.randint(500, 30_000))

    # --- one unit

    def give(self, post: Post, *inbox: Inbox) -> None:
        """One step of one unit; without power nothing happens."""
        unit = post.unit
        if unit is None:
            return
        self.steps += 1
        written = post.disk.journal.frames[-1] if post.disk.journal.frames else None
        step = unit.update(post.hardware.reading(post.pole, self.now, post.mono(self.now)), inbox)
        if post.tear is not None and post.disk.journal.frames and post.disk.journal.frames[-1] is not written:
            lasts, post.tear = post.tear, None
            post.disk.journal.tear()
            self.cut_power(post, lasts)
            return
        wake = post.when(step.wake_at_mono_ms)
        if post.wake_at != wake:
            post.wake_at = wake
            self._at(wake, partial(self._wake, post, wake))
        for out in step.outbox:
            self._carry_out(post, out)

    def _wake(self, post: Post, planned: int) -> None:
        if post.wake_at == planned:
            post.wake_at = None
            self.give(post)

    def _carry_out(self, post: Post, out: Outbox) -> None:
        match out:
            case Publish():
                self._up(post, out)
            case Sounding():
                self._decode(post, out)
            case Silent():
                self._decode(post, None)
            case Connect():
                post.dialling = out
                post.keep_alive_ms = out.keep_alive_s * 1_000
                self._dial_soon(post, 3 * post.delay_ms)
            case Disconnect():
                connection, post.connection, post.dialling = post.connection, None, None
                if connection is not None:
                    connection.goodbye()
            case Fetch():
                self._begin_fetch(post, out)
            case CancelFetch():
                post.fetch = None
            case Restart():
                self.cut_power(post, 5_000, out.cause)

    def _decode(self, post: Post, order: Sounding | None) -> None:
        if post.decoding is not None:
            post.decoding.to_ms = self.now
            post.ran.append(post.decoding)
            post.decoding = None
        if order is None:
            post.pole.silence(self.now)
            return
        post.decoding = Ran(order.item, order.asset, self.now, self.now, order.offset_ms)
        post.pole.play(order, self.now)
        if self._strikes(self.odds.cut_while_sounding, post):
            into = post.chance.randint(0, 5 * 60_000)
            lasts = post.chance.randint(5_000, 10 * 60_000)
            self._at(self.now + into, partial(self.cut_power, post, lasts))

    def _strikes(self, odds: float, post: Post) -> bool:
        return (self.calm_from is None or self.now < self.calm_from) and post.chance.random() < odds

    # --- power

    def power_on(self, post: Post, cause: Boot) -> None:
        if post.unit is None and post.dark == 0:
            post.booted = self.now
            post.unit = Unit(post.enrolled, post.disk, post.config, post.chance)
            self.give(post, Powered(cause))

    def cut_power(self, post: Post, lasts: int, cause: Boot = Boot.POWER) -> None:
        self._decode(post, None)
        post.touched.append((self.now, self.now + lasts + 60_000))
        post.unit, post.wake_at, post.dialling = None, None, None
        self._lose_link(post)
        if not post.config.battery:
            post.hardware.clock_error_ms = LOST_CLOCK_MS - self.now
        post.dark += 1
        self._at(self.now + lasts, partial(self._power_returns, post, cause))

    def _power_returns(self, post: Post, cause: Boot) -> None:
        post.dark -= 1
        self.power_on(post, cause)

    # --- the link

    def cut_link(self, post: Post, lasts: int) -> None:
        post.offline += 1
        self._lose_link(post)
        self._at(self.now + lasts, partial(self._link_returns, post))

    def _link_returns(self, post: Post) -> None:
        post.offline -= 1
        if post.dialling is not None:
            self._dial_soon(post, self._chance.randint(500, 20_000))

    def _lose_link(self, post: Post) -> None:
        """Half open: the broker notices nothing before one and a half keep-alives, or a takeover."""
        connection, post.connection = post.connection, None
        download, post.fetch = post.fetch, None
        if download is not None:
            have = max(0, int((self.now - download.began - download.first_ms) * post.bytes_per_ms))
            self.give(post, Got(download.fetch.sha256, download.fetch.offset, download.body[:have], False))
        if connection is not None:
            self._at(self.now + post.keep_alive_ms * 3 // 2, connection.drop)
            self.give(post, LinkDown())

    def _dial_soon(self, post: Post, wait_ms: int) -> None:
        self._at(self.now + wait_ms, partial(self._dial, post, post.dialling))

    def _dial(self, post: Post, connect: Connect | None) -> None:
        # Parked while there is no network or no broker: an attempt that hangs.
        if connect is None or post.dialling is not connect or post.offline or not self.broker_up:
            return
        post.dialling = None
        post.lane_down = post.lane_up = self.now
        will = Packet(connect.will_topic, connect.will_payload, qos=1, retain=True)
        connection = self.broker.connect(
            connect.client_id, connect.client_id, connect.secret, will=will,
            on_packet=partial(self._down, post), on_closed=partial(self._closed, post),
        )  # fmt: skip
        post.connection = connection
        self.give(post, LinkUp())
        for pattern in topics.unit_filters(post.name):
            connection.subscribe(pattern, 0)

    def _closed(self, post: Post) -> None:
        connection = post.connection
        if connection is not None and not connection.is_open:
            post.connection = None
            self._at(self.now + post.delay_ms, partial(self.give, post, LinkDown()))

    def _down(self, post: Post, packet: Packet) -> None:
        """From the broker towards the unit; nothing is kept for a unit that is not there."""
        connection = post.connection
        if connection is None:
            return
        if post.has(Fault.LOSS, self.now) and post.chance.random() < 0.2:
            return
        if post.has(Fault.WITHHOLD, self.now) and not packet.topic.endswith(f"/{In.TIME}"):
            return
        arrived = Arrived(packet.topic, packet.payload)
        post.snoop.note(arrived)
        lane = max(post.lane_down, self.now + post.delay_ms)
        if post.has(Fault.REORDER, self.now):
            lane = self.now + post.delay_ms + post.chance.randint(0, 5_000)
        else:
            post.lane_down = lane
        for _ in range(2 if post.has(Fault.DUPLICATE, self.now) else 1):
            self._at(lane, partial(self._arrives, post, connection, arrived))

    def _arrives(self, post: Post, connection: Connection, arrived: Arrived) -> None:
        if post.connection is connection:
            self.give(post, arrived)

    def _up(self, post: Post, out: Publish) -> None:
        connection = post.connection
        if connection is None or (out.qos == 0 and post.has(Fault.LOSS, self.now) and post.chance.random() < 0.2):
            return
        lane = max(post.lane_up, self.now + post.delay_ms)
        if post.has(Fault.REORDER, self.now):
            lane = self.now + post.delay_ms + post.chance.randint(0, 5_000)
        else:
            post.lane_up = lane
        for _ in range(2 if out.qos and post.has(Fault.DUPLICATE, self.now) else 1):
            self._at(lane, partial(self._reaches_broker, post, connection, out))

    def _reaches_broker(self, post: Post, connection: Connection, out: Publish) -> None:
        if post.connection is connection:
            connection.publish(out.topic, out.payload, out.qos, out.retain)

    # --- files

    def _begin_fetch(self, post: Post, fetch: Fetch) -> None:
        latency = 4 * post.delay_ms
        if post.offline or not self.controller_alive:
            post.fetch = None
            self._at(self.now + latency, partial(self.give, post, FetchFailed(fetch.sha256, 0, "no connection")))
            return
        status, body = self.counterpart.get(post.name, post.enrolled.secret, fetch.path, fetch.offset)
        if status not in (200, 206):
            self._at(self.now + latency, partial(self.give, post, FetchFailed(fetch.sha256, status)))
            return
        body = body[: fetch.size] if len(body) > fetch.size else body
        if body and self._strikes(self.odds.fetch_corrupt, post):
            spoiled = bytearray(body)
            spoiled[post.chance.randrange(len(spoiled))] ^= 1 << post.chance.randrange(8)
            body = bytes(spoiled)
        download = post.fetch = _Download(fetch, body, self.now, latency)
        lasts = latency + int(len(body) / post.bytes_per_ms)
        if body and self._strikes(self.odds.fetch_broken, post):
            size = post.chance.randrange(len(body))
            self._at(self.now + lasts, partial(self._fetch_ends, post, download, size))
        else:
            self._at(self.now + lasts, partial(self._fetch_ends, post, download, None))

    def _fetch_ends(self, post: Post, download: _Download, broken_at: int | None) -> None:
        if post.fetch is not download:
            return
        post.fetch = None
        sha256, offset = download.fetch.sha256, download.fetch.offset
        if broken_at is None:
            self.give(post, Got(sha256, offset, download.body, True))
        else:
            broken = FetchFailed(sha256, 0, "broken off")
            self.give(post, Got(sha256, offset, download.body[:broken_at], False), broken)

    # --- blows

    def schedule(self, blows: Sequence[Blow]) -> None:
        for blow in blows:
            self._at(blow.at, partial(self.strike, blow))

    def strike(self, blow: Blow) -> None:
        post = self.posts[blow.unit] if blow.unit is not None else None
        if post is None:
            match blow.fault:
                case Fault.BROKER_RESTART:
                    self.stop_broker(blow.lasts)
                case Fault.BROKER_WIPE:
                    self.stop_broker(blow.lasts, wiped=True)
                case Fault.CONTROLLER_KILL:
                    self.kill_controller(blow.lasts)
            return
        match blow.fault:
            case Fault.LINK_DOWN | Fault.DAY_OFFLINE:
                self.cut_link(post, blow.lasts)
            case Fault.POWER_CUT | Fault.REBOOT:
                self.cut_power(post, blow.lasts, Boot.WATCHDOG if blow.fault is Fault.REBOOT else Boot.POWER)
            case Fault.TORN_WRITE:
                post.tear = blow.lasts
            case Fault.CLOCK_LOST:
                self.cut_power(post, blow.lasts)
                post.hardware.clock_error_ms = LOST_CLOCK_MS - self.now
                self._clock_is_wrong(post)
            case Fault.CLOCK_JUMP if post.unit is None:
                # A battery-backed clock that runs hours wrong without power cannot be told from a right one.
                return
            case Fault.CLOCK_STEP | Fault.CLOCK_JUMP:
                post.hardware.clock_error_ms += blow.amount
                self._clock_is_wrong(post)
                self.give(post)
            case Fault.WIRE_CUT:
                post.pole.cut_wire(self.now)
                post.touched.append((self.now, self.now))
                self._at(self.now + blow.lasts, partial(self._mend, post))
            case Fault.REPLAY:
                self._hostile(post, [*post.snoop.older(), *self._misdirected(post)])
            case Fault.FORGE:
                self._hostile(post, post.snoop.forged(post.name, self.now))
            case Fault.WITHHOLD | Fault.DUPLICATE | Fault.REORDER | Fault.LOSS:
                post.spells[blow.fault] = max(post.spells.get(blow.fault, 0), self.now + blow.lasts)

    def _clock_is_wrong(self, post: Post) -> None:
        post.clock_wrong.append((self.now, self.now))

    def _mend(self, post: Post) -> None:
        post.pole.repair_wire(self.now)
        post.touched.append((self.now, self.now))

    def _misdirected(self, post: Post) -> list[Arrived]:
        """What was meant for a neighbour, under our topics."""
        other = self._chance.choice(self.posts)
        ours = [
            (frame.topic.replace(f"/{other.name}/", f"/{post.name}/"), frame.payload) for frame in other.snoop.older()
        ]
        return [Arrived(topic, payload) for topic, payload in ours]

    def _hostile(self, post: Post, frames: Sequence[Arrived]) -> None:
        if post.connection is None:
            return
        for frame in frames:
            self._at(self.now + post.chance.randint(0, 2_000), partial(self._arrives, post, post.connection, frame))


def _ms(instant: datetime) -> int:
    return round(instant.timestamp() * 1000)
