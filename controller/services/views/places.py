"""Where one may broadcast to, as the form offers it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from controller.db.tables import Area, Cluster, Station
from controller.services.rights import Actor, my_clusters, my_stations


@dataclass(frozen=True)
class Place:
    """A commune with its clusters."""

    area: str
    name: str
    station: Station
    clusters: Sequence[Cluster]

    @property
    def clusters_count(self) -> int:
        return len(self.clusters)

    @property
    def cluster_ids(self) -> frozenset[str]:
        return frozenset(cluster.id for cluster in self.clusters)

    @property
    def horns(self) -> int:
        return sum(cluster.horns for cluster in self.clusters)


def places(session: Session, actor: Actor) -> list[Place]:
    """The communes of the actor's area that have clusters, by name."""
    by_station: dict[str, list[Cluster]] = {}
    for cluster in my_clusters(session, actor):
        by_station.setdefault(cluster.station_id, []).append(cluster)
    return [
        Place(station.area_id, session.get_one(Area, station.area_id).name, station, by_station[station.id])
        for station in my_stations(session, actor)
        if station.id in by_station
    ]


def areas_by_name(session: Session, actor: Actor) -> list[tuple[str, str]]:
    """(id, name) of every area that the actor reaches, the province first."""
    rows = session.execute(
        select(Area.id, Area.name, Area.parent_id).where(Area.id.in_(actor.areas)).order_by(Area.name)
    ).all()
    return [(row[0], row[1]) for row in sorted(rows, key=lambda row: row[2] is not None)]
