"""Live voices as sounds that a station's limits count, beside what is broadcast from plans (R-052)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.domain.limits import Sound
from broadcasts.domain.model import Priority
from controller.db.tables import LiveSession

_COUNTS = ("approved", "on_air", "ended")


def spoken(
    session: Session, clusters: Collection[str], first: datetime, last: datetime, now: datetime, apart_from: str = ""
) -> dict[str, list[Sound]]:
    """By cluster, the ordinary and priority voices that touch [first, last): what was said as long as it was, what is
    approved or on air as the whole window that it may fill. A window that nobody used is none; nor is a wish that
    nobody has approved, nor an emergency. `apart_from`: the session itself."""
    rows = session.scalars(
        select(LiveSession).where(
            LiveSession.state.in_(_COUNTS),
            LiveSession.priority != int(Priority.EMERGENCY),
            LiveSession.hard_end > first,
            LiveSession.begins_at < last,
            LiveSession.id != apart_from,
        )
    )
    here = set(clusters)
    found: dict[str, list[Sound]] = defaultdict(list)
    for row in rows:
        if row.state == "ended" and (row.begun_at is None or row.ended_at is None):
            continue
        if row.state == "approved" and row.hard_end <= now:
            continue
        lasts = (row.begun_at or row.begins_at, row.ended_at or row.hard_end)
        if lasts[0] < lasts[1]:
            for name in here.intersection(row.clusters):
                found[name].append(lasts)
    return found
