"""Journal entries become verdicts and faults: each delivery is judged from all the evidence there is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from broadcasts.clock import from_unix_ms
from broadcasts.domain import verdict as rules
from broadcasts.domain.delivery import Actor, State
from broadcasts.domain.ear import Overheard, listened
from broadcasts.errors import Conflict
from broadcasts.wire.journal import FaultEntry
from controller.db.tables import Assignment, Delivery, JournalEntry, UnitFault
from controller.services import ear_evidence, other_codecs, relay_evidence
from controller.services.correcting import corrected
from controller.services.deliveries import move
from controller.services.heard import Heard, Tally, printable

_NAMED = select(Delivery).where(Delivery.id.in_(bindparam("items", expanding=True)))
_TOLD = (
    select(JournalEntry)
    .where(
        JournalEntry.item == bindparam("item"),
        JournalEntry.unit_id == bindparam("unit"),
        JournalEntry.kind.in_([str(kind) for kind in rules.Kind]),
    )
    .order_by(JournalEntry.boot_id, JournalEntry.seq)
)
_ASSIGNED = select(Assignment.id).where(
    Assignment.unit_id == bindparam("unit"),
    Assignment.cluster_id == bindparam("cluster"),
    Assignment.since <= bindparam("since"),
    Assignment.until.is_(None) | (Assignment.until > bindparam("until")),
)


def settle(session: Session, one: Heard, items: set[str], tally: Tally) -> None:
    """Judge every delivery that got new evidence, from all the evidence there is."""
    if not items:
        return
    ears = ear_evidence.said(session, list(items))
    for delivery in session.scalars(_NAMED, {"items": list(items)}):
        if served(session, one.unit, delivery):
            _judge(session, delivery, one.unit, ears.get(delivery.id), one.at, tally)


def judge_again(session: Session, name: str, at: datetime, tally: Tally) -> None:
    """An ear has said something: the delivery is judged anew, as late evidence would have it."""
    delivery = session.get_one(Delivery, name)
    heard_by = select(JournalEntry.unit_id).where(JournalEntry.item == name).distinct()
    for unit in session.scalars(heard_by).all():
        if served(session, unit, delivery):
            _judge(session, delivery, unit, ear_evidence.said(session, [name]).get(name), at, tally)


def _judge(session: Session, delivery: Delivery, unit: str, ear: Overheard | None, at: datetime, tally: Tally) -> None:
    evidence = session.scalars(_TOLD, {"item": delivery.id, "unit": unit}).all()
    others = {
        str(row.entry["asset"]) for row in evidence if row.entry.get("asset") not in (None, delivery.asset_sha256)
    }
    firsts = other_codecs.firsts(session, others)
    found = rules.judge(_evidence(evidence, firsts), delivery.asset_sha256, delivery.end - delivery.start)
    if found is None:
        return
    found = listened(corrected(session, found, evidence), ear)
    if delivery.relayed is not None:
        found = relay_evidence.told(delivery, found, [row.entry for row in evidence if row.kind == rules.Kind.ENDED])
    _conclude(session, delivery, found, at, tally)
    delivery.signed_evidence = all(row.signed for row in evidence)


def served(session: Session, unit: str, delivery: Delivery) -> bool:
    """Evidence counts only from the unit that was assigned to the cluster at that instant."""
    when = {"since": delivery.end, "until": delivery.start}
    return session.scalar(_ASSIGNED, {"unit": unit, "cluster": delivery.cluster_id, **when}) is not None


def _evidence(rows: Iterable[JournalEntry], firsts: Mapping[str, str]) -> list[rules.Evidence]:
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


def _conclude(session: Session, delivery: Delivery, found: rules.Finding, at: datetime, tally: Tally) -> None:
    delivery.coverage = found.coverage
    delivery.started_at = found.started_at
    delivery.late_ms = None if found.late is None else round(found.late.total_seconds() * 1000)
    was_ready = delivery.state not in (State.PLANNED, State.PUBLISHED)
    if not (delivery.state == State.WITHDRAWN and found.reason == "withdrawn"):
        try:
            move(session, delivery, found.state, Actor.UNIT, at, found.reason or "journal")
        except Conflict:
            tally.illegal_moves += 1
            return
    reason = found.reason
    if reason == "late" and not was_ready:
        reason = "plan_not_received"  # it came back, and met a plan that was over
    if found.verdict is not None and (delivery.verdict, delivery.reason) != (found.verdict, reason):
        delivery.verdict, delivery.reason, delivery.verdict_at = found.verdict, reason, at
        tally.verdicts += 1
    elif found.verdict is None and delivery.verdict == rules.Verdict.NOT_PLAYED:
        # It was displaced, and goes on after all.
        delivery.verdict = delivery.reason = delivery.verdict_at = None


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
