"""Drills that are asked for, or stand, while a cluster gets another unit: they are for the place too.

A drill stays in the lists that carry it: one that moved into another list would be over for who was in the middle of
it, and is never begun again. So the lists that named the box that went name the one that came.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from controller.db.tables import Cluster, Drill, DrillReach, Station
from controller.services import alert_reach, drill_lists
from controller.services.drilling import ASKED, ISSUED
from controller.services.stations import lines
from controller.services.swapped_alerts import other_box

_Places = list[list[Any]]


def follow(session: Session, cluster_id: str, old: str | None, new: str | None, now: datetime) -> None:
    """In the transaction of the swap: what is asked for will name whoever hangs there when it is approved; what stands
    names `new` from now on, and what `old` told of it stays its own (`DrillBefore`)."""
    rows = session.execute(
        select(DrillReach, Drill)
        .join(Drill, DrillReach.drill_id == Drill.id)
        .where(DrillReach.cluster_id == cluster_id)
        .where(Drill.state.in_((ASKED, ISSUED)), Drill.hard_end > now)
        .order_by(Drill.id)
    ).all()
    for reach, drill in rows:
        if drill.state == ASKED:
            reach.unit_id = new
            session.flush()
            _named_when_approved(session, drill)
            continue
        other_box(session, reach, new, now)
        left = _without(drill.places, old) if old is not None else drill.places
        there = left if new is None else _with(left, new, *_follows(session, cluster_id, new))
        scopes = {place[0] for place in [*drill.places, *there] if place not in drill.places or place not in there}
        drill.places = there
        for scope in sorted(scopes):
            drill_lists.intend(session, scope, now)


def _named_when_approved(session: Session, drill: Drill) -> None:
    meant = session.scalars(select(DrillReach.cluster_id).where(DrillReach.drill_id == drill.id)).all()
    drill.places = [place.stored for place in alert_reach.of_clusters(session, meant, drill.areas).scopes]


def _follows(session: Session, cluster_id: str, unit: str) -> tuple[str, set[str]]:
    """The station's scope, and every scope whose lists the unit follows."""
    scope, area = session.execute(
        select(Station.scope, Station.area_id)
        .join(Cluster, Cluster.station_id == Station.id)
        .where(Cluster.id == cluster_id)
    ).one()
    return scope, {unit, scope, *lines(session, [area])[area]}


def _without(places: _Places, old: str) -> _Places:
    """A list that would name nobody is dropped: nobody at all is not everybody."""
    left = [
        [scope, units if units is None else [each for each in units if each != old]]
        for scope, units in places
        if scope != old
    ]
    return [place for place in left if place[1] is None or place[1]]


def _with(places: _Places, new: str, station: str, follows: set[str]) -> _Places:
    """In the list of its commune where that names units, else in its own; nothing where a list for all has it."""
    if any(units is None and scope in follows for scope, units in places):
        return places
    if any(scope == station for scope, _ in places):
        return [[scope, sorted({*units, new}) if scope == station else units] for scope, units in places]
    return [*places, [new, None]]
