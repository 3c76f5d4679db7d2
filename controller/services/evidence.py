"""Journal entries become verdicts and faults: each delivery is judged from all the evidence there is."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, bindparam, select
from sqlalchemy.orm import Session

from broadcasts.clock import from_unix_ms
from broadcasts.domain import verdict as rules
from broadcasts.domain.delivery import Actor, State
from broadcasts.domain.ear import listened
from broadcasts.errors import Conflict
from broadcasts.wire.journal import FaultEntry
from controller.db.tables import Assignment, Delivery, JournalEntry, UnitFault
from controller.services import ear_evidence, other_codecs, relay_evidence
from controller.services.correcting import LINES, Line, corrected
from controller.services.deliveries import keep_moves, moved
from controller.services.heard import Heard, Tally, printable

_NAMED = select(Delivery).where(Delivery.id.in_(bindparam("items", expanding=True)))
_TOLD = LINES.where(
    JournalEntry.item.in_(bindparam("items", expanding=True)),
    JournalEntry.unit_id.in_(bindparam("units", expanding=True)),
    JournalEntry.kind.in_([str(kind) for kind in rules.Kind]),
).order_by(JournalEntry.boot_id, JournalEntry.seq)
_SERVED = select(Assignment.unit_id, Assignment.cluster_id, Assignment.since, Assignment.until).where(
    Assignment.unit_id.in_(bindparam("units", expanding=True))
)


_Stay = Row[str, str, datetime, datetime | None]


@dataclass(frozen=True)
class _Case:
    """What one unit told of one delivery."""

    delivery: Delivery
    unit: str
    heard: datetime
    """When we heard of it."""

    @property
    def name(self) -> tuple[str, str]:
        return self.delivery.id, self.unit


def settle(session: Session, told: Sequence[tuple[Heard, Collection[str]]], tally: Tally) -> None:
    """Judge every delivery that got new evidence, from all the evidence there is. `told`: who spoke, and of which; a
    unit once."""
    names = sorted({name for _, items in told for name in items})
    if not names:
        return
    found = {row.id: row for row in session.scalars(_NAMED, {"items": names})}
    cases = [_Case(found[name], one.unit, one.at) for one, items in told for name in sorted(items) if name in found]
    _judge(session, cases, tally)


def judge_again(session: Session, name: str, at: datetime, tally: Tally) -> None:
    """An ear has said something: the delivery is judged anew, as late evidence would have it."""
    delivery = session.get_one(Delivery, name)
    heard_by = select(JournalEntry.unit_id).where(JournalEntry.item == name).distinct()
    _judge(session, [_Case(delivery, unit, at) for unit in session.scalars(heard_by)], tally)


def _judge(session: Session, cases: Sequence[_Case], tally: Tally) -> None:
    """All are looked up together, then each is judged by itself."""
    told = _told(session, cases)
    cases = [case for case in cases if case.name in told]
    others = {case.name: _others(case.delivery, told[case.name]) for case in cases}
    firsts = other_codecs.firsts(session, set().union(*others.values()))
    found: dict[tuple[str, str], tuple[rules.Finding, Sequence[Line]]] = {}
    for case in cases:
        own = {asset: firsts[asset] for asset in others[case.name] if asset in firsts}
        length = case.delivery.end - case.delivery.start
        finding = rules.judge(_evidence(told[case.name], own), case.delivery.asset_sha256, length)
        if finding is not None:
            found[case.name] = finding, told[case.name]
    if not found:
        return
    right = corrected(session, found)
    ears = ear_evidence.said(session, sorted({delivery for delivery, _ in found}))
    moves: list[dict[str, Any]] = []
    for case in cases:
        if case.name in found:
            finding = listened(right[case.name], ears.get(case.delivery.id))
            moves += _file(case, finding, told[case.name], tally)
    keep_moves(session, moves)


def _file(case: _Case, found: rules.Finding, lines: Sequence[Line], tally: Tally) -> list[dict[str, Any]]:
    """The row of its move, if it moved."""
    delivery = case.delivery
    if delivery.relayed is not None:
        found = relay_evidence.told(delivery, found, [row.entry for row in lines if row.kind == rules.Kind.ENDED])
    moves = _conclude(delivery, found, case.heard, tally)
    delivery.signed_evidence = all(row.signed for row in lines)
    return moves


def _told(session: Session, cases: Sequence[_Case]) -> dict[tuple[str, str], list[Line]]:
    """By case, its evidence; no entry where that unit never served there."""
    served = _served(session, {case.unit for case in cases})
    terms = {case.name: ended for case in cases if (ended := _terms(served[case.unit], case.delivery))}
    found: dict[tuple[str, str], list[Line]] = {name: [] for name in terms}
    if not found:
        return found
    asked = {"items": sorted({name for name, _ in found}), "units": sorted({unit for _, unit in found})}
    for line in session.execute(_TOLD, asked):
        name = (line.item, line.unit_id)
        # A drill is another thing, whatever its id: whoever has the drill key must not be able to prove a bulletin.
        if name in found and not line.entry.get("drill") and _of_here(line, terms[name]):
            found[name].append(line)
    return found


def _of_here(line: Line, terms: Sequence[datetime | None]) -> bool:
    """What a unit did after it was taken off the pole is no evidence of here; at that instant it still hung there."""
    return None in terms or line.at <= max(each for each in terms if each is not None)


def _others(delivery: Delivery, lines: Iterable[Line]) -> set[str]:
    """The files that were played in its place."""
    return {str(row.entry["asset"]) for row in lines if row.entry.get("asset") not in (None, delivery.asset_sha256)}


def served(session: Session, unit: str, delivery: Delivery) -> bool:
    """Evidence counts only from the unit that was assigned to the cluster at that instant."""
    return bool(_terms(_served(session, {unit})[unit], delivery))


def _served(session: Session, units: Collection[str]) -> dict[str, list[_Stay]]:
    """By unit, where it ever hung, and when."""
    found: dict[str, list[_Stay]] = {unit: [] for unit in units}
    for row in session.execute(_SERVED, {"units": sorted(units)}):
        found[row.unit_id].append(row)
    return found


def _terms(served: Iterable[_Stay], delivery: Delivery) -> list[datetime | None]:
    """When each of the times that it served there during the delivery ended; none: it serves on."""
    return [
        row.until
        for row in served
        if row.cluster_id == delivery.cluster_id
        and row.since <= delivery.end
        and (row.until is None or row.until > delivery.start)
    ]


def _evidence(rows: Iterable[Line], firsts: Mapping[str, str]) -> list[rules.Evidence]:
    """`firsts`: of which recording a file is an encoding; the proof of the one is the proof of the other."""
    found = []
    for order, row in enumerate(rows):
        entry = row.entry
        found.append(
            rules.Evidence(
                seq=order,
                kind=rules.Kind(row.kind),
                at=row.at,
                outcome=entry.get("outcome") or entry.get("why"),
                offset=timedelta(milliseconds=entry.get("offset_ms", 0)),
                played=timedelta(milliseconds=relay_evidence.sounded(entry)),
                amplifier=entry.get("amplifier"),
                late=timedelta(milliseconds=entry.get("late_ms", 0)),
                by=entry.get("by"),
                asset=firsts.get(entry.get("asset", ""), entry.get("asset")),
                detail=entry.get("reason", "") or entry.get("detail", ""),
            )
        )
    return found


def _conclude(delivery: Delivery, found: rules.Finding, at: datetime, tally: Tally) -> list[dict[str, Any]]:
    moves: list[dict[str, Any]] = []
    delivery.coverage = found.coverage
    delivery.started_at = found.started_at
    delivery.late_ms = None if found.late is None else round(found.late.total_seconds() * 1000)
    was_ready = delivery.state not in (State.PLANNED, State.PUBLISHED)
    if not (delivery.state == State.WITHDRAWN and found.reason == "withdrawn"):
        try:
            moves = moved(delivery, found.state, Actor.UNIT, at, found.reason or "journal")
        except Conflict:
            tally.illegal_moves += 1
            return moves
    reason = found.reason
    if reason == "late" and not was_ready:
        reason = "plan_not_received"  # it came back, and met a plan that was over
    if found.verdict is not None and (delivery.verdict, delivery.reason) != (found.verdict, reason):
        delivery.verdict, delivery.reason, delivery.verdict_at = found.verdict, reason, at
        tally.verdicts += 1
    elif found.verdict is None and delivery.verdict == rules.Verdict.NOT_PLAYED:
        # It was displaced, and goes on after all.
        delivery.verdict = delivery.reason = delivery.verdict_at = None
    return moves


def fault(session: Session, unit: str, journal_id: str, entry: FaultEntry) -> None:
    """Entries may come late and out of order: one that a later one has overtaken changes nothing that stands."""
    later = session.scalars(
        select(JournalEntry.entry).where(
            JournalEntry.unit_id == unit,
            JournalEntry.journal_id == journal_id,
            JournalEntry.seq > entry.seq,
            JournalEntry.kind == "fault",
        )
    )
    if any(told["code"] == entry.code for told in later):
        return
    standing = session.scalar(
        select(UnitFault).where(UnitFault.unit_id == unit, UnitFault.code == entry.code, UnitFault.cleared_at.is_(None))
    )
    at = from_unix_ms(entry.at)
    if entry.raised and standing is None:
        session.add(UnitFault(unit_id=unit, code=entry.code, detail=printable(entry.detail), raised_at=at))
        session.flush()
    elif not entry.raised and standing is not None:
        standing.cleared_at = at
