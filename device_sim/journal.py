"""The unit's evidence: append only, durable before it is published, sent until it is acknowledged.

The journal is also the unit's only memory of what it has sounded, so that one write, whole or torn, decides both.
CONTRACT.md, section 8.
"""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from pydantic import TypeAdapter, ValidationError

from broadcasts.wire.codec import encode
from broadcasts.wire.journal import (
    AnyEntry,
    CommandAccepted,
    CommandResult,
    Ended,
    Envelope,
    FaultEntry,
    JournalAck,
    JournalBatch,
    OtherEntry,
    Outcome,
    Skipped,
    Started,
)
from device_sim.events import Moment

RING_MS = 14 * 86_400_000
RING_ENTRIES = 10_000
HISTORICAL_MS = 10 * 60_000
RETRY_FIRST_MS = 60_000
RETRY_MOST_MS = 15 * 60_000
BATCH_ENTRIES = 200
BATCH_BYTES = 22_000
"""Of JSON: base64 and signature bring it to less than the 32 KiB of the contract."""
IN_FLIGHT_ENTRIES = 1_000
"""Sent beyond the acknowledged mark: a controller that asks for everything again is not flooded."""

_ENTRY: TypeAdapter[AnyEntry] = TypeAdapter(AnyEntry)


@dataclass
class JournalStore:
    """What is on the disk. A frame is CRC-32 in hexadecimal and the entry as JSON."""

    journal_id: str = ""
    frames: deque[bytes] = field(default_factory=deque)
    next_seq: int = 1
    """At least this: only for a mark of the controller above all we hold."""
    acked: int = 0
    epoch: int = 0
    blind: dict[str, int] = field(default_factory=dict)
    """Of each alert that sounded without trusted time: how many ms of its `max_blind_s` are spent (section 6)."""

    def tear(self) -> None:
        """Power went while the last entry was being written."""
        if self.frames:
            self.frames[-1] = self.frames[-1][: len(self.frames[-1]) // 2]


@dataclass
class Record:
    """What the journal says about one item or alert."""

    last_seq: int
    begun: int = 0
    whole: int = 0
    """Soundings that ran to their end."""
    first_ms: int = 0
    last_ms: int = 0
    """When the last sounding began, by the unit's clock."""
    origin_ms: int = 0
    """Where its beginning lies: `last_ms` minus the offset it joined at."""
    open: Started | None = None
    """Begun, and no end was written: it sounds, or power went."""
    ended: Outcome | None = None
    by: str | None = None
    skipped: bool = False


class Journal:
    def __init__(self, store: JournalStore) -> None:
        """Reads the disk; a torn last entry is dropped: it was never published, its number is free."""
        self.store = store
        self.records: dict[str, Record] = {}
        self.faults: dict[str, str] = {}
        """Raised and not gone: code and detail."""
        self._entries: deque[AnyEntry] = deque()
        for frame in list(store.frames):
            entry = _read(frame)
            if entry is None:
                break
            self._entries.append(entry)
            self._remember(entry)
        while len(store.frames) > len(self._entries):
            store.frames.pop()
        self._sent = store.acked
        self._wait = RETRY_FIRST_MS
        self.retry_at: int | None = None

    @property
    def last_seq(self) -> int:
        return max(self._entries[-1].seq if self._entries else 0, self.store.next_seq - 1)

    def record(self, item: str) -> Record | None:
        return self.records.get(item)

    def started(
        self,
        m: Moment,
        item: str,
        asset: str,
        offset_ms: int,
        late_ms: int,
        volume: int,
        relay: str | None = None,
        live: str | None = None,
        drill: bool = False,
    ) -> None:
        late_ms = max(-86_400_000, min(late_ms, 604_800_000))
        self._write(
            Started(
                seq=self.last_seq + 1,
                at=m.now,
                clock_error_ms=m.error_ms,
                item=item,
                asset=asset,
                offset_ms=offset_ms,
                late_ms=late_ms,
                volume=volume,
                relay=relay,
                live=live,
                drill=drill or None,
            )
        )

    def write(self, entry: Ended | Skipped | Envelope) -> None:
        """`entry.seq` must be `last_seq + 1`."""
        self._write(entry)

    def skipped(self, m: Moment, entry: Skipped) -> None:
        self._write(entry.model_copy(update={"seq": self.last_seq + 1, "at": m.now, "clock_error_ms": m.error_ms}))

    def fault(self, m: Moment, code: str, raised: bool, detail: str = "") -> None:
        """Writes only a change."""
        if raised == (code in self.faults):
            return
        self._write(
            FaultEntry(
                seq=self.last_seq + 1, at=m.now, clock_error_ms=m.error_ms, code=code, raised=raised, detail=detail
            )
        )

    def result(self, m: Moment, command: str, done: bool, detail: str, text: str = "") -> None:
        self._write(
            CommandResult(
                seq=self.last_seq + 1, at=m.now, clock_error_ms=m.error_ms, command=command, done=done, detail=detail,
                text=text,
            )
        )  # fmt: skip

    def accepted(self, m: Moment, command: str) -> None:
        self._write(CommandAccepted(seq=self.last_seq + 1, at=m.now, clock_error_ms=m.error_ms, command=command))

    def _write(self, entry: AnyEntry) -> None:
        body = encode(entry)
        self.store.frames.append(b"%08x" % zlib.crc32(body) + body)
        self._entries.append(entry)
        self._remember(entry)
        if len(self._entries) > RING_ENTRIES or entry.at - self._entries[0].at > RING_MS:
            self._trim(entry.at)

    def _trim(self, now: int) -> None:
        while len(self._entries) > 1:
            first = self._entries[0]
            old = len(self._entries) > RING_ENTRIES or now - first.at > RING_MS
            if first.seq > self.store.acked or not old:
                return
            self._entries.popleft()
            self.store.frames.popleft()
            item = _record_of(first)
            if item is not None and (record := self.records.get(item)) and record.last_seq == first.seq:
                del self.records[item]

    def _remember(self, entry: AnyEntry) -> None:
        if isinstance(entry, FaultEntry):
            if entry.raised:
                self.faults[entry.code] = entry.detail
            else:
                self.faults.pop(entry.code, None)
            return
        if isinstance(entry, CommandAccepted | CommandResult | Envelope | OtherEntry):  # the last: of a newer firmware
            return
        record = self.records.setdefault(_record_of(entry) or entry.item, Record(entry.seq))
        record.last_seq = entry.seq
        match entry:
            case Started():
                record.begun += 1
                record.first_ms = record.first_ms or entry.at
                record.last_ms = entry.at
                record.origin_ms = entry.at - entry.offset_ms
                record.open, record.ended, record.by = entry, None, None
            case Ended():
                if record.open is None:
                    # No sample ever left the decoder: this attempt is spent.
                    record.begun, record.whole, record.last_ms = record.begun + 1, record.whole + 1, entry.at
                record.open, record.ended, record.by = None, entry.outcome, entry.by
                record.whole += entry.outcome is Outcome.PLAYED and record.whole < record.begun
            case Skipped():
                record.skipped, record.by = True, entry.by

    # --- sending

    def joined(self) -> None:
        """A new connection: everything that is not acknowledged is said again."""
        self._sent = self.store.acked
        self._wait = RETRY_FIRST_MS
        self.retry_at = None

    def acknowledge(self, ack: JournalAck) -> None:
        store = self.store
        if ack.journal_id != store.journal_id or ack.epoch < store.epoch:
            return
        if ack.epoch > store.epoch:
            # A controller restored from backup knows less than it once acknowledged.
            store.epoch, store.acked = ack.epoch, ack.seq
            self._sent = min(self._sent, ack.seq)
            self.retry_at, self._wait = None, RETRY_FIRST_MS
        elif ack.seq > store.acked:
            store.acked = ack.seq
            self._wait = RETRY_FIRST_MS
        if store.acked > self.last_seq:
            store.next_seq = store.acked + 1
        self._sent = max(self._sent, store.acked)
        if store.acked >= self.last_seq:
            self.retry_at = None

    def batches(self, unit: str, boot_id: int, m: Moment) -> Iterator[JournalBatch]:
        """What is to be published now, over a connection that is up."""
        if self.retry_at is not None and m.mono >= self.retry_at:
            self._sent = self.store.acked
            self._wait = min(2 * self._wait, RETRY_MOST_MS)
            self.retry_at = None
        if self._sent >= self.last_seq or not self._entries:
            return
        limit = self.store.acked + IN_FLIGHT_ENTRIES
        batch: list[AnyEntry] = []
        size, old = 0, False
        begin = max(0, self._sent + 1 - self._entries[0].seq) if self._dense() else 0
        for position in range(begin, len(self._entries)):
            entry = self._entries[position]
            if entry.seq <= self._sent:
                continue
            if entry.seq > limit:
                break
            is_old, length = m.now - entry.at > HISTORICAL_MS, len(self.store.frames[position])
            if batch and (is_old != old or len(batch) == BATCH_ENTRIES or size + length > BATCH_BYTES):
                yield self._batch(unit, boot_id, batch, old)
                batch, size = [], 0
            old = is_old
            batch.append(entry)
            size += length
        if batch:
            yield self._batch(unit, boot_id, batch, old)
        if self.retry_at is None:
            self.retry_at = m.mono + self._wait

    def _dense(self) -> bool:
        return self._entries[-1].seq - self._entries[0].seq == len(self._entries) - 1

    def _batch(self, unit: str, boot_id: int, entries: list[AnyEntry], old: bool) -> JournalBatch:
        self._sent = entries[-1].seq
        return JournalBatch(
            unit=unit,
            journal_id=self.store.journal_id,
            boot_id=boot_id,
            entries=list(entries),
            oldest=self._entries[0].seq,
            historical=old,
        )


def drill_record(name: str) -> str:
    """What is remembered of a drill: no id of an alert or item contains a colon (CONTRACT.md, section 6b)."""
    return f"drill:{name}"


def _record_of(entry: AnyEntry) -> str | None:
    name: str | None = getattr(entry, "item", None)
    return drill_record(name) if name is not None and getattr(entry, "drill", None) else name


def _read(frame: bytes) -> AnyEntry | None:
    body = frame[8:]
    if frame[:8] != b"%08x" % zlib.crc32(body):
        return None
    try:
        return _ENTRY.validate_json(body, strict=True)
    except ValidationError:
        return None
