"""The next seven days: what is approved, and what would be if somebody said yes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.clock import VIETNAM
from broadcasts.domain.recurrence import starts
from controller.db.tables import Broadcast, Bulletin, Delivery, ProgrammePart, Station
from controller.services.programmes import Step, laid_out, parts_of, steps
from controller.services.relaying import name_of
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
    relayed: str = ""
    """Name of the station that it relays."""


@dataclass(frozen=True)
class GoesOn:
    """A warning that sounds until it is cancelled: what comes of it on one day beyond the hours that are planned
    (decision 23)."""

    broadcast: str
    title: str
    priority: int
    start: datetime
    last: datetime
    times: int
    clusters: int


@dataclass(frozen=True)
class Day:
    day: date
    lines: Sequence[Occurrence | Wish | GoesOn]


def week(session: Session, actor: Actor, first: date) -> list[Day]:
    since = datetime.combine(first, time(0), tzinfo=VIETNAM)
    until = since + timedelta(days=DAYS)
    lines: list[Occurrence | Wish | GoesOn] = []
    lines += on_air(occurrences(session, actor, Delivery.start >= since, Delivery.start < until))
    lines += _wishes(session, actor, since, until)
    lines += _warnings(session, actor, since, until)
    lines.sort(key=lambda line: (line.start, line.broadcast))
    days = [first + timedelta(days=step) for step in range(DAYS)]
    return [Day(day, [line for line in lines if line.start.astimezone(VIETNAM).date() == day]) for day in days]


def _wishes(session: Session, actor: Actor, since: datetime, until: datetime) -> list[Wish]:
    rows = session.execute(
        select(Broadcast, Bulletin.title)
        .join(Bulletin, Broadcast.bulletin_id == Bulletin.id)
        .join(Station, Broadcast.station_id == Station.id)
        .where(Broadcast.status == "submitted", Station.area_id.in_(actor.areas))
    )
    return [
        Wish(
            broadcast=broadcast.id,
            title=title,
            priority=broadcast.priority,
            start=start,
            end=start + length,
            clusters=len(broadcast.clusters),
            relayed=name_of(session, broadcast) or "",
        )
        for broadcast, title in rows
        for length in (_length(session, broadcast),)
        for start in starts(
            schedule_of(broadcast),
            max(since, broadcast.changed_at),
            until,
            VIETNAM,
        )
    ]


def _length(session: Session, broadcast: Broadcast) -> timedelta:
    """Of one playing, where it is longest."""
    return max((layout.length for layout, _ in laid_out(session, broadcast, broadcast.clusters)), default=timedelta(0))


def _warnings(session: Session, actor: Actor, since: datetime, until: datetime) -> list[GoesOn]:
    rows = session.execute(
        select(Broadcast, Bulletin.title)
        .join(Bulletin, Broadcast.bulletin_id == Bulletin.id)
        .join(Station, Broadcast.station_id == Station.id)
        .where(
            Broadcast.status == "approved",
            Broadcast.ahead_minutes.is_not(None),
            Broadcast.expanded_until.is_not(None),
            Station.area_id.in_(actor.areas),
        )
    )
    found = []
    for broadcast, title in rows:
        begins = max(since, broadcast.expanded_until or since)
        days: dict[date, list[datetime]] = {}
        for start in starts(schedule_of(broadcast), begins, until, VIETNAM):
            days.setdefault(start.astimezone(VIETNAM).date(), []).append(start)
        clusters = len(broadcast.clusters) + len(broadcast.joined)
        found += [
            GoesOn(broadcast.id, title, broadcast.priority, each[0], each[-1], len(each), clusters)
            for each in days.values()
        ]
    return found


def programmes(session: Session, days: Sequence[Day]) -> dict[str, Sequence[Step]]:
    """By broadcast, the parts of what is a programme among these lines."""
    names = {line.broadcast for day in days for line in day.lines}
    there = select(ProgrammePart.broadcast_id).where(ProgrammePart.broadcast_id.in_(names)).distinct()
    return {name: steps(session, parts_of(session, name)) for name in session.scalars(there)}
