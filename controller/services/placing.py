"""Clusters as places: put up, moved or said anew, taken down. Deliveries and logs of before stay as they are."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.errors import Conflict, Refused
from controller.db.tables import Cluster, Station
from controller.services import audit, describing, regulating, swapping, targets
from controller.services.context import Context
from controller.services.deliveries import mark_dirty
from controller.services.revisions import revision
from controller.services.rights import Actor, Right

LONGEST_NAME = 120
LATITUDES, LONGITUDES = (6.0, 24.0), (102.0, 118.0)
"""Viet Nam with its islands: who swaps the two numbers is told."""
MOST_HORNS, MOST_WATTS = 20, 200
TAKEN_DOWN = "taken_down"
"""Why a delivery of a cluster that is no more is not played."""


@dataclass(frozen=True)
class Place:
    """Degrees of WGS 84, both or neither; `horn_watts` of one horn; the rest as `describing.Description`. Watts beyond
    R-073 are kept and flagged, not refused."""

    name: str
    latitude: float | None = None
    longitude: float | None = None
    horns: int = 2
    horn_watts: int = 30
    hamlet: str = ""
    site: str = "ordinary"
    languages: tuple[str, ...] = ("vi",)
    tags: tuple[str, ...] = ()


def place_of(cluster: Cluster) -> Place:
    return Place(
        name=cluster.name,
        latitude=cluster.latitude,
        longitude=cluster.longitude,
        horns=cluster.horns,
        horn_watts=cluster.horn_watts,
        hamlet=cluster.hamlet,
        site=cluster.site,
        languages=tuple(cluster.languages),
        tags=tuple(cluster.tags),
    )


def revision_of(place: Place) -> str:
    return revision(*asdict(place).values())


def checked(told: Place) -> Place:
    """As it is kept. Raises Refused: "place.name", "place.position", "place.horns", and as `describing.checked`."""
    name = " ".join(told.name.split())
    if not 0 < len(name) <= LONGEST_NAME or not name.isprintable():
        raise Refused("place.name", most=LONGEST_NAME)
    if (told.latitude is None) != (told.longitude is None):
        raise Refused("place.position")
    for degrees, (least, most) in ((told.latitude, LATITUDES), (told.longitude, LONGITUDES)):
        if degrees is not None and not (math.isfinite(degrees) and least <= degrees <= most):
            raise Refused("place.position")
    if not 1 <= told.horns <= MOST_HORNS or not 1 <= told.horn_watts <= MOST_WATTS:
        raise Refused("place.horns", horns=MOST_HORNS, watts=MOST_WATTS)
    rest = describing.checked(describing.Description(told.languages, told.tags, told.hamlet, told.site))
    return Place(
        name=name,
        latitude=None if told.latitude is None else round(told.latitude, 6),
        longitude=None if told.longitude is None else round(told.longitude, 6),
        horns=told.horns,
        horn_watts=told.horn_watts,
        hamlet=rest.hamlet,
        site=rest.site,
        languages=rest.languages,
        tags=rest.tags,
    )


@audit.decided("cluster.put_up")
def put_up(ctx: Context, actor: Actor, station_id: str, told: Place) -> str:
    """A new pole; its id. It has no unit yet. Raises Refused: "no_right", "station.unknown", and as `checked`;
    Conflict("place.name_taken")."""
    actor, now, place = actor.need(Right.PLACES), ctx.clock.now(), checked(told)
    with ctx.db.write() as session:
        station = session.get(Station, station_id)
        if station is None or station.area_id not in actor.areas:
            raise Refused("station.unknown", station=station_id[:40])
        cluster = add(session, station, ctx.ids.new("cl"), place, now)
        audit.record(session, now, actor.name, "cluster.put_up", cluster.id, {"name": place.name}, station.area_id)
        found = cluster.id
    ctx.wake()
    return found


def add(session: Session, station: Station, name: str, place: Place, now: datetime) -> Cluster:
    """Within a transaction. Raises Conflict("place.name_taken")."""
    _name_is_free(session, station.id, place.name, None)
    cluster = Cluster(id=name, station_id=station.id, added_at=now, **_columns(place))
    session.add(cluster)
    session.flush()
    targets.look_again(session)
    return cluster


@audit.decided("cluster.alter")
def alter(ctx: Context, actor: Actor, cluster_id: str, told: Place, seen: str | None = None) -> None:
    """Put it as `told`: moved, renamed, with other horns. `seen`: `revision_of` what was changed. Raises Refused:
    "no_right", "cluster.unknown", and as `checked`; Conflict: "place.name_taken", "cluster.changed"."""
    actor, now, place = actor.need(Right.PLACES), ctx.clock.now(), checked(told)
    with ctx.db.write() as session:
        cluster, station = swapping.there(session, actor, cluster_id)
        if seen is not None and seen != revision_of(place_of(cluster)):
            raise Conflict("cluster.changed")
        changed = change(session, station, cluster, place, now)
        if changed:
            audit.record(session, now, actor.name, "cluster.alter", cluster.id, {"changed": changed}, station.area_id)
    ctx.wake()


def change(session: Session, station: Station, cluster: Cluster, place: Place, now: datetime) -> dict[str, list[Any]]:
    """Within a transaction: [before, after] of each field that is another now; volumes follow the kind of site at once
    (`describing`). Raises Conflict("place.name_taken")."""
    before, after = _columns(place_of(cluster)), _columns(place)
    changed = {name: [before[name], after[name]] for name in after if before[name] != after[name]}
    if not changed:
        return {}
    if "name" in changed:
        _name_is_free(session, station.id, place.name, cluster.id)
    for name, (_, value) in changed.items():
        setattr(cluster, name, value)
    session.flush()
    if "site" in changed:
        regulating.follow(session, station, now)
        mark_dirty(session, [cluster.id], now)
    targets.look_again(session)
    return changed


@audit.decided("cluster.take_down")
def take_down(ctx: Context, actor: Actor, cluster_id: str, *, sure: bool, why: str = "") -> None:
    """The pole is no more: its unit is free, nothing is planned there, and what was played stays told.

    Raises Refused: "no_right", "cluster.unknown", "place.confirm" (not `sure`), "swap.reason"."""
    actor, now, why = actor.need(Right.PLACES), ctx.clock.now(), swapping.reason(why)
    with ctx.db.write() as session:
        cluster, station = swapping.there(session, actor, cluster_id)
        if not sure:
            raise Refused("place.confirm")
        swapping.take_off_ahead(session, cluster.id, TAKEN_DOWN, now)
        unit = swapping.let_go(session, cluster.id, now)
        if unit is not None:
            swapping.hand_over(session, cluster.id, unit, None, now)
        cluster.removed_at = now
        session.flush()
        targets.look_again(session)
        told = {"name": cluster.name, "unit": unit or "", "why": why}
        audit.record(session, now, actor.name, "cluster.take_down", cluster.id, told, station.area_id)
    ctx.wake()


def _columns(place: Place) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(place).items()}


def _name_is_free(session: Session, station_id: str, name: str, own: str | None) -> None:
    """Two poles of one name at one station, and nobody knows which one is meant."""
    others = session.execute(
        select(Cluster.id, Cluster.name).where(Cluster.station_id == station_id, Cluster.removed_at.is_(None))
    )
    if any(row.id != own and row.name.casefold() == name.casefold() for row in others):
        raise Conflict("place.name_taken", cluster=name)
