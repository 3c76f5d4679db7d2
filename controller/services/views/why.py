"""Why? For one delivery, one chain from the first draft to the verdict: who, when, which version, which rule decided.
Put together from what was written down at the time; a later edit changes none of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from broadcasts.domain.delivery import State
from controller.db.tables import (
    Approval,
    AuditEntry,
    Broadcast,
    Bulletin,
    Cluster,
    Delegation,
    Delivery,
    DeliveryMove,
    Emergency,
    JournalEntry,
    OwnException,
    Revision,
    User,
)
from controller.services.rights import Actor
from controller.services.views.broadcast import moves
from controller.services.views.occurrences import OURS


@dataclass(frozen=True)
class Step:
    """`kind` is a sentence of the catalogue (`chain.<kind>`) with `fields` as its gaps; `at` none where only the order
    is known; `who` a full name, or empty for the controller and the unit."""

    kind: str
    at: datetime | None = None
    who: str = ""
    fields: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Chain:
    delivery: Delivery
    cluster: str
    title: str
    """As it was called in the revision that this delivery comes of."""
    outdated: bool
    """The broadcast was edited since."""
    part: tuple[str, str] | None
    """Of a programme: kind and title of the part that this is."""
    steps: Sequence[Step]


def chain(session: Session, actor: Actor, delivery_id: str) -> Chain:
    """Raises Refused("not_yours")."""
    delivery, moved = moves(session, actor, delivery_id)
    broadcast = session.get_one(Broadcast, delivery.broadcast_id)
    names = {row[0]: row[1] for row in session.execute(select(User.name, User.full_name))}
    steps = [
        *_decided(session, delivery),
        _planned(delivery),
        *_named(delivery),
        *_happened(session, delivery, moved, names),
        _verdict(delivery),
    ]
    return Chain(
        delivery=delivery,
        cluster=session.get_one(Cluster, delivery.cluster_id).name,
        title=title_then(session, delivery.broadcast_id, delivery.revision),
        outdated=delivery.revision < broadcast.revision,
        part=part_then(session, delivery),
        steps=steps,
    )


def title_then(session: Session, broadcast_id: str, number: int) -> str:
    """What that revision was called; today's title where none was kept."""
    found = session.get(Revision, (broadcast_id, number))
    if found is not None:
        return found.title
    return session.get_one(Bulletin, session.get_one(Broadcast, broadcast_id).bulletin_id).title


def part_then(session: Session, delivery: Delivery) -> tuple[str, str] | None:
    """(kind, title) as they stood in the revision of this delivery; none outside programmes."""
    found = session.get(Revision, (delivery.broadcast_id, delivery.revision))
    parts = found.facts.get("parts", []) if found is not None else []
    if delivery.part is None or delivery.part >= len(parts):
        return None
    kind, title = parts[delivery.part][:2]
    return str(kind), str(title)


def _decided(session: Session, delivery: Delivery) -> list[Step]:
    """Every revision up to this one, and what was said to it."""
    upto = (Revision.broadcast_id == delivery.broadcast_id, Revision.number <= delivery.revision)
    rows = session.execute(
        select(Revision, User.full_name).join(User, Revision.by_id == User.id).where(*upto).order_by(Revision.number)
    )
    lender = aliased(User)
    decisions = {
        row[0].revision: row
        for row in session.execute(
            select(Approval, User.full_name, lender.full_name, OwnException.number)
            .join(User, Approval.by_id == User.id)
            .outerjoin(Delegation, Approval.delegation_id == Delegation.id)
            .outerjoin(lender, Delegation.from_id == lender.id)
            .outerjoin(OwnException, Approval.exception_id == OwnException.id)
            .where(Approval.broadcast_id == delivery.broadcast_id)
        )
    }
    found = []
    for revision, author in rows:
        told = {"revision": revision.number, "title": revision.title, "hash": revision.content_sha256[:12]}
        found.append(Step("submitted", revision.at, author, told))
        if revision.number in decisions:
            found += _decision(*decisions[revision.number])
    return found


def _decision(approval: Approval, by: str, lender: str | None, number: str | None) -> list[Step]:
    told: dict[str, Any] = {"revision": approval.revision, "hash": approval.content_sha256[:12]}
    if not approval.approved:
        return [Step("rejected", approval.at, by, told | {"reason": approval.reason})]
    kind = "approved"
    if lender is not None:
        kind, told = "approved_lent", told | {"lender": lender}
    elif number is not None:
        kind, told = "approved_own", told | {"number": number}
    found = [Step(kind, approval.at, by, told)]
    if approval.valid_until is not None:
        found.append(Step("approved_until", approval.at, by, {"until": approval.valid_until}))
    return found


