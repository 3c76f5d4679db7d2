"""How far each journal is safe here, and from when on a unit's silence is evidence."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import bindparam, func, select
from sqlalchemy.orm import Session

from broadcasts.clock import from_unix_ms
from controller.db.tables import JournalEntry, JournalMark, Unit, UnitStatus

# Made once: units talk all day, and to build a statement costs more than to run it.
_MARKS = select(JournalMark).where(JournalMark.unit_id.in_(bindparam("units", expanding=True)))
_ENROLLED = select(Unit.enrolled_at).where(Unit.id == bindparam("unit"))
_HERE = (JournalEntry.unit_id == bindparam("unit"), JournalEntry.journal_id == bindparam("journal"))
_BEYOND = select(JournalEntry.seq).where(*_HERE, JournalEntry.seq > bindparam("reached")).order_by(JournalEntry.seq)
_BETWEEN = (
    select(func.count())
    .select_from(JournalEntry)
    .where(*_HERE, JournalEntry.seq > bindparam("after"), JournalEntry.seq < bindparam("before"))
)
_FROM = select(JournalEntry).where(*_HERE, JournalEntry.seq >= bindparam("oldest")).order_by(JournalEntry.seq).limit(1)
# Asked of each mark by itself, so that the last of each is looked up and no journal is read.
_LAST = select(
    JournalMark.unit_id,
    JournalMark.journal_id,
    select(func.max(JournalEntry.seq))
    .where(JournalEntry.unit_id == JournalMark.unit_id, JournalEntry.journal_id == JournalMark.journal_id)
    .correlate(JournalMark)
    .scalar_subquery(),
).where(JournalMark.unit_id.in_(bindparam("units", expanding=True)))


class Marks:
    """All marks of some units, those included that came into being meanwhile."""

    def __init__(self, session: Session, units: Collection[str]) -> None:
        self._session = session
        self._of: dict[str, dict[str, JournalMark]] = {unit: {} for unit in units}
        for mark in session.scalars(_MARKS, {"units": list(units)}):
            self._of[mark.unit_id][mark.journal_id] = mark

    def get(self, unit: str, journal_id: str) -> JournalMark | None:
        return self._of[unit].get(journal_id)

    def begun(self, unit: str, journal_id: str, at: datetime) -> JournalMark:
        """The one that is there, or a new one; whoever needs it in the database flushes."""
        mark = self._of[unit].get(journal_id)
        if mark is None:
            mark = JournalMark(unit_id=unit, journal_id=journal_id, seq=0, at=at, acked_seq=-1)
            self._of[unit][journal_id] = mark
            self._session.add(mark)
        return mark

    def present(self, status: UnitStatus, journal_id: str, at: datetime) -> None:
        """The first journal of a unit reaches back to its enrolment; another one only to when we first heard of it:
        what the storage that died knew, nobody knows."""
        if status.journal_id == journal_id:
            return
        first = status.journal_id is None and not self._of[status.unit_id].keys() - {journal_id}
        status.complete_from = self._enrolled(status.unit_id) if first else at
        status.journal_id = journal_id

    def _enrolled(self, unit: str) -> datetime:
        with self._session.no_autoflush:  # many units speak for the first time together
            return self._session.scalars(_ENROLLED, {"unit": unit}).one()

    def last(self, units: Collection[str]) -> dict[tuple[str, str], int]:
        """By unit and journal, the last entry in the database, whatever is missing before it."""
        rows = self._session.execute(_LAST, {"units": list(units)})
        return {(unit, journal_id): last or 0 for unit, journal_id, last in rows}


def complete(status: UnitStatus, mark: JournalMark | None) -> None:
    """Once the last entry that the unit named is here, its silence about a delivery is evidence too. A unit that does
    not know what time it is cannot say until when."""
    told = status.reported
    if not told or status.reported_at is None or told.get("journal_id") is None or not told["clock"]["trusted"]:
        return
    last = int(told.get("journal_seq", 0))
    if last == 0 or (mark is not None and mark.journal_id == told["journal_id"] and mark.seq >= last):
        said = min(from_unix_ms(int(told["at"])), status.reported_at)
        status.complete_at = max(said, status.complete_at or said)


def reached(session: Session, mark: JournalMark, oldest: int, here: Collection[int], last: int) -> int:
    """The last entry before the first gap, whatever came earlier beyond it. `here`: entries that are known to be in
    the database; `last`: the last one that is."""
    found = max(mark.seq, oldest - 1)
    while found + 1 in here:
        found += 1
    if found >= last:
        return found
    for seq in session.scalars(_BEYOND, {"unit": mark.unit_id, "journal": mark.journal_id, "reached": found}):
        if seq != found + 1:
            break
        found = seq
    return found


def jumped(session: Session, status: UnitStatus, mark: JournalMark, oldest: int, at: datetime) -> None:
    """What the unit threw away before it came here may have told of anything, up to the oldest entry it still has."""
    if oldest - 1 <= mark.seq or mark.journal_id != status.journal_id:
        return
    here = {"unit": mark.unit_id, "journal": mark.journal_id}
    known = session.scalar(_BETWEEN, {**here, "after": mark.seq, "before": oldest}) or 0
    if known == oldest - 1 - mark.seq:
        return
    first = session.scalars(_FROM, {**here, "oldest": oldest}).first()
    dated = first is not None and first.entry.get("clock_error_ms") is not None
    since = min(first.at, at) if first is not None and dated else at
    status.complete_from = max(since, status.complete_from or since)
