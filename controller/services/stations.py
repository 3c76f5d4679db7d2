"""A station's operating regulation as the rules want it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from broadcasts.domain.limits import Limits
from broadcasts.domain.regulation import NORMAL, Ceiling, Regulation, Window
from controller.db.tables import Area, Assignment, Cluster, Station

ORDINARY = "ordinary"
SITES = (ORDINARY, "hospital", "school", "pagoda")
"""Kinds of site; all but the first are special, with ceilings of their own (R-107)."""


def regulation(station: Station, site: str = ORDINARY) -> Regulation:
    """`station.rules` may hold `weekend`, `normal` ([[start, end], …]), `special` ([[start, end, volume], …], beside
    `ceilings` at special sites; the lower one holds), `session`, `day`, `week` (minutes)."""
    told = station.rules or {}
    special = told.get("special", []) if site != ORDINARY else []
    weekend, normal = told.get("weekend"), told.get("normal")
    return Regulation(
        hours=_windows(station.hours),
        ceilings=tuple(Ceiling(Window(start, end), volume) for start, end, volume in [*station.ceilings, *special]),
        emergency_volume=station.emergency_volume,
        weekend=None if weekend is None else _windows(weekend),
        normal=NORMAL if normal is None else _windows(normal),
        limits=Limits(*(_minutes(told.get(kind)) for kind in ("session", "day", "week"))),
    )


def _windows(told: Iterable[Iterable[int]]) -> tuple[Window, ...]:
    return tuple(Window(start, end) for start, end in told)


def _minutes(told: int | None) -> timedelta | None:
    return None if told is None else timedelta(minutes=told)


def units_of(session: Session, clusters: Iterable[str], at: datetime | None = None) -> dict[str, str]:
    """Cluster to the unit that serves it now, or served it `at` an instant."""
    there: ColumnElement[bool] = Assignment.until.is_(None)
    if at is not None:
        there = (Assignment.since <= at) & (there | (Assignment.until > at))
    rows = session.execute(
        select(Assignment.cluster_id, Assignment.unit_id).where(there, Assignment.cluster_id.in_(list(clusters)))
    )
    return {row[0]: row[1] for row in rows}


def lines(session: Session, areas: Iterable[str]) -> dict[str, list[str]]:
    """Each of these areas with all above it, the nearest first. As many queries as the tree is high."""
    parents: dict[str, str | None] = {}
    front = set(areas)
    found: dict[str, list[str]] = {area: [] for area in front}
    while front:
        rows = session.execute(select(Area.id, Area.parent_id).where(Area.id.in_(front)))
        parents |= {row.id: row.parent_id for row in rows}
        front = {above for each in front if (above := parents.get(each)) is not None} - parents.keys()
    for area, line in found.items():
        here: str | None = area
        while here is not None and here not in line:
            line.append(here)
            here = parents.get(here)
    return found


def area_of_scope(session: Session, scope: str) -> str | None:
    """The id of the area in which a standing scope lies: an area's own, a station's, or where a unit stands now."""
    if session.get(Area, scope) is not None:
        return scope
    return session.scalar(select(Station.area_id).where(Station.scope == scope)) or session.scalar(
        select(Station.area_id)
        .join(Cluster, Cluster.station_id == Station.id)
        .join(Assignment, Assignment.cluster_id == Cluster.id)
        .where(Assignment.unit_id == scope, Assignment.until.is_(None))
    )


def clusters_in(session: Session, station_areas: Iterable[str], only: Iterable[str] | None = None) -> list[Cluster]:
    """Clusters in use of the stations that lie in these areas, ordered by id; `only` of those named."""
    query = (
        select(Cluster)
        .join(Station, Cluster.station_id == Station.id)
        .where(Station.area_id.in_(list(station_areas)), Cluster.removed_at.is_(None))
        .order_by(Cluster.id)
    )
    return list(session.scalars(query if only is None else query.where(Cluster.id.in_(list(only)))))
