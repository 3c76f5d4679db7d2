"""One unit that talks without end costs the others nothing: what it says beyond its measure never reaches the inbox.

Each kind of message of each unit has a measure of its own, so that a flood of numbers displaces no journal. Of what
tells a state (presence, report, numbers) the newest beyond the measure is held and let in as soon as it may; a journal
beyond it is not acknowledged, and so comes again (CONTRACT.md, section 8).
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from broadcasts.clock import Clock
from broadcasts.ids import NAME
from broadcasts.wire import topics
from broadcasts.wire.topics import Out
from controller.mqtt.inbound import Received
from controller.services.heard import Bad

EVERY_S = 0.5
"""Between two messages of one kind of one unit, in the long run. Its day has about 200 messages of all kinds."""
AT_ONCE = 120
"""Messages of one kind at once: more than the longest journal that a unit keeps fills (10,000 entries, 200 each)."""
STRANGE = "strange"
"""The kind of everything that is on no list; all of it together has one measure for each unit."""
MOST_KEPT = 250_000
"""Measures in use: 40,000 units that all say everything within a minute. Newcomers beyond share `SHARED`, and so do
always those whose name no unit can have."""
SHARED = "shared"
SHARED_EVERY_S = 0.002
SHARED_AT_ONCE = 1_000
MOST_HELD = 10_000
MOST_NAMED = 200
NEWS_EVERY_S = 60.0
LOOK_EVERY_S = 5.0
_STATES = tuple(f"/out/{kind}" for kind in (Out.PRESENCE, Out.REPORTED, Out.TELEMETRY))
_KINDS = frozenset(str(kind) for kind in Out)
_UNITS, _OUT = f"{topics.ROOT}/u/", "out/"


@dataclass
class _Flooding:
    """A unit beyond its measure."""

    count: int = 0
    topic: str = ""
    head: bytes = b""
    told_at: float = field(default=-NEWS_EVERY_S)
    last: float = 0.0


class FloodGate:
    """Before the inbox. Safe to call from any thread."""

    def __init__(self, clock: Clock, put: Callable[[Received], None]) -> None:
        """`put` takes what may pass, in order; it must not wait."""
        self._clock, self._put = clock, put
        self._lock = threading.Lock()
        self._full_at: dict[str, float] = {}
        """By measure: when all of it will be there again, monotonic seconds."""
        self._held: dict[str, Received] = {}
        self._flooding: dict[str, _Flooding] = {}
        self._looked_at = 0.0
        self.taken: Counter[str] = Counter()
        """Messages of units that passed, by kind."""
        self.dropped: Counter[str] = Counter()
        """Messages that were let go, by kind (`Out`, `STRANGE`), since the start."""

    @property
    def flooding(self) -> int:
        """Units that were beyond their measure in the last minute, as many as are kept."""
        since = self._clock.monotonic() - NEWS_EVERY_S
        with self._lock:
            return sum(each.last >= since for each in self._flooding.values())

    def offer(self, received: Received) -> None:
        """Passed on, held, or dropped. Our own words, read back after a connect, always pass."""
        unit, _, rest = received.topic.removeprefix(_UNITS).partition("/")
        if not received.topic.startswith(_UNITS) or not rest.startswith(_OUT):
            self._put(received)
            return
        kind = rest.removeprefix(_OUT)
        known = kind in _KINDS
        measure = received.topic if known else f"{_UNITS}{unit}"
        if not NAME.fullmatch(unit):
            measure = SHARED  # no unit of ours, and as long as a topic can be: nothing is kept of it
        now = self._clock.monotonic()
        with self._lock:
            if self._take(measure, now):
                if self._held:
                    self._held.pop(received.topic, None)  # something newer is on its way
                self.taken[kind if known else STRANGE] += 1
                self._put(received)
            else:
                self._refuse(unit, kind if known else STRANGE, received, now)

    def release(self) -> None:
        """Let in what was held and may pass by now. Whoever empties the inbox calls it again and again."""
        if not self._held:
            return
        now = self._clock.monotonic()
        with self._lock:
            for topic, received in list(self._held.items()):
                if self._take(topic, now):
                    del self._held[topic]
                    self.taken[topic.rpartition("/")[2]] += 1
                    self._put(received)

    def news(self) -> list[Bad]:
        """For those who look at what was put aside: who floods, at most once a minute each."""
        now, found = self._clock.monotonic(), []
        if not self._flooding:
            return []
        with self._lock:
            for unit, each in list(self._flooding.items()):
                if each.count and now - each.told_at >= NEWS_EVERY_S:
                    told = f"{unit}: {each.count} messages beyond the measure"
                    found.append(Bad(each.topic, "flooding", told, each.head, self._clock.now()))
                    each.count, each.told_at = 0, now
                elif now - each.last > NEWS_EVERY_S:
                    del self._flooding[unit]
        return found

    def _take(self, measure: str, now: float) -> bool:
        """Whether one more fits: a bucket that fills evenly, kept as the instant at which it is full."""
        full_at = self._full_at.get(measure)
        if full_at is None and len(self._full_at) >= MOST_KEPT and not self._made_room(now):
            measure, full_at = SHARED, self._full_at.get(SHARED)
        if measure == SHARED:
            every, most = SHARED_EVERY_S, SHARED_EVERY_S * SHARED_AT_ONCE
        else:
            every, most = EVERY_S, EVERY_S * AT_ONCE
        full_at = max(now, full_at or now)
        if full_at + every - now > most:
            return False
        self._full_at[measure] = full_at + every
        return True

    def _made_room(self, now: float) -> bool:
        if now - self._looked_at < LOOK_EVERY_S:
            return False
        self._looked_at = now
        self._full_at = {measure: full_at for measure, full_at in self._full_at.items() if full_at > now}
        return len(self._full_at) < MOST_KEPT

    def _refuse(self, unit: str, kind: str, received: Received, now: float) -> None:
        if kind != STRANGE and received.topic.endswith(_STATES) and NAME.fullmatch(unit):
            before = self._held.pop(received.topic, None)
            if len(self._held) < MOST_HELD:
                self._held[received.topic] = received
            if before is None and received.topic in self._held:
                return  # held, not lost
        self.dropped[kind] += 1
        if not NAME.fullmatch(unit):
            unit = STRANGE
        if unit not in self._flooding and len(self._flooding) >= MOST_NAMED:
            return
        each = self._flooding.setdefault(unit, _Flooding())
        each.count, each.last, each.topic = each.count + 1, now, received.topic
        each.head = b"" if kind == Out.CLIP else received.payload[:512]
