"""Which clusters are meant: areas, single ones, tags, saved groups, a shape on the map, all of them together.

What a target comes to is frozen when it is handed in and approved so. Only where "also clusters added later" was asked
for do others join in, and each that does is a line of the log.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from sqlalchemy import delete, func, or_, select
from sqlalchemy.orm import Session

from broadcasts.clock import VIETNAM
from broadcasts.domain.polygon import Polygon, inside
from broadcasts.errors import LoaError, Refused
from controller.db.tables import Area, Broadcast, Cluster, ClusterGroup, Kept
from controller.services import audit
from controller.services.areas import ended, successor
from controller.services.context import LOCK_WINDOW, Context
from controller.services.deliveries import join
from controller.services.rights import Actor, below
from controller.services.stations import clusters_in

LOOKED = "targets.looked"


class Meant(Protocol):
    """What a form says of the target; ids, but for tags."""

    @property
    def areas(self) -> tuple[str, ...]: ...
    @property
    def clusters(self) -> tuple[str, ...]: ...
    @property
    def tags(self) -> tuple[str, ...]: ...
    @property
    def groups(self) -> tuple[str, ...]: ...
    @property
    def polygon(self) -> Polygon: ...


@dataclass(frozen=True)
class Target:
    areas: tuple[str, ...] = ()
    clusters: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    polygon: Polygon = ()
    within: tuple[str, ...] = ()
    """The areas beyond which nothing joins in, with all below them."""


def resolve(session: Session, reach: Collection[str], target: Meant) -> list[Cluster]:
    """All clusters in use that any part of the target names, of the stations whose areas are in `reach`, by id."""
    reach = set(reach)
    areas: set[str] = set()
    for area in target.areas:
        areas |= below(session, area)
    found = {cluster.id: cluster for cluster in clusters_in(session, areas & reach)} if areas else {}
    names = set(target.clusters)
    if target.groups:
        for group in session.scalars(select(ClusterGroup).where(ClusterGroup.id.in_(target.groups))):
            names |= set(group.clusters) if group.area_id in reach else set()
    if names:
        found |= {cluster.id: cluster for cluster in clusters_in(session, reach, names)}
    if target.tags or target.polygon:
        for cluster in clusters_in(session, reach):
            if set(target.tags) & set(cluster.tags) or _stands_in(cluster, target.polygon):
                found[cluster.id] = cluster
    return [found[name] for name in sorted(found)]


def _stands_in(cluster: Cluster, polygon: Polygon) -> bool:
    placed = cluster.longitude is not None and cluster.latitude is not None
    return placed and inside(cluster.longitude or 0, cluster.latitude or 0, polygon)


def problems(session: Session, actor: Actor, target: Meant, now: datetime) -> list[LoaError]:
    """Refused: "target.merged" for each area that is no more, "target.group"."""
    today = now.astimezone(VIETNAM).date()
    found: list[LoaError] = []
    for area in session.scalars(select(Area).where(Area.id.in_(target.areas)).order_by(Area.id)):
        if ended(area, today) and area.id in actor.areas:
            heir = successor(session, area, today)
            told = {"area": area.name, "day": f"{area.valid_to:%d/%m/%Y}"}
            key = "target.merged" if heir else "target.merged_away"
            gone = Refused(key, **told, successor=heir.name if heir else "-")
            found.append(gone)
    there = set(session.scalars(select(ClusterGroup.id).where(ClusterGroup.area_id.in_(actor.areas))))
    if set(target.groups) - there:
        found.append(Refused("target.group"))
    return found


def stored(session: Session, actor: Actor, target: Meant, *, later: bool) -> dict[str, Any]:
    """What of it is no list of areas or clusters, for `Broadcast.target_more`. `later`: others may join in."""
    narrow = not (target.tags or target.groups or target.polygon)
    # Of a commune that others belong to as well, as after a merger: one's own part.
    parts = [{area} if area in actor.areas else below(session, area) & actor.areas for area in target.areas]
    within = sorted(set().union(*parts)) if narrow else sorted({grant.area for grant in actor.grants})
    more: dict[str, Any] = {"tags": sorted(target.tags), "groups": sorted(target.groups), "polygon": target.polygon}
    more["within"] = within if later else []
    return {name: value for name, value in more.items() if value}


def target_of(broadcast: Broadcast) -> Target:
    more = broadcast.target_more
    return Target(
        tuple(broadcast.target_areas),
        tuple(broadcast.target_clusters),
        tuple(more.get("tags", ())),
        tuple(more.get("groups", ())),
        tuple(tuple((x, y) for x, y in ring) for ring in more.get("polygon", ())),
        tuple(more.get("within", ())),
    )


def needs_reach(session: Session, actor: Actor, broadcast: Broadcast) -> None:
    """Whoever approves that others join in later answers for all of them. Raises Refused("target.later_reach")."""
    if not broadcast.also_later:
        return
    if not _reach(session, broadcast) <= actor.areas:
        raise Refused("target.later_reach")
    look_again(session)


def _reach(session: Session, broadcast: Broadcast) -> frozenset[str]:
    return frozenset().union(*(below(session, area) for area in broadcast.target_more.get("within", ())))


def joiners(session: Session, broadcast: Broadcast) -> list[str]:
    """Clusters that belong to the target now and did not before, where that was asked for."""
    if not broadcast.also_later or broadcast.status != "approved":
        return []
    there = {*broadcast.clusters, *broadcast.joined}
    found = resolve(session, _reach(session, broadcast), target_of(broadcast))
    return [cluster.id for cluster in found if cluster.id not in there]


def look_again(session: Session) -> None:
    """Something changed that targets are made of; the next `join_all` looks at all of them."""
    session.execute(delete(Kept).where(Kept.name == LOOKED))


_LOOKED = select(Kept.value).where(Kept.name == LOOKED)
_CLUSTERS = select(func.count(), func.max(Cluster.added_at)).select_from(Cluster)


def join_all(ctx: Context, now: datetime) -> int:
    """Let join in what has come to targets since this was looked at last; how many clusters that were. Nearly always
    it is seen from two numbers that nothing has come."""
    with ctx.db.read() as session:
        if session.scalar(_LOOKED) == _mark(session):
            return 0
    with ctx.db.write() as session:
        goes_on = or_(Broadcast.last_day.is_(None), Broadcast.last_day >= (now - timedelta(days=2)).date())
        waiting = select(Broadcast).where(Broadcast.status == "approved", Broadcast.also_later, goes_on)
        found = sum(len(let_join(session, broadcast, now)) for broadcast in session.scalars(waiting).all())
        session.merge(Kept(name=LOOKED, value=_mark(session)))
    return found


def _mark(session: Session) -> str:
    count, newest = session.execute(_CLUSTERS).one()
    return f"{count} {newest}"


def let_join(session: Session, broadcast: Broadcast, now: datetime) -> list[str]:
    """They join in from the next occurrence outside the lock window on, which is logged; which those are."""
    new = joiners(session, broadcast)
    if new:
        broadcast.joined = [*broadcast.joined, *new]
        made = join(session, broadcast, new, now + LOCK_WINDOW, now)
        told = {"clusters": new, "deliveries": made}
        audit.record(session, now, "loa", "broadcast.join", broadcast.id, told)
    return new
