"""The next seven days: what is approved, and what would be if somebody said yes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.clock import VIETNAM
from broadcasts.domain.recurrence import starts
from controller.db.tables import Asset, Broadcast, Bulletin, Delivery, Rendition, Station
from controller.services.rights import Actor
from controller.services.schedules import schedule_of
from controller.services.views.occurrences import Occurrence, occurrences, on_air

DAYS = 7


@dataclass(frozen=True)
class Wish:
    """An occurrence that waits for approval."""

    broadcast: str
    title: str
    priority: int
    start: datetime
    end: datetime
    clusters: int


@dataclass(frozen=True)
class Day:
    day: date
    lines: Sequence[Occurrence | Wish]


def week(session: Session, actor: Actor, first: date) -> list[Day]:
    since = datetime.combine(first, time(0), tzinfo=VIETNAM)
    until = since + timedelta(days=DAYS)
    lines: list[Occurrence | Wish] = []
    lines += on_air(occurrences(session, actor, Delivery.start >= since, Delivery.start < until))
    lines += _wishes(session, actor, since, until)
    lines.sort(key=lambda line: (line.start, line.broadcast))
    days = [first + timedelta(days=step) for step in range(DAYS)]
    return [Day(day, [line for line in lines if line.start.astimezone(VIETNAM).date() == day]) for day in days]


def _wishes(session: Session, actor: Actor, since: datetime, until: datetime) -> list[Wish]:
    rows = session.execute(
        select(Broadcast, Bulletin.title, Asset.duration_ms)
        .join(Bulletin, Broadcast.bulletin_id == Bulletin.id)
        .join(Rendition, (Rendition.bulletin_id == Bulletin.id) & (Rendition.position == 0))
        .join(Asset, Rendition.asset_sha256 == Asset.sha256)
        .join(Station, Broadcast.station_id == Station.id)
        .where(Broadcast.status == "submitted", Station.area_id.in_(actor.areas))
    )
    return [
        Wish(
            broadcast=broadcast.id,
            title=title,
            priority=broadcast.priority,
            start=start,
            end=start + timedelta(milliseconds=duration_ms),
            clusters=len(broadcast.clusters),
        )
        for broadcast, title, duration_ms in rows
        for start in starts(
            schedule_of(broadcast),
            max(since, broadcast.changed_at),
            until,
            VIETNAM,
        )
    ]
