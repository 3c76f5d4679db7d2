"""The unit's side of relays: which station to receive, and what a slot sounds while that station is silent.

CONTRACT.md, section 5a. Pure like the rest of the unit: `Tune` goes out, `SourceHeard` and `SourceLost` come in.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from broadcasts.wire.plan import Asset, Item
from broadcasts.wire.relay import Relay
from device_sim.events import Moment, SourceHeard, SourceLost, Tune, Untune, relayed
from device_sim.journal import Journal

LEAD_MS = 10_000
"""So long before its slot a source is tuned in."""
RETRY_FIRST_MS, RETRY_MOST_MS = 1_000, 15_000
SILENT = "relay_silent"
"""Fault, and the reason of a slot in which nothing sounded."""


class Receiver:
    """At most one source at a time. All instants are monotonic."""

    def __init__(self, tuner: bool) -> None:
        """`tuner`: there is one for FM in the box."""
        self._tuner = tuner
        self.out: list[Tune | Untune] = []
        self.sounding = False
        self.retry_at: int | None = None
        self._tuned: Tune | None = None
        self._wait = 0
        self._stood_since: int | None = None

    def can(self, relay: Relay) -> bool:
        """Whether the box has what it takes at all."""
        return relay.url is not None or (relay.frequency_khz is not None and self._tuner)

    def want(self, relay: Relay | None, m: Moment) -> None:
        """What is to be received from now on; a source that was lost is tried again when its time has come."""
        if relay is None or not self.can(relay):
            if self._tuned is not None:
                self.out.append(Untune())
                self._forget()
            return
        tune = Tune(relay.source, relay.url, relay.frequency_khz)
        if tune != self._tuned:
            self._forget()
            self._tuned = tune
            self.out.append(tune)
        elif self.retry_at is not None and m.mono >= self.retry_at:
            self.retry_at = None
            self.out.append(tune)

    def take(self, event: SourceHeard | SourceLost, m: Moment) -> None:
        if self._tuned is None or event.source != self._tuned.source:
            return
        if isinstance(event, SourceHeard):
            self._stood_since = m.mono if self._stood_since is None else self._stood_since
            self.sounding, self.retry_at = event.sounding, None
            return
        if self._stood_since is not None and m.mono - self._stood_since >= RETRY_MOST_MS:
            self._wait = 0
        self.sounding, self._stood_since = False, None
        self.retry_at = m.mono + self._wait
        self._wait = min(max(2 * self._wait, RETRY_FIRST_MS), RETRY_MOST_MS)

    def _forget(self) -> None:
        self._tuned = self.retry_at = self._stood_since = None
        self.sounding, self._wait = False, 0


@dataclass
class Relaying:
    """One stretch of a slot, between `started` and `ended`. Instants are monotonic."""

    relay: Relay
    counted: int
    """Up to where the two sums below go; what sounds does not change between two counts."""
    quiet_since: int
    """The begin, or the source's last sound."""
    deaf: bool = False
    """Nothing can receive it: there is nothing to be patient for."""
    sounding: bool = False
    fallback_at: int | None = None
    """Since when the fallback sounds."""
    fallback: Asset | None = None
    spent: bool = False
    """The fallback has had its turn."""
    relay_ms: int = 0
    fallback_ms: int = 0

    @property
    def sound(self) -> str | None:
        """What is to be heard: the fallback's hash, `relay:` and the source, or none."""
        if self.fallback is not None:
            return self.fallback.sha256
        return relayed(self.relay.source) if self.sounding else None

    def count(self, mono: int) -> None:
        """Before anything changes."""
        lasted = max(0, mono - self.counted)
        self.counted = mono
        if self.fallback is not None:
            self.fallback_ms += lasted
        elif self.sounding:
            self.relay_ms += lasted
            self.quiet_since = mono

    def follow(self, sounding: bool, find_fallback: Callable[[], Asset | None], m: Moment) -> bool:
        """Decide what sounds now; True when the source has been silent for too long, once."""
        self.count(m.mono)
        if self.fallback is not None and self.fallback_at is not None:
            if m.mono - self.fallback_at < self.fallback.duration_ms:
                return False
            self.fallback = self.fallback_at = None
            self.quiet_since = m.mono
        self.sounding = sounding
        if sounding or self.spent or m.mono < self.patience_until:
            return False
        self.spent = True
        self.fallback = find_fallback()
        self.fallback_at = m.mono if self.fallback is not None else None
        return True

    @property
    def patience_until(self) -> int:
        return self.quiet_since + (0 if self.deaf else self.relay.silence_s * 1000)

    def wake_at(self) -> int | None:
        if self.fallback is not None and self.fallback_at is not None:
            return self.fallback_at + self.fallback.duration_ms
        return None if self.sounding or self.spent else self.patience_until


