"""Where one may broadcast to, as the form offers it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import select
from sqlalchemy.orm import Session

from controller.db.tables import Area, Cluster, Station
from controller.services.areas import ended, successor
from controller.services.rights import Actor, my_clusters, my_stations


@dataclass(frozen=True)
class Place:
    """A commune as it stands, with the actor's clusters of all stations that belong to it. `formerly` are the communes
    that became part of it, by name: people go on saying the old ones."""

    area: str
    name: str
    stations: Sequence[Station]
    clusters: Sequence[Cluster]
    formerly: tuple[str, ...] = ()

    @property
    def illustrative(self) -> bool:
        """All of it was made up for a demo."""
        return all(station.illustrative for station in self.stations)

    @property
    def clusters_count(self) -> int:
        return len(self.clusters)

    @property
    def cluster_ids(self) -> frozenset[str]:
        return frozenset(cluster.id for cluster in self.clusters)

    @property
    def horns(self) -> int:
        return sum(cluster.horns for cluster in self.clusters)


def places(session: Session, actor: Actor, today: date) -> list[Place]:
    """The communes that stand today and have clusters of the actor's area, by name. The station of a commune that is no
    more stands under what it became part of."""
    by_station: dict[str, list[Cluster]] = {}
    for cluster in my_clusters(session, actor):
        by_station.setdefault(cluster.station_id, []).append(cluster)
    groups: dict[str, list[Station]] = {}
    areas: dict[str, Area] = {}
    old: dict[str, list[Area]] = {}
    stations = my_stations(session, actor)
    wanted = select(Area).where(Area.id.in_({station.area_id for station in stations}))
    own_areas = {area.id: area for area in session.scalars(wanted)}
    for station in stations:
        if station.id in by_station:
            own = own_areas[station.area_id]
            here = successor(session, own, today) or own
            areas[here.id] = here
            groups.setdefault(here.id, []).append(station)
            if here is not own:
                old.setdefault(here.id, []).append(own)
    found = [
        Place(
            area=name,
            name=areas[name].name,
            stations=several,
            clusters=[cluster for station in several for cluster in by_station[station.id]],
            formerly=tuple(sorted(area.name for area in old.get(name, ()))),
        )
        for name, several in groups.items()
    ]
    return sorted(found, key=lambda place: place.name)


def home_of(offered: Sequence[Place], actor: Actor) -> tuple[str, ...]:
    """The place that is chosen already: one's own commune, or the only one."""
    return tuple(place.area for place in offered if place.area == actor.area or len(offered) == 1)


def everywhere(session: Session, actor: Actor, today: date) -> str:
    """The area that means all one has, where it is one that stands; else none."""
    top = session.get(Area, actor.area)
    return top.id if top is not None and not ended(top, today) else ""


def not_offered(session: Session, chosen: Collection[str], offered: Sequence[Place], top: str) -> list[Area]:
    """Areas that a form has chosen and no longer offers."""
    others = set(chosen) - {place.area for place in offered} - {top}
    return list(session.scalars(select(Area).where(Area.id.in_(others)).order_by(Area.name)))


@dataclass(frozen=True)
class AreaName:
    """`until`: the day on which it ended, of one that is no more."""

    id: str
    name: str
    until: date | None


def areas_by_name(session: Session, actor: Actor, today: date) -> list[AreaName]:
    """Every area that the actor reaches, the province first; those that are no more, which the past tells of, last."""
    rows = list(session.scalars(select(Area).where(Area.id.in_(actor.areas))))
    rows.sort(key=lambda row: (ended(row, today), row.parent_id is not None, row.name))
    return [AreaName(row.id, row.name, row.valid_to if ended(row, today) else None) for row in rows]
