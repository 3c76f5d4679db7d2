"""Which cluster is well, which is not, and since when."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.domain.power import LEAST_W, MOST_W, within_limits
from broadcasts.domain.presence import Presence, presence
from broadcasts.errors import Refused
from controller.db.tables import (
    Assignment,
    Broadcast,
    Bulletin,
    Cluster,
    Delivery,
    RelaySource,
    Station,
    UnitFault,
    UnitPlan,
    UnitStatus,
)
from controller.services import convergence, diverging, wanting
from controller.services.rights import Actor, Right

ALLOWED_SILENCE = timedelta(minutes=35)
"""Two heartbeats of 15 minutes and a little (R-077)."""
FILTERS = ("all", "trouble", "offline", "silent", "never", "fault", "old_plan")


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
    convergence: convergence.Convergence
    """Whether the unit has come to what is wanted of it, and why not."""
    past_faults: Sequence[UnitFault]
    stations: dict[str, str]
    """Names of the stations that faults speak of, by id."""
    deliveries: Sequence[tuple[Delivery, str]]
    """The last and next ones with their titles, the newest start first."""


def lines(session: Session, actor: Actor, now: datetime, only: str | None = None) -> list[ClusterLine]:
    """The clusters of the actor's area, the worst first."""
    wanted = select(Cluster, Station).join(Station, Cluster.station_id == Station.id)
    wanted = wanted.where(Station.area_id.in_(actor.areas), Cluster.removed_at.is_(None))
    if only is not None:
        wanted = wanted.where(Cluster.id == only)
    clusters = session.execute(wanted.order_by(Cluster.id)).all()
    rows = session.execute(
        select(Assignment.cluster_id, Assignment.unit_id).where(
            Assignment.until.is_(None), Assignment.cluster_id.in_([cluster.id for cluster, _ in clusters])
        )
    )
    unit_of: dict[str, str] = {row[0]: row[1] for row in rows}
    units = list(unit_of.values())
    status = {row.unit_id: row for row in session.scalars(select(UnitStatus).where(UnitStatus.unit_id.in_(units)))}
    plans = {
        row[0]: (row[1], row[2] is not None)
        for row in session.execute(
            select(UnitPlan.unit_id, UnitPlan.version, UnitPlan.published_at).where(UnitPlan.unit_id.in_(units))
        )
    }
    faults: dict[str, list[UnitFault]] = {}
    for fault in session.scalars(
        select(UnitFault)
        .where(UnitFault.unit_id.in_(units), UnitFault.cleared_at.is_(None))
        .order_by(UnitFault.raised_at.desc())
    ):
        faults.setdefault(fault.unit_id, []).append(fault)
    found = [
        _line(cluster, station, unit_of.get(cluster.id), status, plans, faults, now) for cluster, station in clusters
    ]
    return sorted(found, key=lambda line: (-line.worst, line.id))


def _line(
    cluster: Cluster,
    station: Station,
    unit: str | None,
    status: dict[str, UnitStatus],
    plans: dict[str, tuple[int, bool]],
    faults: dict[str, list[UnitFault]],
    now: datetime,
) -> ClusterLine:
    told = status.get(unit or "")
    wanted, sent = plans.get(unit or "", (None, False))
    return ClusterLine(
        id=cluster.id,
        name=cluster.name,
        station=station.name,
        illustrative=station.illustrative,
        horns=cluster.horns,
        horn_watts=cluster.horn_watts,
        unit=unit,
        presence=presence(told.connected, told.last_sign, now, ALLOWED_SILENCE) if told else Presence.NEVER,
        last_sign=told.last_sign if told else None,
        wanted=wanted,
        sent=sent,
        applied=told.plan_version if told else None,
        faults=faults.get(unit or "", []),
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
        convergence=_convergence(session, line, status, plan, wants, now),
        past_faults=session.scalars(
            select(UnitFault)
            .where(UnitFault.unit_id == unit, UnitFault.cleared_at.is_not(None))
            .order_by(UnitFault.cleared_at.desc())
            .limit(10)
        ).all(),
        stations=_stations(session, {fault.detail for fault in line.faults}),
        deliveries=[(row[0], row[1]) for row in rows],
    )


def _convergence(
    session: Session,
    line: ClusterLine,
    status: UnitStatus | None,
    plan: UnitPlan | None,
    wants: wanting.Wants,
    now: datetime,
) -> convergence.Convergence:
    made = plan.compiled_at if plan is not None else None
    return convergence.of(
        unit=line.unit,
        wanted=convergence.Wanted(
            plan=plan.version if plan is not None else None,
            at=diverging.since(session, plan.unit_id, made) if plan is not None and line.old_plan else made,
            sent=plan.published_at if plan is not None else None,
            firmware=wants.firmware,
            configuration=wants.configuration,
        ),
        applied=line.applied,
        connected=status.connected if status is not None else None,
        presence_at=status.presence_at if status is not None else None,
        reported=status.reported if status is not None else {},
        faults={fault.code for fault in line.faults},
        now=now,
    )


def _stations(session: Session, told: set[str]) -> dict[str, str]:
    rows = session.execute(select(RelaySource.id, RelaySource.name).where(RelaySource.id.in_(told)))
    return {row[0]: row[1] for row in rows}
