"""The reconciler: compare what is wanted with what is out there, publish what is missing (design, decision 8).

Nothing here is done because something happened; it is done because something is not as it should be. So a lost
message, a wiped broker, a restored database or a second controller lead to the same end.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, or_, select, update
from sqlalchemy.orm import Session

from broadcasts.clock import unix_ms
from broadcasts.domain.delivery import Actor, State
from broadcasts.wire import topics
from broadcasts.wire.plan import MAX_AHEAD_MS
from broadcasts.wire.topics import In, Manner, ScopeTopic
from controller.db.base import said
from controller.db.tables import Approval, Delivery, JournalMark, Revocation, ScopeDocument, UnitPlan, UnitStatus
from controller.services import acknowledging, alerting, drill_lists
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
    _say_documents(ctx, link, now)
    with ctx.db.read() as session:
        behind = _behind(session, now)
        lacking, silent = _lacking(session, now)
        marks = acknowledging.missing(session)
    if behind:
        _outrank(ctx, behind, now)
    drill_lists.say(ctx, link, now)
    _say_plans(ctx, link, lacking, now)
    acknowledging.acknowledge(ctx, link, marks)
    return now + (SAY_AGAIN if silent else LOOK_AGAIN)


def connected(ctx: Context) -> None:
    """A new connection: the few documents of the scopes are said again, whatever the broker kept."""
    with ctx.db.write() as session:
        session.execute(update(ScopeDocument).values(published_at=None))
        drill_lists.say_again(session)


def say_everything_again(ctx: Context) -> None:
    """The broker lost its store: nothing that we published is out there any more."""
    with ctx.db.write() as session:
        session.execute(update(UnitPlan).values(published_at=None))
        session.execute(update(ScopeDocument).values(published_at=None))
        drill_lists.say_again(session)
        session.execute(update(JournalMark).values(acked_seq=-1))


_BEHIND = (
    select(UnitPlan.unit_id)
    .join(UnitStatus, UnitStatus.unit_id == UnitPlan.unit_id)
    .where(
        or_(
            *(
                each.between(UnitPlan.version + 1, bindparam("latest"))
                for each in (UnitStatus.plan_version, UnitStatus.seen_plan_version)
            )
        ),
        UnitPlan.body_sha256 != "",  # marked once: the compiler is at it
    )
)


def _behind(session: Session, now: datetime) -> list[str]:
    """Units that hold, or for which the broker holds, a plan newer than ours: we were restored. What is too far ahead
    for any unit to apply is no plan that we must outrank."""
    return list(session.scalars(_BEHIND, {"latest": unix_ms(now) + MAX_AHEAD_MS}))


def _outrank(ctx: Context, behind: list[str], now: datetime) -> None:
    """Ours must be made anew, above what is out there; and the journals may know more than we do."""
    with ctx.db.write() as session:
        session.execute(update(UnitPlan).where(UnitPlan.unit_id.in_(behind)).values(body_sha256="", dirty_since=now))
        acknowledging.ask_again(session, behind, now)
    ctx.wake()


_DOCUMENTS = (
    select(ScopeDocument)
    .where(ScopeDocument.version > 0, ScopeDocument.published_at.is_(None))
    .order_by(ScopeDocument.version)
)


def _say_documents(ctx: Context, link: Link, now: datetime) -> None:
    """All lists that are not out there, in the order in which they were signed."""
    with ctx.db.read() as session:
        missing = session.scalars(_DOCUMENTS).all()
    # Trust first: without it no other document can be verified.
    for part in ([row for row in missing if (row.scope == TRUST) is first] for first in (True, False)):
        sent: list[ScopeDocument] = []
        for row in part:
            if row.scope == TRUST:
                topic, manner = topics.TRUST, topics.TRUST_MANNER
            else:
                topic, manner = topics.to_scope(row.scope, ScopeTopic.ALERT), topics.MANNERS[ScopeTopic.ALERT]
            if not _publish(link, topic, row.document, manner):
                break
            sent.append(row)
        if not sent:
            continue
        if not link.flush():
            return
        with ctx.db.write() as session:
            for row in sent:
                same = (ScopeDocument.scope == row.scope, ScopeDocument.version == row.version)
                session.execute(update(ScopeDocument).where(*same).values(published_at=now))
        if len(sent) < len(part):
            return


_UNHEARD = UnitStatus.connected.is_(True) & or_(
    UnitStatus.plan_version.is_(None), UnitStatus.plan_version < UnitPlan.version
)
_IN = UnitPlan.unit_id.not_in(select(Revocation.unit_id))
"""What a revoked unit had on the broker was taken off, and stays off."""
_LACKING = (
    select(UnitPlan.unit_id)
    .outerjoin(UnitStatus, UnitStatus.unit_id == UnitPlan.unit_id)
    .where(or_(UnitPlan.published_at.is_(None), _UNHEARD & (UnitPlan.published_at < bindparam("before"))), _IN)
    .order_by(UnitPlan.unit_id)
)
_SILENT = (
    select(UnitPlan.unit_id).join(UnitStatus, UnitStatus.unit_id == UnitPlan.unit_id).where(_UNHEARD, _IN).limit(1)
)


def _lacking(session: Session, now: datetime) -> tuple[Sequence[str], bool]:
    """Units whose plan has to leave: it never did, or it did and they are connected and have not reported it. And
    whether any plan may have to leave again."""
    lacking = session.scalars(_LACKING, {"before": now - SAY_AGAIN}).all()
    return lacking, bool(lacking) or session.scalar(_SILENT) is not None


def _say_plans(ctx: Context, link: Link, units: Sequence[str], now: datetime) -> None:
    """Read as they are said: all plans of a large fleet do not lie in memory at once. An emergency does not wait for
    them all."""
    for start in range(0, len(units), BATCH):
        if start:
            _say_documents(ctx, link, now)
        with ctx.db.read() as session:
            # Columns, not objects: while a thousand plans leave, somebody waits for the last one.
            missing = session.execute(_PLANS, {"units": units[start : start + BATCH]}).all()
        manner = topics.MANNERS[In.PLAN]
        said = ((topics.to_unit(row.unit_id, In.PLAN), row.document) for row in missing)
        sent = missing[: link.publish_all(said, qos=manner.qos, retain=manner.retain)]
        if not link.flush():
            return
        with ctx.db.write() as session:
            approved = _mark_published(session, sent, now)
        for instant in approved:
            ctx.measures.dispatched((now - instant).total_seconds())
        if len(sent) < len(missing):
            return


_PLANS = (
    select(UnitPlan.unit_id, UnitPlan.version, UnitPlan.document)
    .where(UnitPlan.unit_id.in_(bindparam("units", expanding=True)))
    .order_by(UnitPlan.unit_id)
)
_MARK = (
    update(UnitPlan.__table__)  # type: ignore[arg-type]
    .where(UnitPlan.unit_id == bindparam("unit"), UnitPlan.version == bindparam("sent"))
    .values(published_at=bindparam("left"))
)
_WAITING = select(
    *(Delivery.id, Delivery.state, Delivery.unit_id, Delivery.plan_version, Delivery.broadcast_id, Delivery.revision)
).where(
    Delivery.unit_id.in_(bindparam("units", expanding=True)),
    Delivery.state == said(State.PLANNED),
    Delivery.plan_version.is_not(None),
)


def _mark_published(session: Session, sent: Sequence[Any], now: datetime) -> list[datetime]:
    """When the broadcasts that left for the first time were approved. `sent`: rows of `_PLANS`."""
    if not sent:
        return []
    session.connection().execute(_MARK, [{"unit": row.unit_id, "sent": row.version, "left": now} for row in sent])
    units = {row.unit_id: row.version for row in sent}
    waiting = session.execute(_WAITING, {"units": list(units)}).all()
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
