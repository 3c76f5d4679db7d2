"""Saved groups of clusters, and what each cluster hears and is tagged with: what targets are made of."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.domain.content import MOST_LANGUAGES
from broadcasts.errors import Conflict, Refused
from controller.db.tables import Cluster, ClusterGroup, Station
from controller.services import audit
from controller.services.context import Context
from controller.services.origins import LANGUAGE
from controller.services.rights import Actor, Right
from controller.services.stations import clusters_in
from controller.services.targets import look_again

LONGEST_NAME, LONGEST_TAG, MOST_TAGS = 80, 40, 20


def groups(session: Session, actor: Actor) -> list[ClusterGroup]:
    """Those of the actor's area, by name. Raises Refused("no_right")."""
    reach = actor.need(Right.COMPOSE).areas
    return list(
        session.scalars(select(ClusterGroup).where(ClusterGroup.area_id.in_(reach)).order_by(ClusterGroup.name))
    )


def keep(
    ctx: Context, actor: Actor, name: str, clusters: Sequence[str], area: str = "", group_id: str | None = None
) -> str:
    """A new group of `area` (without it, the widest that the actor writes in), or the group in its new form; its id.

    Raises Refused: "no_right", "not_yours" (area, group or a cluster elsewhere), "group.name", "target.empty";
    Conflict("group.there") when the area has another one of that name.
    """
    actor, now = actor.need(Right.COMPOSE), ctx.clock.now()
    name = name.strip()
    if not name or len(name) > LONGEST_NAME or "\x00" in name:
        raise Refused("group.name", most=LONGEST_NAME)
    with ctx.db.write() as session:
        group = _mine(session, actor, group_id) if group_id else None
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


def set_hearing(ctx: Context, actor: Actor, cluster_id: str, languages: Sequence[str], tags: Sequence[str]) -> None:
    """What a cluster plays of each bulletin, in this order, from the next deliveries that are made; and its tags.

    Raises Refused: "no_right", "cluster.unknown", "choice.unknown" (a language), "cluster.languages" (none, twice the
    same, or too many), "cluster.tags".
    """
    actor, now = actor.need(Right.COMPOSE), ctx.clock.now()
    for language in languages:
        if not LANGUAGE.match(language):
            raise Refused("choice.unknown", name="language", value=language[:20])
    if not 0 < len(set(languages)) == len(languages) <= MOST_LANGUAGES:
        raise Refused("cluster.languages", most=MOST_LANGUAGES)
    told = sorted({tag.strip() for tag in tags if tag.strip()})
    if len(told) > MOST_TAGS or any(len(tag) > LONGEST_TAG or "\x00" in tag for tag in told):
        raise Refused("cluster.tags", most=MOST_TAGS, length=LONGEST_TAG)
    with ctx.db.write() as session:
        cluster = session.get(Cluster, cluster_id)
        home = session.get_one(Station, cluster.station_id).area_id if cluster else ""
        if cluster is None or home not in actor.areas:
            raise Refused("cluster.unknown")
        cluster.languages, cluster.tags = list(languages), told
        look_again(session)
        audit.record(
            session, now, actor.name, "cluster.hearing", cluster.id, {"languages": list(languages), "tags": told}, home
        )
    ctx.wake()
