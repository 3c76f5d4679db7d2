"""Journals become rows, marks and evidence; those of many units together, because a statement costs the same for one
entry and for hundreds."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from broadcasts.clock import from_unix_ms
from broadcasts.wire.journal import (
    AnyEntry,
    CommandAccepted,
    CommandResult,
    Ended,
    Envelope,
    FaultEntry,
    JournalBatch,
    OtherEntry,
    Skipped,
    Started,
)
from controller.db.tables import JournalEntry, UnitStatus
from controller.services import alert_evidence, answering, evidence, hearing
from controller.services.correcting import touched_by
from controller.services.heard import Heard, Tally
from controller.services.journal_marks import Marks, complete, jumped, reached

OTHER = "other"
"""How an entry of an unknown kind is filed; the row keeps its own word."""
MOST = 2_000
"""Entries that are written and judged together: no database takes any number of values in one statement."""
_LEFT_OUT = {"envelope": {"data"}}
"""Kept elsewhere, as bytes (`db.ears`)."""
_KEEP = {
    name: insert(JournalEntry.__table__)  # type: ignore[arg-type]
    .on_conflict_do_nothing()
    .returning(JournalEntry.unit_id, JournalEntry.seq)
    for name, insert in (("sqlite", sqlite.insert), ("postgresql", postgresql.insert))
}
_Wave = Sequence[tuple[Heard, JournalBatch]]


def take_in(
    session: Session, heard: Sequence[Heard], statuses: Mapping[str, UnitStatus], marks: Marks, tally: Tally
) -> list[tuple[str, Sequence[AnyEntry], datetime]]:
    """By unit, the entries that were not here before, and when they came."""
    return [told for wave in _waves(heard) for told in _take_in(session, wave, statuses, marks, tally)]


def _waves(heard: Sequence[Heard]) -> Iterator[_Wave]:
    """What is taken in together. A unit speaks once in each, so that what follows from one batch of its journal is
    there before the next."""
    turns: Counter[str] = Counter()
    waves: list[list[tuple[Heard, JournalBatch]]] = []
    for one in heard:
        if isinstance(one.message, JournalBatch):
            if turns[one.unit] == len(waves):
                waves.append([])
            waves[turns[one.unit]].append((one, one.message))
            turns[one.unit] += 1
    for wave in waves:
        part: list[tuple[Heard, JournalBatch]] = []
        size = 0
        for one, batch in wave:
            if part and size + len(batch.entries) > MOST:
                yield part
                part, size = [], 0
            part.append((one, batch))
            size += len(batch.entries)
        yield part


def _take_in(
    session: Session, wave: _Wave, statuses: Mapping[str, UnitStatus], marks: Marks, tally: Tally
) -> list[tuple[str, Sequence[AnyEntry], datetime]]:
    for one, batch in wave:
        if marks.get(one.unit, batch.journal_id) is None:
            marks.begun(one.unit, batch.journal_id, one.at)
            marks.present(statuses[one.unit], batch.journal_id, one.at)
    session.flush()  # a unit's status comes before what it did
    new = _insert(session, wave)
    last = marks.last([one.unit for one, _ in wave])
    told: list[tuple[str, Sequence[AnyEntry], datetime]] = []
    touched: list[tuple[Heard, set[str]]] = []
    for one, batch in wave:
        fresh = _fresh(batch, new.get(one.unit, ()))
        tally.entries += len(fresh)
        tally.put_aside += ["unknown_entry" for entry in fresh if isinstance(entry, OtherEntry)]
        _note(session, statuses[one.unit], marks, one, batch, last)
        told.append((one.unit, fresh, one.at))
        touched.append((one, _touched(session, one.unit, batch.journal_id, fresh)))
    evidence.settle(session, touched, tally)
    for (one, batch), (_, entries, _) in zip(wave, told, strict=True):
        envelopes = [entry for entry in entries if isinstance(entry, Envelope)]
        if envelopes:
            tally.envelopes += hearing.take_in(session, one, batch.journal_id, envelopes)
        results = [entry for entry in entries if isinstance(entry, CommandAccepted | CommandResult)]
        if results and answering.settle(session, one.unit, results, one.at, one.signed, tally):
            tally.commands_due = True
    return told


def _note(
    session: Session,
    status: UnitStatus,
    marks: Marks,
    one: Heard,
    batch: JournalBatch,
    last: Mapping[tuple[str, str], int],
) -> None:
    """How far this journal is here now."""
    mark = marks.begun(one.unit, batch.journal_id, one.at)
    jumped(session, status, mark, batch.oldest, one.at)
    here = {entry.seq for entry in batch.entries}
    mark.seq = reached(session, mark, batch.oldest, here, last[one.unit, batch.journal_id])
    mark.at = one.at
    # Said again although we had it: our acknowledgement was lost, or the unit was restored.
    mark.acked_seq = -1
    complete(status, mark)


def _touched(session: Session, unit: str, journal_id: str, fresh: Sequence[AnyEntry]) -> set[str]:
    """The deliveries that these entries tell something of, and writes down the faults."""
    # No delivery is named as emergencies and drills are: a thousand poles that sound are asked about no bulletin.
    items = {entry.item for entry in fresh if isinstance(entry, Started | Ended | Skipped)}
    items = {name for name in items if not alert_evidence.names(name)}
    for entry in fresh:
        if isinstance(entry, FaultEntry):
            evidence.fault(session, unit, journal_id, entry)
            items |= touched_by(session, unit, journal_id, entry)
    return items


def _insert(session: Session, wave: _Wave) -> dict[str, set[int]]:
    """By unit, the numbers of the entries that were not here before."""
    rows: dict[tuple[str, int], dict[str, Any]] = {}
    for one, batch in wave:
        for entry in batch.entries:
            if (one.unit, entry.seq) not in rows:
                rows[one.unit, entry.seq] = _row(one, batch, entry)
    keep = _KEEP[session.get_bind().dialect.name]
    new: dict[str, set[int]] = {}
    for unit, seq in session.connection().execute(keep, list(rows.values())):
        new.setdefault(unit, set()).add(seq)
    return new


def _row(one: Heard, batch: JournalBatch, entry: AnyEntry) -> dict[str, Any]:
    return {
        "unit_id": one.unit,
        "journal_id": batch.journal_id,
        "seq": entry.seq,
        "kind": OTHER if isinstance(entry, OtherEntry) else entry.kind,
        # What a kind means that we do not know, we do not know: it is evidence of nothing.
        "item": None if isinstance(entry, OtherEntry) else getattr(entry, "item", None),
        "at": from_unix_ms(entry.at),
        "received_at": one.at,
        "boot_id": batch.boot_id,
        "signed": one.signed,
        # By way of text: what a database cannot keep (a NaN of a newer unit) has become null.
        "entry": json.loads(entry.model_dump_json(exclude_none=True, exclude=_LEFT_OUT.get(entry.kind))),
    }


def _fresh(batch: JournalBatch, new: Iterable[int]) -> list[AnyEntry]:
    told: dict[int, AnyEntry] = {}
    for entry in batch.entries:
        told.setdefault(entry.seq, entry)
    return [told[seq] for seq in sorted(new)]
