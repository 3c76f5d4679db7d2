"""Saved groups of clusters, which targets are made of."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.errors import Conflict, Refused
from controller.db.tables import ClusterGroup
from controller.services import audit
from controller.services.context import Context
from controller.services.revisions import revision
from controller.services.rights import Actor, Right
from controller.services.stations import clusters_in
from controller.services.targets import look_again

LONGEST_NAME = 80


def groups(session: Session, actor: Actor) -> list[ClusterGroup]:
    """Those of the actor's area, by name. Raises Refused("no_right")."""
    reach = actor.need(Right.COMPOSE).areas
    return list(
        session.scalars(select(ClusterGroup).where(ClusterGroup.area_id.in_(reach)).order_by(ClusterGroup.name))
    )


def one(session: Session, actor: Actor, group_id: str) -> ClusterGroup:
    """Raises Refused: "no_right", "not_yours"."""
    return _mine(session, actor.need(Right.COMPOSE), group_id)


def revision_of(group: ClusterGroup) -> str:
    return revision(group.name, sorted(group.clusters))


def keep(
    ctx: Context,
    actor: Actor,
    name: str,
    clusters: Sequence[str],
    area: str = "",
    group_id: str | None = None,
    seen: str | None = None,
) -> str:
    """A new group of `area` (without it, the widest that the actor writes in), or the group in its new form; its id.
    `seen`: the `revision_of` the group that was changed; without it, of whichever is the newest.

    Raises Refused: "no_right", "not_yours" (area, group or a cluster elsewhere), "group.name", "target.empty";
    Conflict("group.there") when the area has another one of that name, Conflict("group.changed") when it is not any
    more as it was seen.
    """
    actor, now = actor.need(Right.COMPOSE), ctx.clock.now()
    name = name.strip()
    if not name or len(name) > LONGEST_NAME or "\x00" in name:
        raise Refused("group.name", most=LONGEST_NAME)
    with ctx.db.write() as session:
        group = _mine(session, actor, group_id) if group_id else None
        if group is not None and seen is not None and seen != revision_of(group):
            raise Conflict("group.changed")
        home = group.area_id if group else area or actor.area
        if home not in actor.areas:
            raise Refused("not_yours")
        wanted = sorted(set(clusters))
        if not wanted:
            raise Refused("target.empty")
        if [cluster.id for cluster in clusters_in(session, actor.areas, wanted)] != wanted:
            raise Refused("not_yours")
        same = select(ClusterGroup.id).where(ClusterGroup.area_id == home, ClusterGroup.name == name)
        if session.scalar(same) not in (None, group_id):
            raise Conflict("group.there", name=name)
        if group is None:
            group = ClusterGroup(id=ctx.ids.new("g"), area_id=home)
            session.add(group)
        group.name, group.clusters, group.changed_at = name, wanted, now
        look_again(session)
        audit.record(session, now, actor.name, "group.keep", group.id, {"name": name, "clusters": wanted}, home)
        found = group.id
    ctx.wake()
    return found


def drop(ctx: Context, actor: Actor, group_id: str) -> None:
    """What was handed in with it keeps the clusters it came to. Raises Refused: "no_right", "not_yours"."""
    actor, now = actor.need(Right.COMPOSE), ctx.clock.now()
    with ctx.db.write() as session:
        group = _mine(session, actor, group_id)
        audit.record(session, now, actor.name, "group.drop", group.id, {"name": group.name}, group.area_id)
        session.delete(group)


def _mine(session: Session, actor: Actor, group_id: str) -> ClusterGroup:
    group = session.get(ClusterGroup, group_id)
    if group is None or group.area_id not in actor.areas:
        raise Refused("not_yours")
    return group
