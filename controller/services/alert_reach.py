"""Whom an emergency reaches, and in whose lists it has to stand for that: the smallest standing scopes that cover it.

A unit follows its province, its commune and itself (its plan says so, and has said so for days), so whatever is meant
is reached without a new plan.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.errors import Refused
from controller.db.tables import Area, Assignment, Cluster, Station
from controller.services import targets
from controller.services.rights import Actor, below
from controller.services.stations import area_of_scope, lines


@dataclass(frozen=True)
class Place:
    """One list that carries the alert; `units`: whom of the scope it concerns, none for all."""

    scope: str
    units: tuple[str, ...] | None = None

    @property
    def stored(self) -> list[Any]:
        return [self.scope, None if self.units is None else list(self.units)]


class Pole(NamedTuple):
    cluster: str
    unit: str | None
    scope: str
    """Of its station."""
    area: str
    """Of its station."""
    root: str
    """The province: the widest scope that its unit follows."""


@dataclass(frozen=True)
class Reach:
    """`clusters` and `units` by id; `scopes` from wide to narrow. `names`: of the areas that were asked for. `of`: how
    many clusters the provinces have that are touched."""

    poles: tuple[Pole, ...]
    scopes: tuple[Place, ...]
    names: tuple[str, ...] = ()
    of: int = 0
    wide: bool = False
    """Above the threshold: who sounds it must say how many poles that are."""

    @property
    def clusters(self) -> tuple[str, ...]:
        return tuple(pole.cluster for pole in self.poles)

    @property
    def units(self) -> tuple[str, ...]:
        return tuple(pole.unit for pole in self.poles if pole.unit is not None)

    @property
    def without_unit(self) -> tuple[str, ...]:
        """Clusters where nothing hangs that could sound."""
        return tuple(pole.cluster for pole in self.poles if pole.unit is None)

    @property
    def areas(self) -> tuple[str, ...]:
        """The ids of the stations' areas."""
        return tuple(sorted({pole.area for pole in self.poles}))

    @property
    def share(self) -> float:
        return len(self.poles) / self.of if self.of else 0.0

    @property
    def word(self) -> str:
        """What who sounds it types in where it is wide; the name of the one area meant does as well."""
        return str(len(self.poles))

    def named_by(self, typed: str) -> bool:
        told = " ".join(typed.split()).casefold()
        return told == self.word or (len(self.names) == 1 and told == self.names[0].casefold())


def of_target(session: Session, actor: Actor, target: targets.Meant, now: datetime) -> Reach:
    """`actor` with nothing but the grants that count here. Raises Refused: "not_yours" (an area or a cluster that is
    not his), "target.merged", "target.merged_away", "target.group", "target.empty" (no cluster at all)."""
    for error in targets.problems(session, actor, target, now):
        raise error
    if set(target.areas) - actor.areas:
        raise Refused("not_yours")
    everyone = poles_of(session, actor.areas)
    mine = {pole.cluster for pole in everyone if pole.area in actor.areas}
    if set(target.clusters) - mine:
        raise Refused("not_yours")
    if target.tags or target.groups or target.polygon:
        meant = {cluster.id for cluster in targets.resolve(session, actor.areas, target)}
    else:
        areas = frozenset().union(*(below(session, area) for area in target.areas)) & actor.areas
        meant = set(target.clusters) | {pole.cluster for pole in everyone if pole.area in areas}
    if not meant:
        raise Refused("target.empty")
    names = tuple(session.scalars(select(Area.name).where(Area.id.in_(target.areas)).order_by(Area.id)))
    return _reach(everyone, meant, actor.areas, names)


def of_scope(session: Session, actor: Actor, scope: str, units: Sequence[str] | None = None) -> Reach:
    """The one list of this scope. Raises Refused("not_yours")."""
    area = area_of_scope(session, scope)
    if area is None or area not in actor.areas:
        raise Refused("not_yours")
    everyone = poles_of(session, [area])
    inside = below(session, scope) if session.get(Area, scope) is not None else frozenset[str]()
    poles = [pole for pole in everyone if pole.area in inside or scope in (pole.scope, pole.unit)]
    if units is not None:
        poles = [pole for pole in poles if pole.unit in units]
    place = Place(scope, None if units is None else tuple(units))
    return Reach(tuple(poles), (place,), of=len(everyone))


def of_clusters(session: Session, clusters: Collection[str], allowed: Collection[str]) -> Reach:
    """Of clusters that were frozen before. `allowed`: areas whose own scope may carry it."""
    areas = session.scalars(
        select(Station.area_id).join(Cluster, Cluster.station_id == Station.id).where(Cluster.id.in_(clusters))
    )
    return _reach(poles_of(session, set(areas)), set(clusters), allowed, ())


def _reach(everyone: Sequence[Pole], meant: Collection[str], allowed: Collection[str], names: tuple[str, ...]) -> Reach:
    poles = tuple(pole for pole in everyone if pole.cluster in meant)
    return Reach(poles, tuple(_places(everyone, poles, allowed)), names, len(everyone))


def _places(everyone: Sequence[Pole], poles: Sequence[Pole], allowed: Collection[str]) -> list[Place]:
    """A province only where exactly all of it is meant; else each commune, whole or by its units; one pole alone."""
    whole, whole_root = _count(pole.scope for pole in everyone), _count(pole.root for pole in everyone)
    meant, meant_root = _count(pole.scope for pole in poles), _count(pole.root for pole in poles)
    roots = {root for root, count in meant_root.items() if count == whole_root[root] and root in allowed}
    found = [Place(root) for root in sorted(roots)]
    by_scope: dict[str, list[str]] = {}
    for pole in poles:
        if pole.root not in roots:
            units = by_scope.setdefault(pole.scope, [])
            units += [pole.unit] if pole.unit is not None else []
    communes, singles = [], []
    for scope, units in sorted(by_scope.items()):
        if meant[scope] == whole[scope]:
            communes.append(Place(scope))
        elif len(units) == 1:
            singles.append(Place(units[0]))
        elif units:
            communes.append(Place(scope, tuple(sorted(units))))
    return [*found, *communes, *singles]


def _count(names: Any) -> Mapping[str, int]:
    found: dict[str, int] = {}
    for name in names:
        found[name] = found.get(name, 0) + 1
    return found


_POLES = (
    select(Cluster.id, Assignment.unit_id, Station.scope, Station.area_id)
    .join(Station, Cluster.station_id == Station.id)
    .outerjoin(Assignment, (Assignment.cluster_id == Cluster.id) & Assignment.until.is_(None))
    .where(Cluster.removed_at.is_(None))
    .order_by(Cluster.id)
)


def poles_of(session: Session, areas: Collection[str]) -> list[Pole]:
    """All clusters in use of the provinces that these areas lie in. Columns, not objects: a province has thousands, and
    somebody waits for the siren."""
    roots = {line[-1] for line in lines(session, areas).values() if line}
    inside = {area: root for root in roots for area in below(session, root)}
    rows = session.execute(_POLES.where(Station.area_id.in_(list(inside))))
    return [Pole(cluster, unit, scope, area, inside[area]) for cluster, unit, scope, area in rows]


def stored(target: targets.Meant) -> dict[str, Any]:
    """As JSON; what is empty is left out."""
    told = {
        "areas": list(target.areas),
        "clusters": list(target.clusters),
        "tags": list(target.tags),
        "groups": list(target.groups),
        "polygon": [[list(point) for point in ring] for ring in target.polygon],
    }
    return {name: value for name, value in told.items() if value}
