"""The drill documents of the scopes: complete lists, signed with the drill key, said by the reconciler."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from broadcasts.clock import unix_ms
from broadcasts.domain.versions import next_version
from broadcasts.errors import Refused
from broadcasts.wire import codec, topics
from broadcasts.wire import drill as wire
from broadcasts.wire.alert import AlertKind, Rendition
from broadcasts.wire.jws import Typ
from broadcasts.wire.topics import ScopeTopic
from broadcasts.wire.trust import Use
from controller.db.tables import Drill, DrillList
from controller.services import alert_lists, library, other_codecs
from controller.services.context import Context
from controller.services.ports import Link

ISSUED = "issued"
MOST_BYTES = topics.MANNERS[ScopeTopic.DRILL].max_bytes


def sign(ctx: Context, session: Session, scopes: Sequence[str], now: datetime) -> None:
    """Sign the lists of these scopes as they stand, in the caller's transaction. Raises Refused("drill.too_many"): then
    nothing of the transaction may stay."""
    active = session.scalars(
        select(Drill).where(Drill.state == ISSUED, Drill.hard_end > now).order_by(Drill.issued_at, Drill.id)
    ).all()
    # What voids everything before it must not void what comes after it in the same millisecond.
    least = alert_lists.void_before(session)
    signer = ctx.keys.signer(Use.DRILL)
    for scope in scopes:
        row = session.get(DrillList, scope)
        if row is None:
            row = DrillList(scope=scope, version=0, document=b"", issued_at=now, seen_version=0)
            session.add(row)
        entries = [
            _entry(session, drill, units, least) for drill in active for place, units in drill.places if place == scope
        ]
        if len(entries) > wire.MOST_DRILLS:
            raise Refused("drill.too_many", most=wire.MOST_DRILLS)
        version = next_version(row.version, row.seen_version, unix_ms(now))
        document = wire.DrillDocument(scope=scope, version=version, issued_at=unix_ms(now), drills=entries)
        sealed = codec.seal(document, Typ.DRILL, signer)
        if len(sealed) > MOST_BYTES:
            raise Refused("drill.too_many", most=wire.MOST_DRILLS)
        row.version, row.document, row.issued_at, row.published_at = version, sealed, now, None
        row.stale = False


def _entry(session: Session, drill: Drill, units: Any, least: int) -> wire.Drill:
    issued = max(unix_ms(drill.issued_at or drill.asked_at), least)
    return wire.Drill(
        id=drill.id,
        kind=AlertKind(drill.kind),
        target="all" if units is None else list(units),
        silent=drill.silent,
        prefix=_renditions(session, drill.prefix),
        content=_renditions(session, drill.content),
        volume=drill.volume,
        issued_at=issued,
        not_before=unix_ms(drill.starts_at),
        hard_end=unix_ms(drill.hard_end),
        reason=drill.reason,
    )


def _renditions(session: Session, content: Sequence[Sequence[str]]) -> list[Rendition]:
    return [other_codecs.rendition(session, language, library.find(session, sha256)) for language, sha256 in content]


def intend(session: Session, scope: str, now: datetime) -> None:
    """In the transaction of the act: from here on the next step signs the list anew."""
    row = session.get(DrillList, scope)
    if row is None:
        row = DrillList(scope=scope, version=0, document=b"", issued_at=now, seen_version=0)
        session.add(row)
    row.stale = True


def outrank(ctx: Context, scope: str, seen: int, now: datetime) -> None:
    """The broker holds a version above ours: we were restored from a backup, and sign anew above it."""
    with ctx.db.write() as session:
        row = session.get(DrillList, scope)
        if row is not None and seen <= max(row.version, row.seen_version):
            return
        if row is None:
            row = DrillList(scope=scope, version=0, document=b"", issued_at=now, seen_version=seen)
            session.add(row)
        row.seen_version = seen
        session.flush()
        sign(ctx, session, [scope], now)
    ctx.publish_soon()


def issue_pending(ctx: Context, now: datetime) -> None:
    """Sign anew what must outrank something that is out there, and what names other units since."""
    with ctx.db.read() as session:
        behind = select(DrillList.scope).where(or_(DrillList.seen_version > DrillList.version, DrillList.stale))
        scopes = session.scalars(behind.order_by(DrillList.scope)).all()
    if scopes:
        with ctx.db.write() as session:
            sign(ctx, session, scopes, now)


def say(ctx: Context, link: Link, now: datetime) -> None:
    """Publish the lists that are not out there."""
    issue_pending(ctx, now)
    with ctx.db.read() as session:
        waiting = select(DrillList).where(DrillList.published_at.is_(None), DrillList.version > 0)
        missing = session.scalars(waiting.order_by(DrillList.version)).all()
    manner = topics.MANNERS[ScopeTopic.DRILL]
    sent = []
    for row in missing:
        topic = topics.to_scope(row.scope, ScopeTopic.DRILL)
        if not link.publish(topic, row.document, qos=manner.qos, retain=manner.retain):
            break
        sent.append(row)
    if not sent or not link.flush():
        return
    with ctx.db.write() as session:
        for row in sent:
            same = (DrillList.scope == row.scope, DrillList.version == row.version)
            session.execute(update(DrillList).where(*same).values(published_at=now))


def say_again(session: Session) -> None:
    session.execute(update(DrillList).values(published_at=None))
