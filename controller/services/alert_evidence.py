"""What units tell of an emergency, or of a drill, in their journals, kept with the pole that it was meant for (R-069).

Which of the two it is follows from what the entry says of itself (`drill`), never from the id alone: the same id in
both would be two things.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import BindParameter, bindparam, select
from sqlalchemy.orm import Session

from broadcasts.clock import from_unix_ms
from broadcasts.wire.journal import Amplifier, AnyEntry, Ended, Outcome, Skipped, Started
from controller.db.tables import DrillBefore, DrillReach, Emergency, EmergencyReach, ReachBefore

Told = Started | Ended | Skipped
Before = ReachBefore | DrillBefore
Reached = EmergencyReach | DrillReach | Before
PREFIX, DRILL_PREFIX = "a-", "dr-"
"""With which the ids of emergencies and of drills begin, and of nothing else that units play."""
_NAMED: BindParameter[list[str]] = bindparam("items", expanding=True)
_UNITS: BindParameter[list[str]] = bindparam("units", expanding=True)
_ALERTS = (
    select(EmergencyReach, Emergency.pressed_at)
    .join(Emergency, EmergencyReach.emergency_id == Emergency.id)
    .where(EmergencyReach.emergency_id.in_(_NAMED), EmergencyReach.unit_id.in_(_UNITS))
)
_BEFORE = select(ReachBefore).where(ReachBefore.emergency_id.in_(_NAMED), ReachBefore.unit_id.in_(_UNITS))
_DRILLS = select(DrillReach).where(DrillReach.drill_id.in_(_NAMED), DrillReach.unit_id.in_(_UNITS))
_DRILLS_BEFORE = select(DrillBefore).where(DrillBefore.drill_id.in_(_NAMED), DrillBefore.unit_id.in_(_UNITS))
_Line = tuple[str, Told, datetime]
"""A unit, what it tells, and when we heard of it."""


def names(item: str) -> bool:
    """Whether this is the id of an emergency or a drill."""
    return item.startswith((PREFIX, DRILL_PREFIX))


def take_in(session: Session, told: Iterable[tuple[str, Iterable[AnyEntry], datetime]]) -> list[float]:
    """`told`: by unit, its new entries, and when they came; of all units at once, because in an emergency all speak at
    once. Seconds from the press to the first sound, of each emergency that a unit tells of for the first time. Entries
    may come late and out of order; each comes here once."""
    lines = [
        (unit, each, at)
        for unit, entries, at in told
        for each in entries
        if isinstance(each, Told) and names(each.item)
    ]
    alerts = [line for line in lines if not line[1].drill and line[1].item.startswith(PREFIX)]
    drills = [line for line in lines if line[1].drill and line[1].item.startswith(DRILL_PREFIX)]
    if drills:
        exercised: list[tuple[str, Reached]] = [
            (row.drill_id, row)
            for wanted in (_DRILLS, _DRILLS_BEFORE)
            for row in session.scalars(wanted, _these(drills))
        ]
        _note(_by_unit(exercised), drills)
    if not alerts:
        return []
    found = session.execute(_ALERTS, _these(alerts)).all()
    fresh = [(row, pressed) for row, pressed in found if row.sounded_at is None]
    rows: list[tuple[str, Reached]] = [(row.emergency_id, row) for row, _ in found]
    rows += [(row.emergency_id, row) for row in session.scalars(_BEFORE, _these(alerts))]
    _note(_by_unit(rows), alerts)
    return [(row.sounded_at - pressed).total_seconds() for row, pressed in fresh if row.sounded_at is not None]


def _these(lines: Sequence[_Line]) -> dict[str, list[str]]:
    return {"items": sorted({each.item for _, each, _ in lines}), "units": sorted({unit for unit, _, _ in lines})}


def _by_unit(rows: Iterable[tuple[str, Reached]]) -> Mapping[tuple[str, str | None], list[Reached]]:
    """By what it was and who told; several where a unit hung at several poles while it stood."""
    found: dict[tuple[str, str | None], list[Reached]] = {}
    for name, row in rows:
        found.setdefault((name, row.unit_id), []).append(row)
    return found


def _note(rows: Mapping[tuple[str, str | None], list[Reached]], lines: Iterable[_Line]) -> None:
    for unit, entry, received in lines:
        there = [row for row in rows.get((entry.item, unit), ()) if _there(row, entry)]
        # Of one that came back to its pole: what it did elsewhere in between it did there alone.
        for row in [row for row in there if isinstance(row, Before)] or there:
            # Without trusted time its clock says nothing: then it was when we heard of it, at the latest.
            at = from_unix_ms(entry.at) if entry.clock_error_ms is not None else received
            match entry:
                case Started():
                    row.sounded_at = min(at, row.sounded_at or at)
                case Ended():
                    row.ended_at = max(at, row.ended_at or at)
                    _hear(row, entry)
                case Skipped():
                    row.skipped = entry.why


def _there(row: Reached, entry: Told) -> bool:
    """Whether the unit hung at this pole when it sounded. One that went and does not know the time proves nothing of
    the pole that it left."""
    if entry.clock_error_ms is None:
        return not isinstance(row, Before)
    at = from_unix_ms(entry.started_at if isinstance(entry, Ended) else entry.at)
    return (row.since is None or at >= row.since) and (not isinstance(row, Before) or at < row.until)


def _hear(row: Reached, entry: Ended) -> None:
    if entry.outcome is Outcome.FAILED or entry.played_ms == 0:
        return
    if entry.amplifier is Amplifier.SOUND:
        row.heard = True
    elif entry.amplifier is Amplifier.SILENT and row.heard is None:
        row.heard = False
