"""A clock that was off while its unit was alone: what it wrote is shown as it truly was (CONTRACT.md, section 4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from sqlalchemy import Row, bindparam, func, select
from sqlalchemy.orm import Session, aliased

from broadcasts.domain.verdict import Finding
from broadcasts.wire.journal import FaultEntry
from controller.db.tables import JournalEntry

DRIFT = "clock_drift"
SAME_TALK = timedelta(minutes=2)
"""What a unit wrote while it was alone arrives together with the correction, within so much."""
LIVE = timedelta(seconds=10)
"""What arrived so soon after it was written bears its own proof of a right clock."""
Name = tuple[str, str]
"""A delivery, and a unit that told of it."""
Line = Row[Any]
"""An entry as `LINES` finds it."""
LINES = select(
    JournalEntry.unit_id,
    JournalEntry.journal_id,
    JournalEntry.seq,
    JournalEntry.kind,
    JournalEntry.item,
    JournalEntry.at,
    JournalEntry.received_at,
    JournalEntry.signed,
    JournalEntry.entry,
)
_LATER = aliased(JournalEntry)
# Asked of each by itself: as a join it might read whole journals.
_FAULTY = select(
    JournalEntry.unit_id,
    JournalEntry.journal_id,
    JournalEntry.seq,
    select(func.min(_LATER.seq))
    .where(
        _LATER.unit_id == JournalEntry.unit_id,
        _LATER.journal_id == JournalEntry.journal_id,
        _LATER.seq > JournalEntry.seq,
        _LATER.kind == "fault",
    )
    .correlate(JournalEntry)
    .scalar_subquery(),
).where(
    JournalEntry.item.in_(bindparam("items", expanding=True)),
    JournalEntry.unit_id.in_(bindparam("units", expanding=True)),
    JournalEntry.kind == "started",
)


def touched_by(session: Session, unit: str, journal_id: str, fault: FaultEntry) -> set[str]:
    """The items whose beginning this correction moves: they are judged again."""
    if fault.code != DRIFT or not fault.raised:
        return set()
    rows = session.scalars(
        select(JournalEntry).where(
            JournalEntry.unit_id == unit,
            JournalEntry.journal_id == journal_id,
            JournalEntry.seq < fault.seq,
            JournalEntry.kind == "started",
        )
    )
    return {row.item for row in rows if row.item is not None and _shift(session, row)}


def corrected(session: Session, found: Mapping[Name, tuple[Finding, Sequence[Line]]]) -> dict[Name, Finding]:
    """The findings with the true start and lateness. `found`: each with its evidence."""
    begun = {name: line for name, (finding, lines) in found.items() if (line := _begun(finding, lines)) is not None}
    off = {name: _shift(session, begun[name]) for name in _doubtful(session, begun)}
    return {name: _moved(finding, off.get(name, timedelta(0))) for name, (finding, _) in found.items()}


def _begun(found: Finding, evidence: Sequence[Line]) -> Line | None:
    if found.started_at is None or found.late is None:
        return None
    return next((row for row in evidence if row.kind == "started" and row.at == found.started_at), None)


def _moved(found: Finding, shift: timedelta) -> Finding:
    if not shift or found.started_at is None or found.late is None:
        return found
    return replace(found, started_at=found.started_at + shift, late=found.late + shift)


def _doubtful(session: Session, begun: Mapping[Name, Line]) -> list[Name]:
    """Those that came late, and after which their unit wrote of any fault: one look for all, because hardly any did."""
    late = {name: line for name, line in begun.items() if abs(line.received_at - line.at) > LIVE}
    if not late:
        return []
    asked = {
        "items": sorted({line.item for line in late.values()}),
        "units": sorted({line.unit_id for line in late.values()}),
    }
    faulty = {tuple(row[:3]) for row in session.execute(_FAULTY, asked) if row[3] is not None}
    return [name for name, line in late.items() if (line.unit_id, line.journal_id, line.seq) in faulty]


def _shift(session: Session, begun: Line | JournalEntry) -> timedelta:
    """By how much the clock was behind when this was written; nothing where it was right, or nobody knows."""
    if abs(begun.received_at - begun.at) <= LIVE:
        return timedelta(0)
    faults = session.scalars(
        select(JournalEntry)
        .where(
            JournalEntry.unit_id == begun.unit_id,
            JournalEntry.journal_id == begun.journal_id,
            JournalEntry.seq > begun.seq,
            JournalEntry.kind == "fault",
        )
        .order_by(JournalEntry.seq)
    )
    first = next((row for row in faults if row.entry["code"] == DRIFT and row.entry["raised"]), None)
    if first is None or abs(first.received_at - begun.received_at) > SAME_TALK:
        return timedelta(0)
    try:
        shift = timedelta(milliseconds=int(first.entry["detail"]))
    except (ValueError, OverflowError):
        return timedelta(0)
    return shift if begun.at + shift <= begun.received_at else timedelta(0)