def _planned(delivery: Delivery) -> Step:
    told = {"start": delivery.start, "volume": delivery.volume, "priority": delivery.priority}
    return Step("planned", fields=told)


def _named(delivery: Delivery) -> list[Step]:
    if delivery.plan_version is None:
        return []
    return [Step("named", fields={"version": delivery.plan_version, "unit": delivery.unit_id or ""})]


def _happened(session: Session, delivery: Delivery, moved: Sequence[DeliveryMove], names: dict[str, str]) -> list[Step]:
    """Moves and the unit's own words in the order in which they became known here."""
    found = [(move.at, 0, _move(session, delivery, move, names)) for move in moved]
    rows = session.scalars(
        select(JournalEntry)
        .where(JournalEntry.item == delivery.id)
        .order_by(JournalEntry.received_at, JournalEntry.boot_id, JournalEntry.seq)
    )
    for row in rows:
        found += [(row.received_at, -1, step) for step in _entry(session, delivery, row)]
    return [step for _, _, step in sorted(found, key=lambda one: (one[0], one[1]))]


def _move(session: Session, delivery: Delivery, move: DeliveryMove, names: dict[str, str]) -> Step:
    told = {"after": move.after, "why": move.why}
    if move.after != State.WITHDRAWN:
        return Step("moved", move.at, fields=told)
    # Whoever took it off the air did so in the same transaction, at the same instant.
    by = session.scalars(
        select(AuditEntry.actor)
        .where(AuditEntry.about == delivery.broadcast_id, AuditEntry.at == move.at)
        .order_by(AuditEntry.id.desc())
        .limit(1)
    ).first()
    ruled = by is None or move.why not in OURS
    return Step("closed" if ruled else "stopped", move.at, "" if ruled else names.get(by or "", by or ""), told)


def _entry(session: Session, delivery: Delivery, row: JournalEntry) -> list[Step]:
    entry = row.entry
    told: dict[str, Any] = {"signed": row.signed, "unit": row.unit_id, "received": row.received_at}
    match row.kind:
        case "started":
            more = {"late_ms": entry.get("late_ms", 0), "offset_ms": entry.get("offset_ms", 0)}
            return [Step("started", row.at, fields=told | more)]
        case "ended":
            more = {"played_ms": entry.get("played_ms", 0), "amplifier": entry.get("amplifier", "")}
            found = Step("ended", row.at, fields=told | more | {"outcome": entry.get("outcome", "")})
            if entry.get("relay") is not None:
                shares = {"relay_ms": entry.get("relay_ms") or 0, "fallback_ms": entry.get("fallback_ms") or 0}
                found = Step("ended_relay", row.at, fields=found.fields | shares | {"source": delivery.relayed or ""})
        case "skipped":
            found = Step("skipped", row.at, fields=told | {"why": entry.get("why", "")})
        case _:
            return []
    by = entry.get("by")
    return [found] if not isinstance(by, str) else [found, _winner(session, delivery, by, row.at)]


def _winner(session: Session, delivery: Delivery, by: str, at: datetime) -> Step:
    """Which broadcast won, and by which part of the order (design, section 5)."""
    if session.get(Emergency, by) is not None:
        return Step("lost_alert", at, fields={"by": by})
    won = session.get(Delivery, by)
    if won is None:
        return Step("lost_other", at, fields={"by": by})
    told = {"title": title_then(session, won.broadcast_id, won.revision), "by": by}
    if won.priority < delivery.priority:
        return Step("lost_class", at, fields=told | {"won": won.priority, "lost": delivery.priority})
    if won.priority == delivery.priority and won.rank != delivery.rank:
        return Step("lost_rank", at, fields=told | {"won": won.rank, "lost": delivery.rank})
    return Step("lost_order", at, fields=told)


def _verdict(delivery: Delivery) -> Step:
    if delivery.verdict is None:
        return Step("open")
    told = {"verdict": delivery.verdict, "reason": delivery.reason or "", "silent_since": delivery.silent_since}
    return Step("verdict", delivery.verdict_at, fields=told)
