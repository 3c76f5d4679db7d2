"""A station's operating regulation as the rules want it."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.domain.regulation import Ceiling, Regulation, Window
from controller.db.tables import Assignment, Cluster, Station


def regulation(station: Station) -> Regulation:
    return Regulation(
        hours=tuple(Window(start, end) for start, end in station.hours),
        ceilings=tuple(Ceiling(Window(start, end), volume) for start, end, volume in station.ceilings),
        emergency_volume=station.emergency_volume,
    )


def units_of(session: Session, clusters: Iterable[str]) -> dict[str, str]:
    """Cluster to the unit that serves it now."""
    rows = session.execute(
        select(Assignment.cluster_id, Assignment.unit_id).where(
            Assignment.until.is_(None), Assignment.cluster_id.in_(list(clusters))
        )
    )
    return {row[0]: row[1] for row in rows}


def clusters_in(session: Session, station_areas: Iterable[str], only: Iterable[str] | None = None) -> list[Cluster]:
    """Clusters in use of the stations that lie in these areas, ordered by id; `only` of those named."""
    query = (
        select(Cluster)
        .join(Station, Cluster.station_id == Station.id)
        .where(Station.area_id.in_(list(station_areas)), Cluster.removed_at.is_(None))
        .order_by(Cluster.id)
    )
    return list(session.scalars(query if only is None else query.where(Cluster.id.in_(list(only)))))
