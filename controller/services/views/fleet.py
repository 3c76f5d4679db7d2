"""The whole fleet at a glance, commune by commune, and the poles of one: counted in the database by a number of
statements that does not grow with the fleet."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, func, select
from sqlalchemy.orm import Session

from broadcasts.domain.fault_classes import CLASSES, Code, Question, Urgency
from broadcasts.domain.fault_life import OPEN
from broadcasts.domain.health import STALE
from broadcasts.domain.verdict import Verdict
from broadcasts.errors import Refused
from controller.db.tables import (
    Area,
    Assignment,
    Cluster,
    ClusterDay,
    Delivery,
    FaultCase,
    Hardware,
    Station,
    UnitStatus,
)
from controller.services import objective
from controller.services.history_keeping import local_day
from controller.services.rights import Actor, Right

PROMISED = 0.995
"""Of the deliveries that count, so many sound (`controller.services.objective`)."""
DAY, WEEK = timedelta(days=1), timedelta(days=7)
_OPEN = [str(state) for state in OPEN]
_MUTES = [str(code) for code, each in CLASSES.items() if Question.ABLE in each.denies]


@dataclass
class Sound:
    """Deliveries that count, those that sounded, and those of them that an ear heard."""

    due: int = 0
    sounded: int = 0
    heard: int = 0

    @property
    def kept(self) -> bool:
        """No worse than promised; nothing due breaks no promise."""
        return self.sounded >= PROMISED * self.due

    def add(self, other: Sound) -> None:
        self.due, self.sounded, self.heard = (
            self.due + other.due, self.sounded + other.sounded, self.heard + other.heard,
        )  # fmt: skip


@dataclass
class Line:
    """One commune, one pole, or all together. The four questions are kept apart (`broadcasts.domain.health`): a pole
    that is connected may report nothing, one that reports may be unable to sound."""

    id: str = ""
    name: str = ""
    clusters: int = 0
    connected: int = 0
    reporting: int = 0
    able: int = 0
    day: Sound = field(default_factory=Sound)
    week: Sound = field(default_factory=Sound)
    faults: Counter[str] = field(default_factory=Counter)
    """Open ones at poles, by urgency; one cause at many poles counts at each."""
    codes: list[str] = field(default_factory=list)
    oldest: datetime | None = None
    """Since when the oldest of them stands."""
    data_mb: int = 0
    quota_mb: int = 0
    """Of those whose quota is known."""
    last_sign: datetime | None = None

    @property
    def worst(self) -> tuple[int, int, int]:
        return (self.clusters - self.able, self.faults[Urgency.NOW], self.clusters - self.connected)

    def add(self, other: Line) -> None:
        for name in ("clusters", "connected", "reporting", "able", "data_mb", "quota_mb"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.day.add(other.day)
        self.week.add(other.week)
        self.faults.update(other.faults)
        if other.oldest is not None:
            self.oldest = min(self.oldest or other.oldest, other.oldest)


@dataclass(frozen=True)
class Overview:
    lines: Sequence[Line]
    total: Line


def overview(session: Session, actor: Actor, now: datetime) -> Overview:
    """By commune, the one with the most poles that cannot sound first. Raises Refused("no_right")."""
    actor = actor.need(Right.HEALTH)
    found = _lines(session, Station.area_id, actor.areas, now)
    names = select(Area.id, Area.name).where(Area.id.in_(found))
    for name, said in session.execute(names):
        found[name].name = said
    return _told(found)


def commune(session: Session, actor: Actor, area: str, now: datetime) -> tuple[Area, Overview]:
    """By pole. Raises Refused("no_right", "area.unknown")."""
    actor = actor.need(Right.HEALTH)
    row = session.get(Area, area) if area in actor.areas else None
    if row is None:
        raise Refused("area.unknown", name=area[:40])
    found = _lines(session, Cluster.id, frozenset({area}), now)
    rows = session.execute(
        select(Cluster.id, Cluster.name, UnitStatus.last_sign)
        .outerjoin(Assignment, and_(Assignment.cluster_id == Cluster.id, Assignment.until.is_(None)))
        .outerjoin(UnitStatus, UnitStatus.unit_id == Assignment.unit_id)
        .join(Station, Station.id == Cluster.station_id)
        .where(Station.area_id == area, Cluster.removed_at.is_(None))
    )
    for name, said, sign in rows:
        if name in found:
            found[name].name, found[name].last_sign = said, sign
    return row, _told(found)


def _told(found: Mapping[str, Line]) -> Overview:
    total = Line()
    for line in found.values():
        total.add(line)
    order = sorted(found.values(), key=lambda line: line.id)
    return Overview(sorted(order, key=lambda line: line.worst, reverse=True), total)


def _lines(session: Session, by: Any, areas: frozenset[str], now: datetime) -> dict[str, Line]:
    """By commune or by cluster, whichever column `by` is."""
    found: dict[str, Line] = {}
    for name, *told in session.execute(_states(by, areas, now)):
        clusters, connected, reporting, able = map(int, told)
        found[name] = Line(name, clusters=clusters, connected=connected, reporting=reporting, able=able)
    nobody: dict[str, Line] = defaultdict(Line)
    for row in session.execute(_sounds(by, areas, now)):
        found.get(row[0], nobody[""]).day = Sound(int(row[1] + row[2]), int(row[1]), int(row[3]))
    for row in session.execute(_weeks(by, areas, now)):
        line = found.get(row[0], nobody[""])
        line.week = Sound(*map(int, row[1:4]))
    for row in session.execute(_data(by, areas, now)):
        line = found.get(row[0], nobody[""])
        line.data_mb, line.quota_mb = int(row[1] or 0), int(row[2] or 0)
    for name, code, count, since in session.execute(_faults(by, areas)):
        line = found.get(name, nobody[""])
        line.faults[str(CLASSES[Code(code)].urgency)] += count
        line.codes.append(code)
        line.oldest = min(line.oldest or since, since)
    return found


def _sum(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)


def _here(query: Select[Any], areas: frozenset[str]) -> Select[Any]:
    return query.where(Station.area_id.in_(areas), Cluster.removed_at.is_(None))


def mute_clusters() -> Select[Any]:
    """Ids of the clusters of which an open fault says that they cannot sound."""
    return (
        select(FaultCase.cluster_id)
        .where(FaultCase.cluster_id.is_not(None), FaultCase.state.in_(_OPEN), FaultCase.code.in_(_MUTES))
        .distinct()
    )


def _states(by: Any, areas: frozenset[str], now: datetime) -> Select[Any]:
    mute = mute_clusters().subquery()
    there = UnitStatus.connected.is_(True)
    able = and_(there, UnitStatus.telemetry_at > now - STALE, mute.c.cluster_id.is_(None))
    query = (
        select(
            by, func.count(Cluster.id), _sum(there), _sum(and_(there, UnitStatus.last_sign > now - STALE)), _sum(able)
        )
        .select_from(Cluster)
        .join(Station, Station.id == Cluster.station_id)
        .outerjoin(Assignment, and_(Assignment.cluster_id == Cluster.id, Assignment.until.is_(None)))
        .outerjoin(UnitStatus, UnitStatus.unit_id == Assignment.unit_id)
        .outerjoin(mute, mute.c.cluster_id == Cluster.id)
        .group_by(by)
    )
    return _here(query, areas)


def _sounds(by: Any, areas: frozenset[str], now: datetime) -> Select[Any]:
    well = Delivery.verdict.in_([str(Verdict.HEARD), str(Verdict.PLAYED)])
    query = (
        select(by, _sum(well), _sum(objective.unsounded(now)), _sum(Delivery.verdict == str(Verdict.HEARD)))
        .select_from(Delivery)
        .join(Cluster, Cluster.id == Delivery.cluster_id)
        .join(Station, Station.id == Cluster.station_id)
        .where(objective.told(now, DAY), objective.counted())
        .group_by(by)
    )
    return _here(query, areas)


def _weeks(by: Any, areas: frozenset[str], now: datetime) -> Select[Any]:
    """Today and the six days before, as `history_keeping` last counted them."""
    sums = [func.coalesce(func.sum(each), 0) for each in (ClusterDay.due, ClusterDay.sounded, ClusterDay.heard)]
    query = (
        select(by, *sums)
        .select_from(ClusterDay)
        .join(Cluster, Cluster.id == ClusterDay.cluster_id)
        .join(Station, Station.id == Cluster.station_id)
        .where(ClusterDay.day > local_day(now) - WEEK, ClusterDay.day <= local_day(now))
        .group_by(by)
    )
    return _here(query, areas)


def _data(by: Any, areas: frozenset[str], now: datetime) -> Select[Any]:
    query = (
        select(by, func.sum(ClusterDay.data_mb), func.sum(Hardware.sim_quota_mb))
        .select_from(ClusterDay)
        .join(Cluster, Cluster.id == ClusterDay.cluster_id)
        .join(Station, Station.id == Cluster.station_id)
        .join(Hardware, Hardware.unit_id == ClusterDay.unit_id)
        .where(ClusterDay.day == local_day(now), Hardware.sim_quota_mb.is_not(None))
        .group_by(by)
    )
    return _here(query, areas)


def _faults(by: Any, areas: frozenset[str]) -> Select[Any]:
    query = (
        select(by, FaultCase.code, func.count(), func.min(FaultCase.since))
        .select_from(FaultCase)
        .join(Cluster, Cluster.id == FaultCase.cluster_id)
        .join(Station, Station.id == Cluster.station_id)
        .where(FaultCase.state.in_(_OPEN))
        .group_by(by, FaultCase.code)
        .order_by(FaultCase.code)
    )
    return _here(query, areas)
