"""What a cluster is and what it hears: its languages in order, its tags, its hamlet, its kind of site."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from broadcasts.domain.content import MOST_LANGUAGES
from broadcasts.domain.delivery import OPEN
from broadcasts.errors import Conflict, Refused
from controller.db.tables import Cluster, Delivery, Station
from controller.services import audit, regulating
from controller.services.context import Context
from controller.services.deliveries import mark_dirty
from controller.services.origins import LANGUAGE
from controller.services.revisions import revision
from controller.services.rights import Actor, Right
from controller.services.stations import SITES
from controller.services.targets import look_again

LONGEST_TAG, MOST_TAGS, LONGEST_HAMLET = 40, 20, 120


@dataclass(frozen=True)
class Description:
    """Languages as ISO 639 codes, in the order in which they are played; `site` one of `stations.SITES`."""

    languages: tuple[str, ...]
    tags: tuple[str, ...] = ()
    hamlet: str = ""
    site: str = SITES[0]


def described(cluster: Cluster) -> Description:
    return Description(tuple(cluster.languages), tuple(cluster.tags), cluster.hamlet, cluster.site)


def revision_of(cluster: Cluster) -> str:
    had = described(cluster)
    return revision(had.languages, had.tags, had.hamlet, had.site)


def look(ctx: Context, actor: Actor, cluster_id: str) -> tuple[Description, str]:
    """What it says now, with its revision. Raises Refused: "no_right", "cluster.unknown"."""
    actor = actor.need(Right.LOOK)
    with ctx.db.read() as session:
        cluster = _there(session, actor, cluster_id)[0]
        return described(cluster), revision_of(cluster)


@audit.decided("cluster.describe")
def describe(ctx: Context, actor: Actor, cluster_id: str, told: Description, seen: str | None = None) -> None:
    """Put it as `told`: languages hold for the deliveries that are made from now on, volumes follow the kind of site at
    once, for all that has not begun. Who writes there says what is heard; hamlet and kind of site take Right.PLACES.

    `seen`: the revision that was changed; without it, whichever is the newest. Raises Refused: "no_right",
    "cluster.unknown", "choice.unknown" (a language), "cluster.languages" (none, twice the same, or too many),
    "cluster.tags", "cluster.hamlet", "regulation.site"; Conflict("cluster.changed") when it is not any more as it was
    seen.
    """
    _describe(ctx, actor, cluster_id, told, lambda _, ours: ours, seen)


@audit.decided("cluster.describe")
def set_hearing(
    ctx: Context, actor: Actor, cluster_id: str, languages: Sequence[str], tags: Sequence[str], seen: str | None = None
) -> None:
    """`describe` that leaves hamlet and kind of site as they are."""
    told = Description(tuple(languages), tuple(tags))
    _describe(
        *(ctx, actor, cluster_id, told),
        over=lambda had, ours: replace(had, languages=ours.languages, tags=ours.tags),
        seen=seen,
    )


def _describe(
    ctx: Context,
    actor: Actor,
    cluster_id: str,
    wanted: Description,
    over: Callable[[Description, Description], Description],
    seen: str | None,
) -> None:
    """`over`: what was there and what is wanted, to what it becomes."""
    writer, now = actor.need(Right.COMPOSE, Right.PLACES), ctx.clock.now()
    ours = checked(wanted)
    with ctx.db.write() as session:
        cluster, station = _there(session, writer, cluster_id)
        if seen is not None and seen != revision_of(cluster):
            raise Conflict("cluster.changed")
        had = described(cluster)
        told = over(had, ours)
        if (told.hamlet, told.site) != (had.hamlet, had.site) and station.area_id not in actor.within(Right.PLACES):
            raise Refused("no_right", right=Right.PLACES)
        if told == had:
            return
        cluster.languages, cluster.tags = list(told.languages), list(told.tags)
        cluster.hamlet, cluster.site = told.hamlet, told.site
        session.flush()
        if told.site != had.site:
            regulating.follow(session, station, now)
            mark_dirty(session, [cluster.id], now)
        look_again(session)
        changed = {
            name: [_plain(getattr(had, name)), _plain(getattr(told, name))]
            for name in ("languages", "tags", "hamlet", "site")
            if getattr(had, name) != getattr(told, name)
        }
        audit.record(session, now, actor.name, "cluster.describe", cluster.id, {"changed": changed}, station.area_id)
    ctx.wake()


def _there(session: Session, actor: Actor, cluster_id: str) -> tuple[Cluster, Station]:
    cluster = session.get(Cluster, cluster_id)
    station = session.get_one(Station, cluster.station_id) if cluster else None
    if cluster is None or station is None or station.area_id not in actor.areas:
        raise Refused("cluster.unknown", name=cluster_id[:40])
    return cluster, station


def checked(told: Description) -> Description:
    """As it is kept. Raises as `describe`."""
    for language in told.languages:
        if not LANGUAGE.match(language):
            raise Refused("choice.unknown", name="language", value=language[:20])
    if not 0 < len(set(told.languages)) == len(told.languages) <= MOST_LANGUAGES:
        raise Refused("cluster.languages", most=MOST_LANGUAGES)
    tags = tuple(sorted({tag.strip() for tag in told.tags if tag.strip()}))
    if len(tags) > MOST_TAGS or any(len(tag) > LONGEST_TAG or "," in tag or not tag.isprintable() for tag in tags):
        raise Refused("cluster.tags", most=MOST_TAGS, length=LONGEST_TAG)
    hamlet = told.hamlet.strip()
    if len(hamlet) > LONGEST_HAMLET or not hamlet.isprintable():
        raise Refused("cluster.hamlet", most=LONGEST_HAMLET)
    if told.site not in SITES:
        raise Refused("regulation.site")
    return Description(tuple(told.languages), tags, hamlet, told.site)


def planned_until(session: Session, cluster_id: str, now: datetime) -> datetime | None:
    """The last start that is laid out already, in the languages of before; none: nothing is."""
    ahead = select(func.max(Delivery.start)).where(
        Delivery.cluster_id == cluster_id, Delivery.start > now, Delivery.state.in_([str(state) for state in OPEN])
    )
    return session.scalar(ahead)


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
