"""The sweep: what ended without evidence is unknown, and stays so until the unit's journal is known to be complete."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, bindparam, case, or_, select
from sqlalchemy.orm import Session

from broadcasts.domain.delivery import State
from broadcasts.domain.verdict import GRACE, Verdict
from controller.db.base import said
from controller.db.tables import Delivery, DeliveryMove, JournalMark, UnitPlan, UnitStatus
from controller.services import alerting
from controller.services.context import Context
from controller.services.deliveries import close
from controller.services.slots import last_sound

LOOK_AGAIN = timedelta(minutes=10)
LOOK_SOON = timedelta(minutes=1)


def step(ctx: Context, now: datetime) -> datetime:
    """Close what can be closed, and retire alerts that are over. Returns when to look again."""
    alerting.retire(ctx, now)
    moment = {"now": now, "too_late": now - GRACE}
    with ctx.db.read() as session:
        any_over = any(_over(delivery, complete, now) for delivery, complete in session.execute(_ended(), moment))
        any_gone = any(_told_all(reported, seq) for _, reported, seq in session.execute(_taken_back()))
    if any_over or any_gone:
        with ctx.db.write() as session:
            for delivery, reported, seq in session.execute(_taken_back()).all():
                if _told_all(reported, seq):
                    close(delivery, Verdict.NOT_PLAYED, _why(session, delivery), now)
            for delivery, complete in session.execute(_ended(), moment):
                if _over(delivery, complete, now):
                    _close(session, delivery, complete, now)
    return min(now + LOOK_AGAIN, _next(ctx, now))


@cache
def _ended() -> Select[Delivery, datetime | None]:
    """What `_over` has to be asked of, with the instant up to which its unit's journal is complete here: none where the
    journal that could have told of it was lost."""
    complete = case((_unbroken(), UnitStatus.complete_at))
    told = complete > Delivery.end
    return (
        select(Delivery, complete)
        .outerjoin(UnitStatus, UnitStatus.unit_id == Delivery.unit_id)
        .where(
            or_(
                Delivery.verdict.is_(None)
                & (Delivery.end < bindparam("now"))
                & (told | (Delivery.end < bindparam("too_late"))),
                (Delivery.verdict == Verdict.UNKNOWN) & told,
            )
        )
    )


def _unbroken() -> ColumnElement[bool]:
    """The present journal reaches back to before the delivery could sound: only then its silence says anything."""
    return UnitStatus.complete_from <= Delivery.start


@cache
def _taken_back() -> Select[Delivery, dict[str, Any], int | None]:
    """Withdrawn, and its unit told that it applied a plan without it: what has not sounded by then never will. With
    what the unit said last, and how far its journal is here: `_told_all` has to be asked."""
    applied = and_(UnitPlan.dirty_since.is_(None), UnitStatus.plan_version >= UnitPlan.version)
    mark = and_(JournalMark.unit_id == UnitStatus.unit_id, JournalMark.journal_id == UnitStatus.journal_id)
    return (
        select(Delivery, UnitStatus.reported, JournalMark.seq)
        .join(UnitStatus, UnitStatus.unit_id == Delivery.unit_id)
        .join(UnitPlan, UnitPlan.unit_id == Delivery.unit_id)
        .outerjoin(JournalMark, mark)
        .where(
            Delivery.state == said(State.WITHDRAWN),
            or_(Delivery.verdict.is_(None), Delivery.verdict == Verdict.UNKNOWN),
            applied,
            _unbroken(),
        )
    )


def _told_all(reported: dict[str, Any], reached: int | None) -> bool:
    """The report that names the plan also numbers the last entry of the journal: with that entry here nothing is left
    to be told of the time before. No clock is asked, neither ours nor the unit's."""
    return reported.get("journal_id") is not None and (reached or 0) >= int(reported.get("journal_seq", 0))


def _over(delivery: Delivery, complete: datetime | None, now: datetime) -> bool:
    """Over: either its unit has told all it knows since, or the grace has passed without a word."""
    end = last_sound(delivery)
    return (complete is not None and complete > end) or (delivery.verdict is None and end < now - GRACE)


_NEXT_END = (
    select(Delivery.end)
    .where(Delivery.verdict.is_(None), Delivery.end > bindparam("too_late"))
    .order_by(Delivery.end)
    .limit(1)
)
_AWAITED = (
    select(Delivery.id)
    .join(UnitStatus, UnitStatus.unit_id == Delivery.unit_id)
    .where(Delivery.state == said(State.WITHDRAWN), Delivery.verdict.is_(None), UnitStatus.connected.is_(True))
    .limit(1)
)


def _next(ctx: Context, now: datetime) -> datetime:
    """When the next delivery without verdict becomes unknown; soon, while a connected unit may tell that it took back
    what was withdrawn."""
    with ctx.db.read() as session:
        soonest = session.scalar(_NEXT_END, {"too_late": now - GRACE})
        awaited = session.scalar(_AWAITED)
    due = max(soonest + GRACE, now) + timedelta(seconds=1) if soonest is not None else now + LOOK_AGAIN
    return due if awaited is None else min(due, now + LOOK_SOON)


def _why(session: Session, delivery: Delivery) -> str:
    match delivery.state:
        case State.WITHDRAWN:
            moves = select(DeliveryMove.why).where(
                DeliveryMove.delivery_id == delivery.id, DeliveryMove.after == State.WITHDRAWN
            )
            return session.scalar(moves.order_by(DeliveryMove.id.desc()).limit(1)) or "withdrawn"
        case State.PLANNED | State.PUBLISHED:
            return "plan_not_received"
        case State.PLAYING:
            return "cut_short"
        case _:
            return "no_trace"


def _close(session: Session, delivery: Delivery, complete: datetime | None, now: datetime) -> None:
    if complete is not None and complete > last_sound(delivery):
        close(delivery, Verdict.NOT_PLAYED, _why(session, delivery), now)
    elif delivery.verdict is None:
        status = session.get(UnitStatus, delivery.unit_id) if delivery.unit_id else None
        if status is not None and not status.connected:
            delivery.silent_since = status.last_sign
        close(delivery, Verdict.UNKNOWN, "cut_short" if delivery.state == State.PLAYING else None, now)
