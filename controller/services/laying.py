"""What deliveries a broadcast has at its clusters, and what keeps which of them off the air: reckoned, not written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.clock import VIETNAM, unix_ms
from broadcasts.domain.delivery import State
from broadcasts.domain.model import Late, OnPreempt
from broadcasts.domain.programme import FRAME
from broadcasts.domain.recurrence import starts
from broadcasts.domain.regulation import Regulation
from broadcasts.domain.routing import Routing
from broadcasts.ids import BroadcastId, ClusterId, delivery_id
from controller.db.tables import Broadcast, Cluster, Delivery, Station
from controller.services.around import ALONE, Around
from controller.services.limiting import over_the_limit
from controller.services.programmes import laid_out
from controller.services.ranking import rank_of, ranks_at
from controller.services.relaying import name_of
from controller.services.renditions import Said
from controller.services.routing import settle
from controller.services.schedules import schedule_of
from controller.services.slots import last_sound
from controller.services.stations import regulation, units_of
from controller.services.valid_approvals import end_of

APPROVAL_OVER = "approval_over"
"""Why nothing comes into being that would sound after a standing approval has ended."""
UNASKED = "unusual_hours"
"""Why a cluster that joined in later does not sound at an hour that surprises its people: it was confirmed for other
stations only (R-053)."""


@dataclass(frozen=True)
class Laid:
    """`rows`: columns of new deliveries, as if nothing kept them off, in order of time; `why_not`: by id, what does."""

    rows: Sequence[dict[str, Any]]
    why_not: dict[str, str]


def lay_out(
    session: Session,
    broadcast: Broadcast,
    clusters: list[str],
    since: datetime,
    horizon: datetime,
    now: datetime,
    around: Around = ALONE,
) -> Laid:
    """Those from `since` up to the horizon that are not there yet, beside what is planned and what is `around`."""
    unit_of = units_of(session, clusters)
    stations = stations_of(session, clusters)
    places = {(station.id, site): (station, site) for station, site in stations.values()}
    rules = {place: regulation(*there) for place, there in places.items()}
    asked = asked_at(session, broadcast, stations)
    ranked = ranks_at(session, {station.id for station, _ in stations.values()})
    same = (Delivery.broadcast_id == broadcast.id, Delivery.revision == broadcast.revision, Delivery.start >= since)
    known = set(session.scalars(select(Delivery.id).where(*same)))
    rows: list[dict[str, Any]] = []
    why_not: dict[str, str] = {}
    # Plain rows: a thousand poles are one approval that somebody waits for.
    layouts, relayed = laid_out(session, broadcast, clusters), name_of(session, broadcast)
    sounding = (
        (begin, begin + after, said, here)
        for begin in starts(schedule_of(broadcast), since, horizon, VIETNAM)
        for layout, here in layouts
        for after, said in layout.pieces
    )
    for begin, start, said, here in sounding:
        duration = said.length
        at = unix_ms(start)
        ruled = {name: ruled_at(rule, start, duration, name[0] in asked) for name, rule in rules.items()}
        for cluster in here:
            name = delivery_id(BroadcastId(broadcast.id), broadcast.revision, at, ClusterId(cluster))
            if name in known:
                continue
            known.add(name)
            station, site = stations[cluster]
            unit, (why, ceiling) = unit_of.get(cluster), ruled[station.id, site]
            row = _row(broadcast, name, begin, start, said, cluster, unit)
            row["relayed"] = relayed if said.slot is not None else None
            row["rank"] += rank_of(ranked, station.id, broadcast.id)
            row["volume"] = min(station.volume if broadcast.volume is None else broadcast.volume, ceiling)
            if why or unit is None:
                why_not[name] = why or "no_unit"
            rows.append(row)
    if (end := end_of(session, broadcast)) is not None:
        why_not |= {row["id"]: APPROVAL_OVER for row in rows if _may_sound_until(row) > end}
    limits = {cluster: rules[station.id, site].limits for cluster, (station, site) in stations.items()}
    why_not |= over_the_limit(session, limits, [row for row in rows if row["id"] not in why_not], now, around)
    why_not |= settle(session, broadcast, rows, set(why_not), around)
    return Laid(rows, why_not)


def asked_at(session: Session, broadcast: Broadcast, stations: dict[str, tuple[Station, str]]) -> set[str]:
    """The stations at whose clusters author and approver saw it sound, and confirmed the hours that are unusual."""
    everywhere = {station.id for station, _ in stations.values()}
    if stations.keys() <= set(broadcast.clusters):
        return everywhere
    rows = session.scalars(select(Cluster.station_id).where(Cluster.id.in_(broadcast.clusters)).distinct())
    return everywhere & set(rows)


def ruled_at(rule: Regulation, start: datetime, duration: timedelta, asked: bool) -> tuple[str, int]:
    """Why it may not sound then, or nothing; and how loud at most."""
    why = "" if asked or rule.is_usual(start, duration, VIETNAM) else UNASKED
    if not rule.allows(start, duration, VIETNAM):
        why = "quiet_hours"
    return why, rule.ceiling(start, duration, VIETNAM)


def manner(broadcast: Broadcast, start: datetime, length: timedelta) -> tuple[Late, OnPreempt, datetime]:
    """What it does when it is late or loses the horn, and until when it may begin. What waits in line does so on the
    unit, and sounds whole then."""
    if broadcast.routing == Routing.STACKED:
        return Late.SHIFT, OnPreempt.NEXT_SLOT, start + timedelta(minutes=broadcast.stack_minutes or 0)
    late = Late(broadcast.late)
    patience = timedelta(0) if late is Late.DROP else timedelta(hours=1)
    return late, OnPreempt(broadcast.on_preempt), start + length + patience


def _row(
    broadcast: Broadcast, name: str, begin: datetime, start: datetime, said: Said, cluster: str, unit: str | None
) -> dict[str, Any]:
    """Planned, and no volume yet."""
    late, on_preempt, not_after = manner(broadcast, start, said.length)
    return {
        "id": name,
        "broadcast_id": broadcast.id,
        "revision": broadcast.revision,
        "cluster_id": cluster,
        "unit_id": unit,
        "asset_sha256": said.asset.sha256,
        "language": said.language,
        "part": said.place,
        "frame": said.part is not None and said.part.kind in FRAME,
        "begin": begin,
        "start": start,
        "end": start + said.length,
        "not_after": not_after,
        "priority": broadcast.priority,
        "rank": broadcast.rank,
        "on_preempt": str(on_preempt),
        "late": str(late),
        "state": str(State.PLANNED),
        "verdict": None,
        "reason": None,
        "verdict_at": None,
    }


def _may_sound_until(row: dict[str, Any]) -> datetime:
    """`last_sound` of a delivery that is still a row to insert."""
    return last_sound(Delivery(**{name: row[name] for name in ("start", "end", "not_after", "late", "on_preempt")}))


def stations_of(session: Session, clusters: list[str]) -> dict[str, tuple[Station, str]]:
    """By cluster: its station, its kind of site."""
    rows = session.execute(select(Cluster.id, Cluster.station_id, Cluster.site).where(Cluster.id.in_(clusters))).all()
    theirs = select(Station).where(Station.id.in_({row.station_id for row in rows}))
    stations = {station.id: station for station in session.scalars(theirs)}
    return {row.id: (stations[row.station_id], row.site) for row in rows}
