"""What will sound in the next days, who wins, and what becomes of the others: for a cluster, a commune, the province.

By the same rule that a unit keeps to (`broadcasts.domain.timeline`), so that page, print and terminal say what a
villager will hear.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from broadcasts.clock import VIETNAM
from broadcasts.domain.delivery import OPEN, State
from broadcasts.domain.model import Late, OnPreempt, Priority, Slot
from broadcasts.domain.recurrence import starts
from broadcasts.domain.routing import Unreached
from broadcasts.domain.timeline import Fate, Stretch, timeline
from broadcasts.errors import Refused
from broadcasts.ids import AssetId, BroadcastId, ClusterId, DeliveryId
from controller.db.tables import Area, Broadcast, Bulletin, Cluster, Delivery, Station
from controller.services.deliveries import APPROVAL_OVER, UNASKED, last_sound, may_sound_after, slot_of
from controller.services.programmes import laid_out
from controller.services.rights import Actor, Right, below
from controller.services.schedules import schedule_of
from controller.services.stations import clusters_in, regulation

DAYS = 7
CLOSED = (
    *("quiet_hours", "limit_session", "limit_day", "limit_week", "no_unit"),
    *(APPROVAL_OVER, UNASKED, *map(str, Unreached)),
)
"""Reasons of an occurrence that was never put into a plan."""


@dataclass(frozen=True)
class Line:
    """One planned start and what becomes of it, alike at all of `clusters`."""

    broadcast: str
    title: str
    priority: int
    start: datetime
    length: timedelta
    outcome: str
    """`timeline.Outcome`, or one of `CLOSED`: then nothing of it sounds."""
    sounds: tuple[Stretch, ...]
    by: tuple[str, ...]
    """Titles of those that take the horn from it, in order."""
    on_preempt: str
    first: bool
    """Never heard at these clusters before."""
    waiting: bool
    """Nobody has approved it yet: what would be if somebody did."""
    clusters: frozenset[str]

    @property
    def when(self) -> datetime:
        return self.sounds[0].start if self.sounds else self.start


@dataclass(frozen=True)
class DryRun:
    """`name`: of the place. Lines in order of time."""

    name: str
    clusters: Sequence[Cluster]
    since: datetime
    until: datetime
    lines: Sequence[Line]


def dry_run(
    session: Session,
    actor: Actor,
    now: datetime,
    *,
    cluster: str = "",
    area: str = "",
    days: int = DAYS,
    waiting: bool = False,
) -> DryRun:
    """Of one cluster, of an area, or of all that the actor may see. `waiting`: as if everything that waits for approval
    had it. Raises Refused: "no_right", "cluster.unknown", "area.unknown"."""
    actor = actor.need(Right.LOOK)
    name, clusters = _place(session, actor, cluster, area)
    until = now + timedelta(days=max(1, min(DAYS, days)))
    return DryRun(name, clusters, now, until, lines(session, clusters, now, until, waiting=waiting))


def lines(
    session: Session, clusters: Sequence[Cluster], since: datetime, until: datetime, *, waiting: bool = False
) -> list[Line]:
    slots, closed = _planned(session, [each.id for each in clusters], since, until)
    if waiting:
        for slot in _waiting(session, clusters, since, until):
            slots[slot.cluster].append(slot)
    known = _titles(session, {slot.broadcast for each in slots.values() for slot in each} | {row[1] for row in closed})
    heard = _first_heard(session, [each.id for each in clusters], slots)
    groups: dict[Line, set[str]] = defaultdict(set)
    for where, fate, owners in _fates(session, clusters, slots):
        slot = fate.slot
        if fate.sounds and fate.sounds[-1].end <= since:
            continue
        key = Line(
            broadcast=slot.broadcast,
            title=known.get(slot.broadcast, slot.broadcast),
            priority=int(slot.priority),
            start=slot.start,
            length=slot.duration,
            outcome=str(fate.outcome),
            sounds=fate.sounds,
            by=tuple(known.get(owners[name], owners[name]) for name in dict.fromkeys(fate.by)),
            on_preempt=str(slot.on_preempt),
            first=slot.start <= heard.get((where, slot.asset), slot.start),
            waiting=slot.delivery.startswith("~"),
            clusters=frozenset(),
        )
        groups[key].add(where)
    for where, broadcast, start, end, priority, reason in closed:
        title = known.get(broadcast, broadcast)
        gone = Line(broadcast, title, priority, start, end - start, reason, (), (), "", False, False, frozenset())
        groups[gone].add(where)
    found = [replace(line, clusters=frozenset(places)) for line, places in groups.items()]
    return sorted(found, key=lambda line: (line.when, line.start, line.priority, line.title, line.outcome))


def _place(session: Session, actor: Actor, cluster: str, area: str) -> tuple[str, list[Cluster]]:
    if cluster:
        found = clusters_in(session, actor.areas, [cluster])
        if not found:
            raise Refused("cluster.unknown", name=cluster[:40])
        return found[0].name, found
    top = area or actor.area
    row = session.get(Area, top)
    within = below(session, top) & actor.areas
    # Of a commune that was merged, who belongs to one of the old ones may ask for the new one and is told his part.
    if row is None or not within:
        raise Refused("area.unknown", name=top[:40])
    return row.name, clusters_in(session, within)


def _planned(
    session: Session, clusters: Sequence[str], since: datetime, until: datetime
) -> tuple[dict[str, list[Slot]], list[tuple[str, str, datetime, datetime, int, str]]]:
    """(what may sound, by cluster; what was closed beforehand)."""
    slots: dict[str, list[Slot]] = defaultdict(list)
    mine = Delivery.cluster_id.in_(clusters)
    live = Delivery.state.in_([str(state) for state in OPEN])
    rows = session.scalars(select(Delivery).where(mine, live, Delivery.start < until, may_sound_after(since)))
    for row in rows:
        if last_sound(row) > since:
            slots[row.cluster_id].append(slot_of(row))
    shut = session.execute(
        select(
            Delivery.cluster_id,
            Delivery.broadcast_id,
            Delivery.start,
            Delivery.end,
            Delivery.priority,
            Delivery.reason,
        ).where(
            mine,
            Delivery.state == str(State.WITHDRAWN),
            Delivery.reason.in_(CLOSED),
            Delivery.start >= since,
            Delivery.start < until,
        )
    )
    return slots, [(row[0], row[1], row[2], row[3], row[4], row[5] or "") for row in shut]


def _waiting(session: Session, clusters: Sequence[Cluster], since: datetime, until: datetime) -> Iterator[Slot]:
    """What has been handed in, as the slots it would become; each name begins with "~"."""
    mine = {cluster.id: cluster for cluster in clusters}
    volumes = {
        station.id: station.volume
        for station in session.scalars(select(Station).where(Station.id.in_({c.station_id for c in clusters})))
    }
    for broadcast in session.scalars(select(Broadcast).where(Broadcast.status == "submitted")):
        places = [name for name in broadcast.clusters if name in mine]
        if not places:
            continue
        late, layouts = Late(broadcast.late), laid_out(session, broadcast, places)
        pieces = [(after, said, here) for layout, here in layouts for after, said in layout.pieces]
        for begin in starts(schedule_of(broadcast), since, until, VIETNAM):
            for after, said, here in pieces:
                start, length = begin + after, said.length
                for name in here:
                    volume = broadcast.volume if broadcast.volume is not None else volumes[mine[name].station_id]
                    yield Slot(
                        delivery=DeliveryId(f"~{broadcast.id}:{start.timestamp():.3f}:{name}"),
                        broadcast=BroadcastId(broadcast.id),
                        cluster=ClusterId(name),
                        asset=AssetId(said.asset.sha256),
                        start=start,
                        duration=length,
                        priority=Priority(broadcast.priority),
                        rank=broadcast.rank,
                        on_preempt=OnPreempt(broadcast.on_preempt),
                        late=late,
                        not_after=start + length + (timedelta(0) if late is Late.DROP else timedelta(hours=1)),
                        volume=volume,
                    )


def _fates(
    session: Session, clusters: Sequence[Cluster], slots: dict[str, list[Slot]]
) -> Iterator[tuple[str, Fate, dict[str, str]]]:
    """(cluster, fate, broadcast by delivery). Clusters with the same wishes and rules are looked at once."""
    stations = {row.id: row for row in session.scalars(select(Station))}
    alike: dict[object, list[str]] = defaultdict(list)
    for cluster in clusters:
        wishes = tuple(sorted((slot.broadcast, slot.start, slot.asset, slot.volume) for slot in slots[cluster.id]))
        if wishes:
            alike[cluster.station_id, cluster.site, wishes].append(cluster.id)
    sites = {cluster.id: cluster for cluster in clusters}
    for places in alike.values():
        one = sites[places[0]]
        here = slots[one.id]
        owners = {str(slot.delivery): str(slot.broadcast) for slot in here}
        for fate in timeline(here, regulation(stations[one.station_id], one.site), VIETNAM):
            for name in places:
                yield name, fate, owners


def _titles(session: Session, broadcasts: Iterable[str]) -> dict[str, str]:
    rows = session.execute(
        select(Broadcast.id, Bulletin.title)
        .join(Bulletin, Broadcast.bulletin_id == Bulletin.id)
        .where(Broadcast.id.in_(set(broadcasts)))
    )
    return {row[0]: row[1] for row in rows}


def _first_heard(
    session: Session, clusters: Sequence[str], slots: dict[str, list[Slot]]
) -> dict[tuple[str, str], datetime]:
    """By cluster and recording, the first start that was not taken off the air."""
    assets = {slot.asset for each in slots.values() for slot in each}
    rows = session.execute(
        select(Delivery.cluster_id, Delivery.asset_sha256, func.min(Delivery.start))
        .where(
            Delivery.cluster_id.in_(clusters),
            Delivery.asset_sha256.in_(assets),
            Delivery.state != str(State.WITHDRAWN),
        )
        .group_by(Delivery.cluster_id, Delivery.asset_sha256)
    )
    return {(row[0], row[1]): row[2] for row in rows}
