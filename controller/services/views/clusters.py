"""Which cluster is well, which is not, and since when."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, select
from sqlalchemy.orm import Session

from broadcasts.domain.health import STALE
from broadcasts.domain.power import LEAST_W, MOST_W, within_limits
from broadcasts.domain.presence import Presence, presence
from broadcasts.errors import Refused
from controller.db.tables import (
    Assignment,
    Broadcast,
    Bulletin,
    Cluster,
    Delivery,
    Divergence,
    RelaySource,
    Station,
    UnitFault,
    UnitPlan,
    UnitStatus,
)
from controller.services import convergence, wanting
from controller.services.convergence import Convergence
from controller.services.rights import Actor, Right
from controller.services.views.fleet import mute_clusters

ALLOWED_SILENCE = timedelta(minutes=35)
"""Two heartbeats of 15 minutes and a little (R-077)."""
FILTERS = ("all", "trouble", "offline", "silent", "never", "unable", "fault", "old_plan", "not_converged")


@dataclass(frozen=True)
class ClusterLine:
    id: str
    name: str
    station: str
    illustrative: bool
    """The station was made up for a demo."""
    horns: int
    horn_watts: int
    unit: str | None
    presence: Presence
    last_sign: datetime | None
    wanted: int | None
    """The newest plan we made for its unit."""
    sent: bool
    """That plan has left for the broker."""
    applied: int | None
    """The version that the unit says it follows."""
    faults: Sequence[UnitFault]
    able: bool
    """Connected, reports, and no open fault says that it cannot sound (`views.fleet`)."""
    convergence: Convergence
    """Whether the unit has come to what is wanted of it, and why not."""

    @property
    def power_fits(self) -> bool:
        """R-073: what the horns take together is what a cluster should have."""
        return within_limits(self.horns, self.horn_watts)

    @property
    def power_limits(self) -> tuple[int, int]:
        return LEAST_W, MOST_W

    @property
    def old_plan(self) -> bool:
        return self.wanted is not None and (self.applied or 0) < self.wanted

    @property
    def worst(self) -> int:
        """0 is well; the larger, the sooner somebody should drive there."""
        if self.unit is None:
            return 6
        if self.presence is Presence.OFFLINE:
            return 5
        if self.faults:
            return 4
        return {Presence.SILENT: 3, Presence.NEVER: 2}.get(self.presence, 1 if self.old_plan else 0)

    def passes(self, chosen: str) -> bool:
        match chosen:
            case "trouble":
                return self.worst > 0
            case "offline" | "silent" | "never":
                return self.presence == chosen
            case "fault":
                return bool(self.faults)
            case "old_plan":
                return self.old_plan
            case "unable":
                return self.presence is not Presence.OFFLINE and self.unit is not None and not self.able
            case "not_converged":
                return self.unit is not None and not self.convergence.converged
            case _:
                return True


@dataclass(frozen=True)
class Health:
    line: ClusterLine
    cluster: Cluster
    station: Station
    since: datetime | None
    """Since when this unit serves the cluster."""
    status: UnitStatus | None
    plan: UnitPlan | None
    wants: wanting.Wants
    """Firmware and settings that it should have."""
    past_faults: Sequence[UnitFault]
    stations: dict[str, str]
    """Names of the stations that faults speak of, by id."""
    deliveries: Sequence[tuple[Delivery, str]]
    """The last and next ones with their titles, the newest start first."""

    @property
    def convergence(self) -> Convergence:
        return self.line.convergence


def lines(session: Session, actor: Actor, now: datetime, only: str | None = None) -> list[ClusterLine]:
    """The clusters of the actor's area, the worst first: a handful of statements, whatever their number."""
    here = [Station.area_id.in_(actor.areas), Cluster.removed_at.is_(None), *([Cluster.id == only] if only else [])]
    mute = mute_clusters().subquery()
    rows = session.execute(
        select(
            Cluster.id, Cluster.name, Station.name.label("station"), Station.illustrative, Cluster.horns,
            Cluster.horn_watts, Assignment.unit_id.label("unit"), UnitStatus.connected, UnitStatus.presence_at,
            UnitStatus.last_sign, UnitStatus.telemetry_at, UnitStatus.plan_version, UnitStatus.reported,
            UnitPlan.version, UnitPlan.published_at, UnitPlan.compiled_at, Divergence.since,
            mute.c.cluster_id.is_not(None).label("mute"),
        )
        .join(Station, Cluster.station_id == Station.id)
        .outerjoin(Assignment, and_(Assignment.cluster_id == Cluster.id, Assignment.until.is_(None)))
        .outerjoin(UnitStatus, UnitStatus.unit_id == Assignment.unit_id)
        .outerjoin(UnitPlan, UnitPlan.unit_id == Assignment.unit_id)
        .outerjoin(Divergence, Divergence.unit_id == Assignment.unit_id)
        .outerjoin(mute, mute.c.cluster_id == Cluster.id)
        .where(*here)
    ).all()  # fmt: skip
    faults: dict[str, list[UnitFault]] = {}
    for fault in session.scalars(
        select(UnitFault)
        .join(Assignment, and_(Assignment.unit_id == UnitFault.unit_id, Assignment.until.is_(None)))
        .join(Cluster, Cluster.id == Assignment.cluster_id)
        .join(Station, Station.id == Cluster.station_id)
        .where(UnitFault.cleared_at.is_(None), *here)
        .order_by(UnitFault.raised_at.desc())
    ):
        faults.setdefault(fault.unit_id, []).append(fault)
    wants = wanting.wants(session, [row.unit for row in rows if row.unit is not None])
    found = [
        _line(row, faults.get(row.unit or "", []), wants.get(row.unit or "", wanting.Wants()), now) for row in rows
    ]
    return sorted(found, key=lambda line: (-line.worst, line.id))


