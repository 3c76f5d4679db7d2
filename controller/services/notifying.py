"""Who outside is to be told of a fault: written in the same transaction as the fault itself (an outbox), so that no
crash loses it, and once for each fault, event and channel (`services.notices` sends it)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.clock import VIETNAM
from broadcasts.domain.fault_classes import CLASSES, Code, Urgency
from controller.db.tables import FaultCase, Notice
from controller.services.context import Context
from controller.services.notice_rules import NoticeRules

SETTLES = timedelta(minutes=2)
"""So long even the most urgent waits: what is over by then, or one of many, need not be told alone."""
SENT, VOID, GIVEN_UP = "sent", "void", "given_up"


def raised(ctx: Context, session: Session, case: FaultCase, now: datetime) -> None:
    """Nobody is told of what one group tells for all, nor while somebody works there."""
    if case.group_id is None and case.silenced_until is None:
        _put(ctx, session, case, "raised", now)


def escalated(ctx: Context, session: Session, case: FaultCase, now: datetime) -> None:
    _put(ctx, session, case, "escalated", now)


def ended(ctx: Context, session: Session, case: FaultCase, now: datetime) -> None:
    """Whoever was told that it began is told that it is over, and not at night, whatever it was: nobody gets up
    for good news. Who was not told need not know."""
    rows = _of(session, case)
    told = {row.channel: row for row in rows if row.outcome == SENT}
    void(session, case, now)
    for channel, row in told.items():
        if all(each.event != "resolved" or each.channel != channel for each in rows):
            urgency = str(Urgency.TODAY)
            at = awake(ctx.notices, max(now, row.due_at) + SETTLES)
            _add(session, case, channel, "resolved", urgency, now, at)


def told_at(session: Session, case: FaultCase) -> datetime | None:
    """When people were to be told that it began."""
    return max((row.made_at for row in _of(session, case) if row.event == "raised"), default=None)


def void(session: Session, case: FaultCase, now: datetime | None = None) -> None:
    for row in _of(session, case):
        if row.done_at is None:
            row.done_at, row.outcome = now or case.raised_at, VOID


def due(rules: NoticeRules, urgency: Urgency, now: datetime) -> datetime:
    """When it is told: at once by day and night what is urgent; the rest gathers, and not at night."""
    if urgency is Urgency.NOW:
        return now + SETTLES
    return awake(rules, now + rules.gather)


def awake(rules: NoticeRules, at: datetime) -> datetime:
    """This instant, or the end of the night that it lies in."""
    if rules.night is None:
        return at
    begins, ends = rules.night
    local = at.astimezone(VIETNAM)
    clock = local.time().replace(tzinfo=None)
    asleep = begins <= clock or clock < ends if begins > ends else begins <= clock < ends
    if not asleep:
        return at
    day = local.date() + timedelta(days=1) if clock >= ends else local.date()
    return datetime.combine(day, ends, VIETNAM)


def _put(ctx: Context, session: Session, case: FaultCase, event: str, now: datetime) -> None:
    urgency = CLASSES[Code(case.code)].urgency
    have = {(row.channel, row.event) for row in _of(session, case)}
    for channel in ctx.notices.channels:
        if (channel, event) not in have:
            _add(session, case, channel, event, str(urgency), now, due(ctx.notices, urgency, now))


def _add(
    session: Session, case: FaultCase, channel: str, event: str, urgency: str, now: datetime, at: datetime
) -> None:
    key = f"{case.id}:{event}:{channel}"[:120]
    session.add(
        Notice(key=key, channel=channel, event=event, fault_id=case.id, urgency=urgency, made_at=now, due_at=at)
    )
    session.flush()


def _of(session: Session, case: FaultCase) -> Sequence[Notice]:
    return session.scalars(select(Notice).where(Notice.fault_id == case.id)).all()
