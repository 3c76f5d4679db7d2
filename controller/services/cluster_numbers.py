"""Single clusters in numbers, for those who ask to see them in Prometheus (LOA_METRICS_PER_CLUSTER)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, case, func, or_, select
from sqlalchemy.orm import Session

from broadcasts.clock import unix_ms
from broadcasts.domain.presence import Presence, presence
from controller.db.tables import Area, Assignment, Cluster, Delivery, Station, UnitFault, UnitPlan, UnitStatus
from controller.services import objective
from controller.services.measuring import SIGN_OF_LIFE
from monitoring.per_cluster import MOST_CLUSTERS, ClusterNumbers

DAY = timedelta(days=1)


def cluster_numbers(
    session: Session, now: datetime, communes: Sequence[str], most: int = MOST_CLUSTERS
) -> tuple[list[ClusterNumbers], int]:
    """Up to `most` clusters in the order of their ids, and how many were asked for. `communes`: their official codes;
    none: all of them."""
    standing = [Cluster.removed_at.is_(None), Area.id == Station.area_id, Station.id == Cluster.station_id]
    if communes:
        standing.append(Area.code.in_(communes))
    asked = session.scalar(select(func.count()).select_from(Cluster).join(Station).join(Area).where(*standing)) or 0
    here = and_(
        Assignment.cluster_id == Cluster.id,
        Assignment.since <= now,
        or_(Assignment.until.is_(None), Assignment.until > now),
    )
    rows = session.execute(
        select(
            *(Cluster.id, Area.code, Assignment.unit_id, UnitPlan.version, UnitStatus.connected, UnitStatus.last_sign),
            *(UnitStatus.plan_version, UnitStatus.telemetry),
        )
        .select_from(Cluster)
        .join(Station)
        .join(Area)
        .outerjoin(Assignment, here)
        .outerjoin(UnitStatus, UnitStatus.unit_id == Assignment.unit_id)
        .outerjoin(UnitPlan, UnitPlan.unit_id == Assignment.unit_id)
        .where(*standing)
        .order_by(Cluster.id)
        .limit(most)
    ).all()
    faults, recent = _faults(session), _recent(session, now)
    found: dict[str, ClusterNumbers] = {}
    for cluster, code, unit, version, connected, sign, applied, telemetry in rows:
        due, silent = recent.get(cluster, (0, 0))
        found[cluster] = ClusterNumbers(
            cluster=cluster,
            commune=code,
            online=presence(connected, sign, now, SIGN_OF_LIFE) is Presence.ONLINE,
            last_sign_s=None if sign is None else unix_ms(sign) / 1000,
            plan_behind=version is not None and (applied is None or applied < version),
            faults=faults.get(unit, 0),
            due=due,
            unsounded=silent,
            **_told(telemetry),
        )
    return list(found.values()), asked


def _told(telemetry: dict[str, Any] | None) -> dict[str, Any]:
    names = ("volts", "temperature_c", "signal_dbm", "storage_free_mb")
    return {name: (telemetry or {}).get(name) for name in names}


def _faults(session: Session) -> dict[str, int]:
    # Counted here: grouped by unit, the database would look through all faults that ever were.
    return Counter(session.scalars(select(UnitFault.unit_id).where(UnitFault.cleared_at.is_(None))))


def _recent(session: Session, now: datetime) -> dict[str, tuple[int, int]]:
    silent = func.sum(case((objective.unsounded(now), 1), else_=0))
    rows = session.execute(
        select(Delivery.cluster_id, func.count(Delivery.verdict), silent)
        .where(objective.due(now, DAY), objective.counted())
        .group_by(Delivery.cluster_id)
    )
    return {cluster: (due, int(silent or 0)) for cluster, due, silent in rows}
