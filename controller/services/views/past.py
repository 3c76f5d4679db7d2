"""What happened at one pole in a stretch of time: link, power, sound, faults, planned work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from broadcasts.domain.day_strip import Stretch, stretches
from broadcasts.errors import Refused
from controller.db.tables import (
    Area,
    Broadcast,
    Bulletin,
    Cluster,
    ClusterDay,
    Delivery,
    FaultCase,
    PlannedWork,
    Station,
)
from controller.services.history_keeping import local_day, midnight
from controller.services.objective import LONGEST
from controller.services.rights import Actor, Right

SPANS = (1, 7, 30)
"""Days that can be looked at at once."""
MOST = 3_000
"""Deliveries in one picture."""


@dataclass(frozen=True)
class Play:
    id: str
    begin: datetime
    end: datetime
    title: str
    verdict: str
    """Empty while there is none."""
    reason: str


@dataclass(frozen=True)
class Trouble:
    id: str
    code: str
    begin: datetime
    end: datetime | None
    """None: it stands."""


@dataclass(frozen=True)
class Work:
    begin: datetime
    end: datetime
    reason: str


@dataclass(frozen=True)
class Past:
    cluster: Cluster
    begin: datetime
    end: datetime
    link: Sequence[Stretch]
    power: Sequence[Stretch]
    plays: Sequence[Play]
    troubles: Sequence[Trouble]
    works: Sequence[Work]

    @property
    def nothing(self) -> bool:
        return not (self.link or self.power or self.plays or self.troubles or self.works)


def past(session: Session, actor: Actor, cluster_id: str, begin: datetime, end: datetime) -> Past:
    """Raises Refused("no_right", "cluster.unknown")."""
    actor = actor.need(Right.HEALTH)
    row = session.execute(
        select(Cluster, Station.area_id)
        .join(Station, Station.id == Cluster.station_id)
        .where(Cluster.id == cluster_id, Station.area_id.in_(actor.areas))
    ).first()
    if row is None:
        raise Refused("cluster.unknown", cluster=cluster_id[:40])
    cluster, area = row
    days = session.execute(
        select(ClusterDay.day, ClusterDay.link, ClusterDay.power)
        .where(
            ClusterDay.cluster_id == cluster_id,
            ClusterDay.day >= local_day(begin), ClusterDay.day <= local_day(end),
        )
        .order_by(ClusterDay.day)
    ).all()  # fmt: skip
    return Past(
        cluster=cluster,
        begin=begin,
        end=end,
        link=stretches([(midnight(each.day), each.link) for each in days], begin, end),
        power=stretches([(midnight(each.day), each.power) for each in days], begin, end),
        plays=_plays(session, cluster_id, begin, end),
        troubles=_troubles(session, cluster_id, begin, end),
        works=_works(session, cluster_id, area, begin, end),
    )


def _plays(session: Session, cluster_id: str, begin: datetime, end: datetime) -> list[Play]:
    rows = session.execute(
        select(Delivery.id, Delivery.start, Delivery.end, Bulletin.title, Delivery.verdict, Delivery.reason)
        .join(Broadcast, Delivery.broadcast_id == Broadcast.id)
        .join(Bulletin, Broadcast.bulletin_id == Bulletin.id)
        .where(
            Delivery.cluster_id == cluster_id, Delivery.start > begin - LONGEST, Delivery.start < end,
            Delivery.end > begin, or_(Delivery.verdict.is_not(None), Delivery.state != "withdrawn"),
        )
        .order_by(Delivery.start.desc())
        .limit(MOST)
    )  # fmt: skip
    found = [Play(row[0], row[1], row[2], row[3], row[4] or "", row[5] or "") for row in rows]
    return found[::-1]


def _troubles(session: Session, cluster_id: str, begin: datetime, end: datetime) -> list[Trouble]:
    rows = session.scalars(
        select(FaultCase).where(FaultCase.cluster_id == cluster_id, FaultCase.since < end).order_by(FaultCase.since)
    )
    found = [Trouble(row.id, row.code, row.since, row.gone_at or row.resolved_at) for row in rows]
    return [each for each in found if each.end is None or each.end > begin]


def _works(session: Session, cluster_id: str, area: str, begin: datetime, end: datetime) -> list[Work]:
    above = session.scalar(select(Area.parent_id).where(Area.id == area))
    wide = PlannedWork.cluster_id.is_(None) & PlannedWork.area_id.in_([area, *([above] if above else [])])
    rows = session.scalars(
        select(PlannedWork)
        .where(
            or_(PlannedWork.cluster_id == cluster_id, wide),
            PlannedWork.begins < end + timedelta(days=1), PlannedWork.ends > begin,
        )
        .order_by(PlannedWork.begins)
    )  # fmt: skip
    return [Work(row.begins, row.ends, row.reason) for row in rows]
