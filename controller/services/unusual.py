"""Hours that surprise people: outside a station's normal ones, allowed, and confirmed in words by author and approver
(R-053: a commune was woken at 03:15 by a wrong time)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from broadcasts.clock import VIETNAM
from broadcasts.domain.regulation import Regulation
from controller.db.tables import Cluster


@dataclass(frozen=True)
class Unusual:
    """`starts`: the first of each time of the day, in order; `mark` is what a person confirms."""

    starts: tuple[datetime, ...]
    clusters: tuple[Cluster, ...]
    mark: str


def unusual(
    rules: Mapping[str, Regulation], clusters: Sequence[Cluster], times: Sequence[datetime], duration: timedelta
) -> Unusual | None:
    """`rules` by station. None where every start is a usual one."""
    first: dict[str, datetime] = {}
    where: set[str] = set()
    for station, rule in rules.items():
        for start in sorted(times):
            if not rule.is_usual(start, duration, VIETNAM):
                where.add(station)
                clock = f"{start.astimezone(VIETNAM):%H:%M:%S}"
                first[clock] = min(start, first.get(clock, start))
    if not first:
        return None
    chosen = tuple(cluster for cluster in clusters if cluster.station_id in where)
    places = hashlib.sha256(",".join(sorted(cluster.id for cluster in chosen)).encode()).hexdigest()[:16]
    return Unusual(tuple(sorted(first.values())), chosen, f"{','.join(sorted(first))};{places}")


def covers(confirmed: str, needed: str) -> bool:
    """Whether who confirmed the one has confirmed the other: the same clusters, and no hour that is new."""
    hours, _, places = confirmed.partition(";")
    wanted, _, there = needed.partition(";")
    return places == there and set(wanted.split(",")) <= set(hours.split(","))
