"""A clock that was off while its unit was alone: what it wrote is shown as it truly was (CONTRACT.md, section 4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.domain.verdict import Finding
from broadcasts.wire.journal import FaultEntry
from controller.db.tables import JournalEntry

DRIFT = "clock_drift"
SAME_TALK = timedelta(minutes=2)
"""What a unit wrote while it was alone arrives together with the correction, within so much."""
LIVE = timedelta(seconds=10)
"""What arrived so soon after it was written bears its own proof of a right clock."""


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


def corrected(session: Session, found: Finding, evidence: Sequence[JournalEntry]) -> Finding:
    """The finding with the true start and lateness."""
    begun = next((row for row in evidence if row.kind == "started" and row.at == found.started_at), None)
    if begun is None or found.started_at is None or found.late is None:
        return found
    shift = _shift(session, begun)
    return replace(found, started_at=found.started_at + shift, late=found.late + shift)


def _shift(session: Session, begun: JournalEntry) -> timedelta:
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
