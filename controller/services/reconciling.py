"""The reconciler: compare what is wanted with what is out there, publish what is missing (design, decision 8).

Nothing here is done because something happened; it is done because something is not as it should be. So a lost
message, a wiped broker, a restored database or a second controller lead to the same end.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from broadcasts.domain.delivery import Actor, State
from broadcasts.wire import codec, topics
from broadcasts.wire.journal import JournalAck
from broadcasts.wire.jws import Typ
from broadcasts.wire.topics import In, Manner, ScopeTopic
from broadcasts.wire.trust import Use
from controller.db.tables import Approval, Delivery, JournalMark, Kept, ScopeDocument, UnitPlan, UnitStatus
from controller.services.context import Context
from controller.services.deliveries import move
from controller.services.ports import Link
from controller.services.trusting import TRUST

SAY_AGAIN = timedelta(seconds=60)
"""A connected unit that has not reported its plan by then is told again."""
LOOK_AGAIN = timedelta(minutes=2)
BATCH = 100
EPOCH = "journal_epoch"


def step(ctx: Context, link: Link, now: datetime) -> datetime:
    """Publish what is missing. Returns when to look again; a change wakes us earlier."""
    if not link.up:
        return now + LOOK_AGAIN  # coming up wakes us
    _outrank(ctx, now)
    _documents(ctx, link, now)
    _plans(ctx, link, now)
    _acks(ctx, link, now)
    return now + LOOK_AGAIN


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


def _outrank(ctx: Context, now: datetime) -> None:
    """Units, or the broker, hold a plan newer than ours: we were restored. Ours must be made anew, above it."""
    newer = or_(UnitStatus.plan_version > UnitPlan.version, UnitStatus.seen_plan_version > UnitPlan.version)
    with ctx.db.read() as session:
        behind = list(
            session.scalars(
                select(UnitPlan.unit_id)
                .join(UnitStatus, UnitStatus.unit_id == UnitPlan.unit_id)
                .where(newer, UnitPlan.body_sha256 != "")  # marked once: the compiler is at it
            )
        )
    if behind:
        with ctx.db.write() as session:
            session.execute(
                update(UnitPlan).where(UnitPlan.unit_id.in_(behind)).values(body_sha256="", dirty_since=now)
            )
        ctx.wake()


def _documents(ctx: Context, link: Link, now: datetime) -> None:
    with ctx.db.read() as session:
        missing = session.scalars(select(ScopeDocument).where(ScopeDocument.published_at.is_(None))).all()
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


def _plans(ctx: Context, link: Link, now: datetime) -> None:
    unheard = (
        (UnitStatus.connected.is_(True))
        & or_(UnitStatus.plan_version.is_(None), UnitStatus.plan_version < UnitPlan.version)
        & (UnitPlan.published_at < now - SAY_AGAIN)
    )
    with ctx.db.read() as session:
        missing = session.scalars(
            select(UnitPlan)
            .outerjoin(UnitStatus, UnitStatus.unit_id == UnitPlan.unit_id)
            .where(or_(UnitPlan.published_at.is_(None), unheard))
            .order_by(UnitPlan.unit_id)
        ).all()
    for start in range(0, len(missing), BATCH):
        sent: list[UnitPlan] = []
        for row in missing[start : start + BATCH]:
            if not _publish(link, topics.to_unit(row.unit_id, In.PLAN), row.document, topics.MANNERS[In.PLAN]):
                break
            sent.append(row)
        if not link.flush():
            return
        with ctx.db.write() as session:
            approved = _mark_published(session, sent, now)
        for instant in approved:
            ctx.measures.dispatched((now - instant).total_seconds())
        if len(sent) < min(BATCH, len(missing) - start):
            return


def _mark_published(session: Session, sent: Sequence[UnitPlan], now: datetime) -> list[datetime]:
    """When the broadcasts that left for the first time were approved."""
    for row in sent:
        same = (UnitPlan.unit_id == row.unit_id, UnitPlan.version == row.version)
        session.execute(update(UnitPlan).where(*same).values(published_at=now))
    units = {row.unit_id: row.version for row in sent}
    left: set[tuple[str, int]] = set()
    for delivery in session.scalars(
        select(Delivery).where(
            Delivery.unit_id.in_(units), Delivery.state == State.PLANNED, Delivery.plan_version.is_not(None)
        )
    ):
        if (delivery.plan_version or 0) <= units[delivery.unit_id or ""]:
            move(session, delivery, State.PUBLISHED, Actor.CONTROLLER, now, "plan published")
            if delivery.plan_version == units[delivery.unit_id or ""]:
                left.add((delivery.broadcast_id, delivery.revision))
    approvals = session.scalars(
        select(Approval).where(Approval.broadcast_id.in_({name for name, _ in left}), Approval.approved.is_(True))
    )
    return [approval.at for approval in approvals if (approval.broadcast_id, approval.revision) in left]


def _acks(ctx: Context, link: Link, now: datetime) -> None:
    with ctx.db.read() as session:
        # The newest journal of a unit last: the broker retains one acknowledgement.
        behind = session.scalars(
            select(JournalMark).where(JournalMark.acked_seq != JournalMark.seq).order_by(JournalMark.at)
        ).all()
        epoch = epoch_of(session)
    if not behind:
        return
    signer = ctx.keys.signer(Use.COMMAND)
    sent: list[JournalMark] = []
    for mark in behind:
        ack = JournalAck(unit=mark.unit_id, journal_id=mark.journal_id, seq=mark.seq, epoch=epoch)
        document = codec.seal(ack, Typ.JOURNAL_ACK, signer)
        topic = topics.to_unit(mark.unit_id, In.JOURNAL_ACK)
        if not _publish(link, topic, document, topics.MANNERS[In.JOURNAL_ACK]):
            break
        sent.append(mark)
    if not link.flush():
        return
    with ctx.db.write() as session:
        for mark in sent:
            same = (JournalMark.unit_id == mark.unit_id, JournalMark.journal_id == mark.journal_id)
            session.execute(update(JournalMark).where(*same).values(acked_seq=mark.seq))


def epoch_of(session: Session) -> int:
    kept = session.get(Kept, EPOCH)
    return int(kept.value) if kept else 0


def _publish(link: Link, topic: str, payload: bytes, manner: Manner) -> bool:
    return link.publish(topic, payload, qos=manner.qos, retain=manner.retain)
