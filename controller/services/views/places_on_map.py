"""Clusters as points: where they stand, whether they are connected, and which of them a drawn shape holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.domain.polygon import Polygon
from broadcasts.domain.presence import Presence
from controller.db.tables import Cluster
from controller.services.rights import Actor
from controller.services.targets import Target, resolve
from controller.services.views import land
from controller.services.views.clusters import ClusterLine, lines
from controller.services.views.places import places

NAME_ABOVE = 22.0
NAMED = 1_500
"""Up to so many points each is a link with a name; beyond, a page would be megabytes, and the list has them."""


@dataclass(frozen=True)
class Dot:
    id: str
    name: str
    station: str
    connected: bool
    x: float
    y: float


@dataclass(frozen=True)
class Label:
    """A commune's name above its clusters."""

    name: str
    x: float
    y: float


@dataclass(frozen=True)
class Picture:
    """x = (longitude - west) * across, y = (north - latitude) * down: at this size the land is flat enough."""

    dots: Sequence[Dot]
    labels: Sequence[Label]
    unplaced: Sequence[ClusterLine]
    """Clusters whose place nobody has told."""
    width: float
    height: float
    west: float
    north: float
    across: float
    down: float

    @property
    def named(self) -> bool:
        return len(self.dots) <= NAMED

    @property
    def connected(self) -> int:
        return sum(dot.connected for dot in self.dots)


def picture(session: Session, actor: Actor, now: datetime, today: date) -> Picture:
    """All clusters in use of the actor's area."""
    found = {line.id: line for line in lines(session, actor, now)}
    rows = session.execute(select(Cluster.id, Cluster.longitude, Cluster.latitude).where(Cluster.id.in_(found)))
    spots = {row[0]: (row[1], row[2]) for row in rows if row[1] is not None and row[2] is not None}
    drawn = land.around(list(spots.values()))
    at = {name: drawn.at(longitude, latitude) for name, (longitude, latitude) in spots.items()}
    return Picture(
        dots=[
            Dot(name, line.name, line.station, line.presence is Presence.ONLINE, *at[name])
            for name, line in sorted(found.items(), key=lambda each: (each[1].station, each[1].name))
            if name in at
        ],
        labels=[
            Label(place.name.partition(",")[0], *_above([at[name] for name in place.cluster_ids if name in at]))
            for place in places(session, actor, today)
            if place.cluster_ids & at.keys()
        ],
        unplaced=[line for name, line in sorted(found.items()) if name not in at],
        width=drawn.width,
        height=drawn.height,
        west=drawn.west,
        north=drawn.north,
        across=drawn.across,
        down=drawn.down,
    )


def held(session: Session, actor: Actor, polygon: Polygon) -> list[Cluster]:
    """The clusters of the actor's area that stand in the shape: decided as targets are."""
    return resolve(session, actor.areas, Target(polygon=polygon)) if polygon else []


def _above(spots: Sequence[tuple[float, float]]) -> tuple[float, float]:
    return sum(x for x, _ in spots) / len(spots), min(y for _, y in spots) - NAME_ABOVE
