"""What an edit takes the place of: everything of its broadcast, or the starts of one part of a series."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, func, or_, select, true
from sqlalchemy.orm import Session

from broadcasts.domain.schedule_check import FAR
from controller.db.tables import Delivery

Span = tuple[datetime, datetime]
"""Which starts of a series an edit replaces: from, to (not included)."""
TICK = timedelta(milliseconds=1)


def begun_at(session: Session, broadcast_id: str, now: datetime) -> datetime | None:
    """The first start that is over or sounds."""
    begun = select(func.min(Delivery.start)).where(Delivery.broadcast_id == broadcast_id, Delivery.start <= now)
    return session.scalar(begun)


def yet_to_come(session: Session, editing: str | None, part: Span | None, now: datetime) -> Span | None:
    """The same `part`; of all of a series that has begun, what has not: what has sounded stays, and counts."""
    if not editing or part is not None or begun_at(session, editing, now) is None:
        return part
    return now + TICK, now + FAR


def replaced(editing: str, part: Span | None) -> ColumnElement[bool]:
    """The deliveries of `editing` that the edit replaces."""
    of_it = Delivery.broadcast_id == editing
    return of_it if part is None else and_(of_it, Delivery.begin >= part[0], Delivery.begin < part[1])


def others(editing: str | None, part: Span | None) -> ColumnElement[bool]:
    """All deliveries but those; the rest of the series is one of the others."""
    if not editing:
        return true()
    other = Delivery.broadcast_id != editing
    return other if part is None else or_(other, Delivery.begin < part[0], Delivery.begin >= part[1])
