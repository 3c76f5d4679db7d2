"""What an edit takes the place of: everything of its broadcast, or the starts of one part of a series."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, and_, or_, true

from controller.db.tables import Delivery

Span = tuple[datetime, datetime]
"""Which starts of a series an edit replaces: from, to (not included)."""


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
