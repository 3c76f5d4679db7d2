"""Of a file that is not there: broadcasts that would sound it and have no delivery yet, because nobody has approved
them, or because their next start lies beyond the days that are planned. Who knows in time can still bring it back."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from broadcasts.clock import VIETNAM
from broadcasts.domain.recurrence import starts
from controller.db.tables import Assignment, Broadcast, Bulletin, Cluster, ProgrammePart, Rendition, Station
from controller.services.programmes import laid_out
from controller.services.schedules import schedule_of

FAR = timedelta(days=400)
"""Whoever plans a year ahead still hears of it."""


@dataclass(frozen=True)
class Ahead:
    """`units` by cluster, of the clusters that would sound it; none where no unit hangs there."""

    broadcast: str
    title: str
    first: datetime
    waiting: bool
    units: dict[str, str | None]


def ahead(
    session: Session, asset: str, areas: Collection[str], now: datetime, told: Collection[str]
) -> Iterator[Ahead]:
    """In order of time; without those that are `told` already."""
    found = (_of(session, row, title, asset, areas, now) for row, title in _naming(session, asset, now))
    there = [each for each in found if each is not None and each.broadcast not in told]
    yield from sorted(there, key=lambda each: (each.first, each.broadcast))


def _naming(session: Session, asset: str, now: datetime) -> Sequence[tuple[Broadcast, str]]:
    bulletins = select(Rendition.bulletin_id).where(Rendition.asset_sha256 == asset)
    parts = select(ProgrammePart.broadcast_id).where(ProgrammePart.asset_sha256 == asset)
    not_over = or_(Broadcast.last_day.is_(None), Broadcast.last_day >= now.astimezone(VIETNAM).date())
    rows = session.execute(
        select(Broadcast, Bulletin.title)
        .join(Bulletin, Broadcast.bulletin_id == Bulletin.id)
        .where(
            Broadcast.status.in_(["submitted", "approved"]),
            not_over,
            or_(Broadcast.bulletin_id.in_(bulletins), Broadcast.id.in_(parts)),
        )
    )
    return [(row[0], row[1]) for row in rows]


def _of(
    session: Session, broadcast: Broadcast, title: str, asset: str, areas: Collection[str], now: datetime
) -> Ahead | None:
    approved = broadcast.status == "approved"
    since = max(now, broadcast.expanded_until or now) if approved else now
    first = next(iter(starts(schedule_of(broadcast), since, since + FAR, VIETNAM)), None)
    if first is None:
        return None
    rows = session.execute(
        select(Cluster.id, Assignment.unit_id)
        .join(Station, Cluster.station_id == Station.id)
        .outerjoin(Assignment, (Assignment.cluster_id == Cluster.id) & Assignment.until.is_(None))
        .where(Cluster.id.in_([*broadcast.clusters, *broadcast.joined]), Cluster.removed_at.is_(None))
        .where(Station.area_id.in_(areas))
    )
    units = {row[0]: row[1] for row in rows}
    sounding = {
        name
        for layout, here in laid_out(session, broadcast, sorted(units))
        for _, said in layout.pieces
        if said.asset.sha256 == asset
        for name in here
    }
    if not sounding:
        return None
    return Ahead(broadcast.id, title, first, not approved, {name: units[name] for name in sorted(sounding)})
