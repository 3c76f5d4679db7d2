"""Home: what sounds now, what comes next, what waits for somebody, what went wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.clock import VIETNAM
from broadcasts.domain.model import Schedule
from broadcasts.domain.schedule_check import first_start
from controller.db.tables import Approval, Asset, Broadcast, Bulletin, Delivery, Rendition, Station, User
from controller.services.rights import Actor, Right
from controller.services.schedules import schedule_of
from controller.services.views.clusters import ClusterLine, lines
from controller.services.views.occurrences import Occurrence, occurrences, on_air

LOOK_BACK = timedelta(hours=48)
NEXT = 5


@dataclass(frozen=True)
class Slip:
    """A broadcast that waits for a decision or came back, with what one wants to know of it at a glance."""

    id: str
    title: str
    station: str
    author: str
    status: str
    priority: int
    schedule: Schedule
    first: datetime
    """The first start, or what would be it."""
    clusters: int
    asset: str
    peaks: bytes
    duration_ms: int
    reason: str
    changed_at: datetime


@dataclass(frozen=True)
class Today:
    sounding: Sequence[Occurrence]
    coming: Sequence[Occurrence]
    more_coming: int
    waiting: Sequence[Slip]
    returned: Sequence[Slip]
    wrong: Sequence[Occurrence]
    today: Counter[str]
    """Verdicts since midnight; "open" for what has none."""
    yesterday: Counter[str]
    clusters: int
    troubled: Sequence[ClusterLine]
    first_visit: bool


def today(session: Session, actor: Actor, now: datetime) -> Today:
    midnight = now.astimezone(VIETNAM).replace(hour=0, minute=0, second=0, microsecond=0)
    near = occurrences(
        session, actor, Delivery.end > midnight - timedelta(days=1), Delivery.start < now + timedelta(days=2)
    )
    shown = on_air(near)
    ahead = [line for line in shown if line.start > now]
    places = lines(session, actor, now)
    return Today(
        sounding=[line for line in shown if line.start <= now < line.end],
        coming=ahead[:NEXT],
        more_coming=max(0, len(ahead) - NEXT),
        waiting=slips(session, actor, "submitted"),
        returned=[slip for slip in slips(session, actor, "rejected") if now - slip.changed_at < LOOK_BACK * 3.5],
        wrong=[line for line in reversed(shown) if line.end <= now and now - line.end < LOOK_BACK and line.wrong],
        today=_count(line for line in shown if midnight <= line.start <= now),
        yesterday=_count(line for line in shown if line.start < midnight <= line.start + timedelta(days=1)),
        clusters=len(places),
        troubled=[line for line in places if line.worst],
        first_visit=actor.may(Right.COMPOSE)
        and session.scalar(select(Broadcast.id).where(Broadcast.author_id == actor.id).limit(1)) is None,
    )


def _count(chosen: Iterable[Occurrence]) -> Counter[str]:
    total: Counter[str] = Counter()
    for line in chosen:
        total += line.verdicts
        total["open"] += line.clusters - sum(line.verdicts.values())
    return total


def slips(session: Session, actor: Actor, *statuses: str) -> list[Slip]:
    """The broadcasts of the actor's area in these states, the next start first."""
    rows = session.execute(
        select(
            Broadcast,
            Bulletin,
            Station.name,
            User.full_name,
            Approval.reason,
            Asset.sha256,
            Asset.peaks,
            Asset.duration_ms,
        )
        .join(Bulletin, Broadcast.bulletin_id == Bulletin.id)
        .join(Rendition, (Rendition.bulletin_id == Bulletin.id) & (Rendition.position == 0))
        .join(Asset, Rendition.asset_sha256 == Asset.sha256)
        .join(Station, Broadcast.station_id == Station.id)
        .join(User, Broadcast.author_id == User.id)
        .outerjoin(Approval, (Approval.broadcast_id == Broadcast.id) & (Approval.revision == Broadcast.revision))
        .where(Station.area_id.in_(actor.areas), Broadcast.status.in_(statuses))
        .order_by(Broadcast.first_day, Broadcast.at_time, Broadcast.id)
    )
    return [
        Slip(
            id=broadcast.id,
            title=bulletin.title,
            station=station,
            author=author,
            status=broadcast.status,
            priority=broadcast.priority,
            schedule=schedule_of(broadcast),
            first=first_start(schedule_of(broadcast), VIETNAM)
            or datetime.combine(broadcast.first_day, broadcast.at_time, tzinfo=VIETNAM),
            clusters=len(broadcast.clusters),
            asset=asset,
            peaks=peaks,
            duration_ms=duration_ms,
            reason=reason or "",
            changed_at=broadcast.changed_at,
        )
        for broadcast, bulletin, station, author, reason, asset, peaks, duration_ms in rows
    ]
