"""What an approver decides on, as plain facts with a hash: kept with each revision and each decision (R-029, R-030)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from controller.db.tables import Broadcast, Bulletin, Rendition, Revision
from controller.services import relaying
from controller.services.programmes import parts_of


def facts_of(session: Session, broadcast: Broadcast) -> dict[str, Any]:
    """Everything an approver decides on: the bytes, the words, the places, the times, the class."""
    bulletin = session.get_one(Bulletin, broadcast.bulletin_id)
    spoken = session.scalars(
        select(Rendition).where(Rendition.bulletin_id == bulletin.id).order_by(Rendition.position, Rendition.id)
    ).all()
    rendition = spoken[0]
    return {
        "broadcast": broadcast.id,
        "revision": broadcast.revision,
        "asset": rendition.asset_sha256,
        "language": rendition.language,
        "text": rendition.text,
        "title": bulletin.title,
        "field": bulletin.field,
        "origin": bulletin.origin,
        "source": bulletin.source,
        "category": bulletin.category,
        "issued_at": bulletin.issued_at.isoformat() if bulletin.issued_at else None,
        "renditions": [[each.language, each.title, each.text, each.asset_sha256] for each in spoken[1:]],
        "clusters": sorted(broadcast.clusters),
        "also_later": [broadcast.target_areas, broadcast.target_more] if broadcast.also_later else None,
        "repeat": broadcast.repeat,
        "first_day": broadcast.first_day.isoformat(),
        "at": broadcast.at_time.isoformat(),
        "until_day": broadcast.until_day.isoformat() if broadcast.until_day else None,
        "pattern": broadcast.pattern,
        "relay": relaying.facts(session, broadcast),
        "parts": [[part.kind, part.title, part.asset] for part in parts_of(session, broadcast.id)],
        "priority": broadcast.priority,
        "rank": broadcast.rank,
        "on_preempt": broadcast.on_preempt,
        "late": broadcast.late,
        "routing": [broadcast.routing, broadcast.stack_minutes],
        "volume": broadcast.volume,
        "unusual": broadcast.unusual,
        "ahead_minutes": broadcast.ahead_minutes,
    }


def hash_of(facts: dict[str, Any]) -> str:
    """SHA-256, 64 hexadecimal digits. The facts are kept with the decision, so anybody can compute it again."""
    return hashlib.sha256(json.dumps(facts, ensure_ascii=False, sort_keys=True).encode()).hexdigest()


def content_hash(session: Session, broadcast: Broadcast) -> str:
    return hash_of(facts_of(session, broadcast))


def keep(session: Session, broadcast: Broadcast, by: str | None, now: datetime) -> None:
    """This revision as it stands, once and for all. `by`: the id of whoever handed it in; none where it is only less
    of the one before, whose author stays the author."""
    session.flush()
    if by is None:
        before = session.get(Revision, (broadcast.id, broadcast.revision - 1))
        by = broadcast.author_id if before is None else before.by_id
    facts = facts_of(session, broadcast)
    session.add(
        Revision(
            broadcast_id=broadcast.id,
            number=broadcast.revision,
            by_id=by,
            at=now,
            title=str(facts["title"]),
            content_sha256=hash_of(facts),
            facts=facts,
        )
    )
    session.flush()


def authors(session: Session, broadcast: Broadcast) -> frozenset[str]:
    """Everybody who handed in some revision of it: what sounds may be theirs in part."""
    rows: Sequence[str] = session.scalars(select(Revision.by_id).where(Revision.broadcast_id == broadcast.id)).all()
    return frozenset({broadcast.author_id, *rows})
