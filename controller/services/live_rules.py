"""When and how loud somebody may speak to these poles: the same question when it is asked for, approved, begun, and
each second while it lasts (R-032, R-051, R-052, R-107)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.clock import VIETNAM, unix_ms
from broadcasts.errors import Refused
from controller.db.tables import Area, Cluster, LiveSession, ScopeDocument, Station
from controller.services.limiting import too_much
from controller.services.live_air import Share, Target
from controller.services.stations import clusters_in, lines, regulation, units_of
from controller.services.unusual import Unusual, unusual

EMERGENCY = 1
SOON = timedelta(minutes=5)
"""An emergency that nobody speaks into by then is no emergency: its second factor was for now."""
MOST_LISTED = 120
"""Units of one list: a document of live voice has room for so many (wire.live.MOST_TARGETS)."""
MOST_BYTES = 1_150
"""Of the names of one list, with quotes and commas: beside the longest reason no more fits in a document
(wire.live.MAX_BYTES)."""
MOST_SCOPES = 16
"""So many communes are told one by one; the packets of more go to the province at once."""


@dataclass(frozen=True)
class LiveRules:
    """The service's own."""

    buffer_ms: int = 1_500
    longest: timedelta = timedelta(minutes=30)
    silence_s: int = 30


@dataclass(frozen=True)
class _Pole:
    cluster: Cluster
    station: Station


def problem(
    session: Session, clusters: Sequence[Cluster], start: datetime, end: datetime, now: datetime, apart_from: str = ""
) -> Refused | None:
    """What stands against an ordinary or priority voice in [start, end): Refused "live.hours", "live.limit".
    `apart_from`: the session itself."""
    for pole in _poles(session, clusters):
        rule = regulation(pole.station, pole.cluster.site)
        if not rule.allows(start, end - start, VIETNAM):
            return Refused("live.hours", cluster=pole.cluster.name, station=pole.station.name)
    limits = {pole.cluster.id: regulation(pole.station).limits for pole in _poles(session, clusters)}
    if not any(each.any for each in limits.values()):
        return None
    more = {name: [(start, end)] for name in limits}
    names = {cluster.id: cluster.name for cluster in clusters}
    for name, over in too_much(session, limits, more, now, voice=apart_from).items():
        return Refused("live.limit", cluster=names[name], kind=over[0].kind, limit=over[0].limit)
    return None


def strange_hours(session: Session, clusters: Sequence[Cluster], start: datetime, length: timedelta) -> Unusual | None:
    """Where it is allowed and surprises people all the same (R-053)."""
    rules = {pole.station.id: regulation(pole.station) for pole in _poles(session, clusters)}
    return unusual(rules, clusters, [start], length)


def shares(
    session: Session, clusters: Sequence[Cluster], priority: int, start: datetime, length: timedelta
) -> tuple[Share, ...]:
    """Whom the documents name: a whole commune's scope where all of it is meant and equally loud, else lists. Poles
    without a unit are in none."""
    units = units_of(session, [cluster.id for cluster in clusters])
    poles = [pole for pole in _poles(session, clusters) if pole.cluster.id in units]
    groups: dict[tuple[str, int], list[str]] = defaultdict(list)
    stations = {pole.station.id: pole.station for pole in poles}
    wide = len(stations) > MOST_SCOPES
    tops = {area: line[-1] for area, line in lines(session, [each.area_id for each in stations.values()]).items()}
    for pole in poles:
        scope = tops[pole.station.area_id] if wide else pole.station.scope
        groups[scope, _volume(pole, priority, start, length)].append(units[pole.cluster.id])
    whole = _whole(session, clusters, stations, tops if wide else None)
    found: list[Share] = []
    for (scope, volume), names in sorted(groups.items()):
        alone = sum(1 for other, _ in groups if other == scope) == 1
        if scope in whole and alone:
            found.append(Share(scope, "all", volume))
            continue
        found += (Share(scope, listed, volume) for listed in lists(sorted(names)))
    return tuple(found)


def lists(names: Sequence[str]) -> list[Target]:
    """Split as documents have room for them; in the same order."""
    found: list[list[str]] = []
    room = 0
    for name in names:
        room -= len(name) + 3
        if not found or room < 0 or len(found[-1]) == MOST_LISTED:
            found.append([])
            room = MOST_BYTES - len(name) - 3
        found[-1].append(name)
    return [*found]


def silenced(session: Session, row: LiveSession) -> bool:
    """Whether somebody pressed "silence all" above this emergency since it began: poles obey that by themselves."""
    assert row.begun_at is not None
    above = {area for line in lines(session, areas_of(session, row)).values() for area in line}
    voided = select(ScopeDocument.scope).where(
        ScopeDocument.scope.in_({*row.scopes, *above}), ScopeDocument.void_before > unix_ms(row.begun_at)
    )
    return session.scalar(voided.limit(1)) is not None


def areas_of(session: Session, row: LiveSession) -> frozenset[str]:
    rows = session.scalars(
        select(Station.area_id)
        .join(Cluster, Cluster.station_id == Station.id)
        .where(Cluster.id.in_(row.clusters))
        .distinct()
    )
    return frozenset(rows)


def _whole(
    session: Session, clusters: Sequence[Cluster], stations: dict[str, Station], tops: dict[str, str] | None
) -> set[str]:
    """The scopes all of whose poles are meant."""
    meant = {cluster.id for cluster in clusters}
    if tops is None:
        return {
            each.scope
            for each in stations.values()
            if {one.id for one in clusters_in(session, [each.area_id])} <= meant
        }
    everywhere = select(Cluster.id).where(Cluster.removed_at.is_(None))
    only = session.scalars(select(Area.id).where(Area.kind == "province")).all()
    return set(tops.values()) if len(only) == 1 and set(session.scalars(everywhere)) <= meant else set()


def _volume(pole: _Pole, priority: int, start: datetime, length: timedelta) -> int:
    if priority == EMERGENCY:
        return pole.station.emergency_volume
    return min(pole.station.volume, regulation(pole.station, pole.cluster.site).ceiling(start, length, VIETNAM))


def _poles(session: Session, clusters: Sequence[Cluster]) -> list[_Pole]:
    wanted = {cluster.station_id for cluster in clusters}
    stations = {each.id: each for each in session.scalars(select(Station).where(Station.id.in_(wanted)))}
    return [_Pole(cluster, stations[cluster.station_id]) for cluster in clusters]