class Complaint:
    """The fault `relay_silent`: one for the horn, `detail` names the source."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def raise_(self, source: str, m: Moment) -> None:
        standing = self._journal.faults.get(SILENT)
        if standing != source:
            self._journal.fault(m, SILENT, False, standing or "")
            self._journal.fault(m, SILENT, True, source)

    def heard(self, source: str, m: Moment) -> None:
        if self._journal.faults.get(SILENT) == source:
            self._journal.fault(m, SILENT, False, source)

    def settle(self, named: set[str], m: Moment) -> None:
        """A source that the plan names no more can not be complained about."""
        standing = self._journal.faults.get(SILENT)
        if standing is not None and standing not in named:
            self._journal.fault(m, SILENT, False, standing)


class Slots:
    """The relays of one plan, in order: whose source is to be tuned in beforehand."""

    def __init__(self, items: Sequence[Item]) -> None:
        """`items` by their start."""
        self._slots = [(item.start, item.relay) for item in items if item.relay is not None]
        self.sources = {relay.source for _, relay in self._slots}

    def coming(self, m: Moment) -> Relay | None:
        """The next slot, if it begins so soon that its source is to be there on the second."""
        index = bisect_right(self._slots, m.now, key=_start)
        if index == len(self._slots) or not m.trusted or m.held or m.alone:
            return None
        start, relay = self._slots[index]
        return relay if start <= m.now + LEAD_MS else None

    def next_lead(self, now: int) -> int | None:
        """When the next source is to be tuned in."""
        index = bisect_right(self._slots, now + LEAD_MS, key=_start)
        return self._slots[index][0] - LEAD_MS if index < len(self._slots) else None


class Relays:
    """Everything of a unit that belongs to relays but the horn."""

    def __init__(self, journal: Journal, tuner: bool) -> None:
        self.receiver = Receiver(tuner)
        self._slots = Slots([])
        self._complaint = Complaint(journal)

    def set_items(self, items: Sequence[Item], m: Moment) -> None:
        """Of the plan that is applied, by their start."""
        self._slots = Slots(items)
        self._complaint.settle(self._slots.sources, m)

    def step(self, live: Relaying | None, find_fallback: Callable[[], Asset | None], alarmed: bool, m: Moment) -> None:
        """Tune in what sounds (`live`) or is about to, and fall back when it is silent for too long."""
        coming = None if alarmed else self._slots.coming(m)  # an alert has the link to itself
        self.receiver.want(coming if live is None else live.relay, m)
        if live is None:
            return
        if live.follow(self.receiver.sounding, find_fallback, m):
            self._complaint.raise_(live.relay.source, m)
        elif live.sounding and live.fallback is None:
            self._complaint.heard(live.relay.source, m)

    def wake_for(self, m: Moment, marks: list[int], wall: list[int]) -> None:
        if self.receiver.retry_at is not None:
            marks.append(self.receiver.retry_at)
        if (lead := self._slots.next_lead(m.now)) is not None:
            wall.append(lead)


def _start(slot: tuple[int, Relay]) -> int:
    return slot[0]


def source_of(item: Item) -> tuple[str, Tune | None]:
    """What makes an item sound as it does: with another one it is another broadcast."""
    relay = item.relay
    return item.asset, None if relay is None else Tune(relay.source, relay.url, relay.frequency_khz)