def _line(row: Any, faults: Sequence[UnitFault], wants: wanting.Wants, now: datetime) -> ClusterLine:
    known = row.connected is not None or row.last_sign is not None
    able = bool(row.connected) and row.telemetry_at is not None and row.telemetry_at > now - STALE and not row.mute
    return ClusterLine(
        id=row.id,
        name=row.name,
        station=row.station,
        illustrative=row.illustrative,
        horns=row.horns,
        horn_watts=row.horn_watts,
        unit=row.unit,
        presence=presence(row.connected, row.last_sign, now, ALLOWED_SILENCE) if known else Presence.NEVER,
        last_sign=row.last_sign,
        wanted=row.version,
        sent=row.published_at is not None,
        applied=row.plan_version,
        faults=faults,
        able=able,
        convergence=_convergence(row, faults, wants, now),
    )


def _convergence(row: Any, faults: Sequence[UnitFault], wants: wanting.Wants, now: datetime) -> Convergence:
    behind = row.version is not None and (row.plan_version or 0) < row.version
    since = row.compiled_at
    if behind and row.since is not None and since is not None:
        since = min(row.since, since)  # as `diverging.since`: a newer plan does not make the lag shorter
    return convergence.of(
        unit=row.unit,
        wanted=convergence.Wanted(
            plan=row.version,
            at=since,
            sent=row.published_at,
            firmware=wants.firmware,
            configuration=wants.configuration,
        ),
        applied=row.plan_version,
        connected=row.connected,
        presence_at=row.presence_at,
        reported=row.reported or {},
        faults={fault.code for fault in faults},
        now=now,
    )


def counts(found: Sequence[ClusterLine]) -> Counter[str]:
    return Counter({name: sum(line.passes(name) for line in found) for name in FILTERS})


def health(session: Session, actor: Actor, cluster_id: str, now: datetime) -> Health:
    """Raises Refused("no_right", "cluster.unknown"); a cluster elsewhere is as unknown as one that never was."""
    actor.need(Right.HEALTH)
    found = lines(session, actor, now, cluster_id)
    if not found:
        raise Refused("cluster.unknown", cluster=cluster_id[:40])
    line = found[0]
    cluster = session.get_one(Cluster, cluster_id)
    unit = line.unit or ""
    rows = session.execute(
        select(Delivery, Bulletin.title)
        .join(Broadcast, Delivery.broadcast_id == Broadcast.id)
        .join(Bulletin, Broadcast.bulletin_id == Bulletin.id)
        .where(Delivery.cluster_id == cluster_id, Delivery.start < now + timedelta(days=1))
        .order_by(Delivery.start.desc())
        .limit(20)
    )
    status, plan = session.get(UnitStatus, unit), session.get(UnitPlan, unit)
    wants = wanting.wants(session, [unit]).get(unit, wanting.Wants())
    return Health(
        line=line,
        cluster=cluster,
        station=session.get_one(Station, cluster.station_id),
        since=session.scalar(
            select(Assignment.since).where(Assignment.cluster_id == cluster_id, Assignment.until.is_(None))
        ),
        status=status,
        plan=plan,
        wants=wants,
        past_faults=session.scalars(
            select(UnitFault)
            .where(UnitFault.unit_id == unit, UnitFault.cleared_at.is_not(None))
            .order_by(UnitFault.cleared_at.desc())
            .limit(10)
        ).all(),
        stations=_stations(session, {fault.detail for fault in line.faults}),
        deliveries=[(row[0], row[1]) for row in rows],
    )


def _stations(session: Session, told: set[str]) -> dict[str, str]:
    rows = session.execute(select(RelaySource.id, RelaySource.name).where(RelaySource.id.in_(told)))
    return {row[0]: row[1] for row in rows}
