"""The reconciler: compare what is wanted with what is out there, publish what is missing (design, decision 8).

Nothing here is done because something happened; it is done because something is not as it should be. So a lost
message, a wiped broker, a restored database or a second controller lead to the same end.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import bindparam, or_, select, update
from sqlalchemy.orm import Session

from broadcasts.clock import unix_ms
from broadcasts.domain.delivery import Actor, State
from broadcasts.wire import topics
from broadcasts.wire.plan import MAX_AHEAD_MS
from broadcasts.wire.topics import In, Manner, ScopeTopic
from controller.db.base import said
from controller.db.tables import Approval, Delivery, JournalMark, ScopeDocument, UnitPlan, UnitStatus
from controller.services import acknowledging, alerting
from controller.services.context import Context
from controller.services.deliveries import move_all
from controller.services.ports import Link
from controller.services.trusting import TRUST

SAY_AGAIN = timedelta(seconds=60)
"""A connected unit that has not reported its plan by then is told again."""
LOOK_AGAIN = timedelta(minutes=10)
BATCH = 250


def step(ctx: Context, link: Link, now: datetime) -> datetime:
    """Publish what is missing. Returns when to look again; a change wakes us earlier."""
    alerting.issue_pending(ctx, now)
    if not link.up:
        return now + LOOK_AGAIN  # coming up wakes us
    with ctx.db.read() as session:
        behind, documents = _behind(session, now), _documents(session)
        lacking, marks = _lacking(session), acknowledging.missing(session)
    if behind:
        _outrank(ctx, behind, now)
    _say_documents(ctx, link, documents, now)
    _say_plans(ctx, link, [unit for unit, left in lacking if left is None or left < now - SAY_AGAIN], now)
    acknowledging.acknowledge(ctx, link, marks)
    return now + (SAY_AGAIN if lacking else LOOK_AGAIN)


def connected(ctx: Context) -> None:
    """A new connection: the few documents of the scopes are said again, whatever the broker kept."""
    with ctx.db.write() as session:
        session.execute(update(ScopeDocument).values(published_at=None))


def say_everything_again(ctx: Context) -> None:
    """The broker lost its store: nothing that we published is out there any more."""
    with ctx.db.write() as session:
        session.execute(update(UnitPlan).values(published_at=None))
        session.execute(update(ScopeDocument).values(published_at=None))
        session.execute(update(JournalMark).values(acked_seq=-1))


def _behind(session: Session, now: datetime) -> list[str]:
    """Units that hold, or for which the broker holds, a plan newer than ours: we were restored. What is too far ahead
    for any unit to apply is no plan that we must outrank."""
    latest = unix_ms(now) + MAX_AHEAD_MS
    newer = or_(
        *(
            each.between(UnitPlan.version + 1, latest)
            for each in (UnitStatus.plan_version, UnitStatus.seen_plan_version)
        )
    )
    return list(
        session.scalars(
            select(UnitPlan.unit_id)
            .join(UnitStatus, UnitStatus.unit_id == UnitPlan.unit_id)
            .where(newer, UnitPlan.body_sha256 != "")  # marked once: the compiler is at it
        )
    )


def _outrank(ctx: Context, behind: list[str], now: datetime) -> None:
    """Ours must be made anew, above what is out there; and the journals may know more than we do."""
    with ctx.db.write() as session:
        session.execute(update(UnitPlan).where(UnitPlan.unit_id.in_(behind)).values(body_sha256="", dirty_since=now))
        acknowledging.ask_again(session, behind, now)
    ctx.wake()


def _documents(session: Session) -> Sequence[ScopeDocument]:
    issued = ScopeDocument.version > 0
    return session.scalars(select(ScopeDocument).where(issued, ScopeDocument.published_at.is_(None))).all()


def _say_documents(ctx: Context, link: Link, missing: Sequence[ScopeDocument], now: datetime) -> None:
    # Trust first: without it no other document can be verified.
    for row in sorted(missing, key=lambda row: row.scope != TRUST):
        if row.scope == TRUST:
            topic, manner = topics.TRUST, topics.TRUST_MANNER
        else:
            topic, manner = topics.to_scope(row.scope, ScopeTopic.ALERT), topics.MANNERS[ScopeTopic.ALERT]
        if not (_publish(link, topic, row.document, manner) and link.flush()):
            return
        with ctx.db.write() as session:
            same = (ScopeDocument.scope == row.scope, ScopeDocument.version == row.version)
            session.execute(update(ScopeDocument).where(*same).values(published_at=now))


def _lacking(session: Session) -> list[tuple[str, datetime | None]]:
    """Units and when their plan left: never, or it did and they are connected and have not reported it."""
    unheard = UnitStatus.connected.is_(True) & or_(
        UnitStatus.plan_version.is_(None), UnitStatus.plan_version < UnitPlan.version
    )
    rows = session.execute(
        select(UnitPlan.unit_id, UnitPlan.published_at)
        .outerjoin(UnitStatus, UnitStatus.unit_id == UnitPlan.unit_id)
        .where(or_(UnitPlan.published_at.is_(None), unheard))
        .order_by(UnitPlan.unit_id)
    )
    return [(unit, left) for unit, left in rows]


def _say_plans(ctx: Context, link: Link, units: Sequence[str], now: datetime) -> None:
    """Read as they are said: all plans of a large fleet do not lie in memory at once."""
    for start in range(0, len(units), BATCH):
        theirs = UnitPlan.unit_id.in_(units[start : start + BATCH])
        with ctx.db.read() as session:
            missing = session.scalars(select(UnitPlan).where(theirs).order_by(UnitPlan.unit_id)).all()
        sent: list[UnitPlan] = []
        for row in missing:
            if not _publish(link, topics.to_unit(row.unit_id, In.PLAN), row.document, topics.MANNERS[In.PLAN]):
                break
            sent.append(row)
        if not link.flush():
            return
        with ctx.db.write() as session:
            approved = _mark_published(session, sent, now)
        for instant in approved:
            ctx.measures.dispatched((now - instant).total_seconds())
        if len(sent) < len(missing):
            return


def _mark_published(session: Session, sent: Sequence[UnitPlan], now: datetime) -> list[datetime]:
    """When the broadcasts that left for the first time were approved."""
    if not sent:
        return []
    mark = (
        update(UnitPlan.__table__)  # type: ignore[arg-type]
        .where(UnitPlan.unit_id == bindparam("unit"), UnitPlan.version == bindparam("sent"))
        .values(published_at=now)
    )
    session.connection().execute(mark, [{"unit": row.unit_id, "sent": row.version} for row in sent])
    units = {row.unit_id: row.version for row in sent}
    waiting = session.execute(
        select(
            Delivery.id,
            Delivery.state,
            Delivery.unit_id,
            Delivery.plan_version,
            Delivery.broadcast_id,
            Delivery.revision,
        ).where(Delivery.unit_id.in_(units), Delivery.state == said(State.PLANNED), Delivery.plan_version.is_not(None))
    ).all()
    gone = [row for row in waiting if row.plan_version <= units[row.unit_id]]
    out = [(row.id, row.state) for row in gone]
    move_all(session, out, State.PUBLISHED, Actor.CONTROLLER, now, "plan published")
    left = {(row.broadcast_id, row.revision) for row in gone if row.plan_version == units[row.unit_id]}
    approvals = session.scalars(
        select(Approval).where(Approval.broadcast_id.in_({name for name, _ in left}), Approval.approved.is_(True))
    )
    return [approval.at for approval in approvals if (approval.broadcast_id, approval.revision) in left]


def _publish(link: Link, topic: str, payload: bytes, manner: Manner) -> bool:
    return link.publish(topic, payload, qos=manner.qos, retain=manner.retain)
