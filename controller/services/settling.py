"""The sweep: what ended without evidence is unknown, and stays so until the unit's journal is known to be complete."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Select, or_, select

from broadcasts.domain.delivery import State
from broadcasts.domain.verdict import GRACE, Verdict
from controller.db.tables import Delivery, UnitStatus
from controller.services.context import Context
from controller.services.deliveries import close, last_sound

LOOK_AGAIN = timedelta(minutes=5)


def step(ctx: Context, now: datetime) -> datetime:
    """Close what can be closed. Returns when to look again."""
    with ctx.db.read() as session:
        any_over = any(_over(delivery, complete, now) for delivery, complete in session.execute(_ended(now)))
    if any_over:
        with ctx.db.write() as session:
            for delivery, complete in session.execute(_ended(now)):
                if _over(delivery, complete, now):
                    _close(delivery, complete, now)
    return min(now + LOOK_AGAIN, _next(ctx, now))


def _ended(now: datetime) -> Select[Delivery, datetime | None]:
    """What `_over` has to be asked of, with the instant up to which its unit's journal is complete here."""
    told = UnitStatus.complete_at > Delivery.end
    return (
        select(Delivery, UnitStatus.complete_at)
        .outerjoin(UnitStatus, UnitStatus.unit_id == Delivery.unit_id)
        .where(
            or_(
                Delivery.verdict.is_(None) & (Delivery.end < now) & (told | (Delivery.end < now - GRACE)),
                (Delivery.verdict == Verdict.UNKNOWN) & told,
            )
        )
    )


def _over(delivery: Delivery, complete: datetime | None, now: datetime) -> bool:
    """Over: either its unit has told all it knows since, or the grace has passed without a word."""
    end = last_sound(delivery)
    return (complete is not None and complete > end) or (delivery.verdict is None and end < now - GRACE)


def _next(ctx: Context, now: datetime) -> datetime:
    """When the next delivery without verdict becomes unknown."""
    with ctx.db.read() as session:
        soonest = session.scalar(
            select(Delivery.end)
            .where(Delivery.verdict.is_(None), Delivery.end > now - GRACE)
            .order_by(Delivery.end)
            .limit(1)
        )
    return max(soonest + GRACE, now) + timedelta(seconds=1) if soonest is not None else now + LOOK_AGAIN


def _why(delivery: Delivery) -> str:
    match delivery.state:
        case State.WITHDRAWN:
            return "withdrawn"
        case State.PLANNED | State.PUBLISHED:
            return "plan_not_received"
        case State.PLAYING:
            return "cut_short"
        case _:
            return "no_trace"


def _close(delivery: Delivery, complete: datetime | None, now: datetime) -> None:
    if complete is not None and complete > last_sound(delivery):
        close(delivery, Verdict.NOT_PLAYED, _why(delivery), now)
    elif delivery.verdict is None:
        close(delivery, Verdict.UNKNOWN, "cut_short" if delivery.state == State.PLAYING else None, now)
