"""Days that a form or an address says, as instants: a day is one of Viet Nam."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

from broadcasts.clock import VIETNAM
from broadcasts.errors import Refused


def begin_of(told: str, name: str) -> datetime | None:
    """The midnight at which that day begins; none for no day. Raises Refused("choice.unknown")."""
    return _midnight(told, name, 0)


def end_of(told: str, name: str) -> datetime | None:
    """The midnight at which that day is over. Raises as `begin_of`."""
    return _midnight(told, name, 1)


def last_day_of(end: datetime) -> date:
    """The last day of which anything lies before `end`."""
    return (end - timedelta(microseconds=1)).astimezone(VIETNAM).date()


def _midnight(told: str, name: str, later: int) -> datetime | None:
    if not told:
        return None
    try:
        found = datetime.combine(date.fromisoformat(told) + timedelta(days=later), time(), VIETNAM)
        return found.astimezone(UTC).astimezone(VIETNAM)  # the first day there is begins before there is time in UTC
    except (ValueError, OverflowError):
        raise Refused("choice.unknown", name=name, value=told[:20]) from None
