"""Emergencies that stand while a cluster gets another unit: they are for the place, not for the box."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from broadcasts.errors import Refused
from broadcasts.wire.alert import AlertKind
from controller.db.tables import (
    Cluster,
    DrillBefore,
    DrillReach,
    Emergency,
    EmergencyReach,
    ReachBefore,
    StandingAlert,
    Station,
)
from controller.services import alert_lists, alert_reach, alerting, emergency_set
from controller.services.alert_reach import Place
from controller.services.alerting import ISSUED, WAITING, Entry
from controller.services.stations import lines

_LOG = logging.getLogger("loa.alerting")
OURS = "loa"
"""Who took an alert off the list of a box that went: nobody who meant silence."""
TOLD = ("sounded_at", "ended_at", "heard", "skipped")
"""What a box tells of an alert, or of a drill."""


def follow(session: Session, cluster_id: str, old: str | None, new: str | None, now: datetime) -> None:
    """In the transaction of the swap: lists that name `old` name `new`, of which the emergency is expected from now
    on. What the one before told, or still will, of the time until now stays its own (`ReachBefore`). What waits for
    its release will name whoever hangs there then."""
    if old is not None:
        _in_lists(session, old, new, now)
    elif new is not None:
        _joins(session, cluster_id, new, now)
    rows = session.execute(
        select(EmergencyReach, Emergency)
        .join(Emergency, EmergencyReach.emergency_id == Emergency.id)
        .where(EmergencyReach.cluster_id == cluster_id, EmergencyReach.silenced_at.is_(None))
        .where(Emergency.state.in_((WAITING, ISSUED)), Emergency.hard_end > now)
        .order_by(Emergency.id)
    ).all()
    for reach, act in rows:
        if act.state == WAITING:
            reach.unit_id = new
            _named_when_released(session, act)
        else:
            other_box(session, reach, new, now)


def _named_when_released(session: Session, act: Emergency) -> None:
    """The lists that cover its poles as they are equipped now."""
    meant = select(EmergencyReach.cluster_id).where(EmergencyReach.emergency_id == act.id)
    reach = alert_reach.of_clusters(session, session.scalars(meant).all(), act.areas)
    act.places = [place.stored for place in reach.scopes]


def other_box(session: Session, row: EmergencyReach | DrillReach, new: str | None, now: datetime) -> None:
    """From now on it is expected of `new`; what the one before told is put aside with its name. One that comes back,
    because it was taken off by mistake, goes on with what it told before."""
    kind: Any = ReachBefore if isinstance(row, EmergencyReach) else DrillBefore
    act = {"emergency_id": row.emergency_id} if isinstance(row, EmergencyReach) else {"drill_id": row.drill_id}
    pole = act | {"cluster_id": row.cluster_id}
    back: ReachBefore | DrillBefore | None = None if new is None else session.get(kind, pole | {"unit_id": new})
    if row.unit_id is not None:
        told = {name: getattr(row, name) for name in ("since", *TOLD)}
        session.add(kind(**pole, unit_id=row.unit_id, until=now, **told))
    row.unit_id = new
    if back is None:
        row.since, row.sounded_at, row.ended_at, row.heard, row.skipped = now, None, None, None, ""
        return
    row.since, row.sounded_at, row.ended_at = back.since, back.sounded_at, back.ended_at
    row.heard, row.skipped = back.heard, back.skipped
    session.delete(back)


def _joins(session: Session, cluster_id: str, new: str, now: datetime) -> None:
    """Nothing hung there when it was sounded, so a list that names units does not name this one: the list of the
    cluster's own scope does from now on, or where none of its others was meant, the unit's own."""
    scope, area = session.execute(
        select(Station.scope, Station.area_id)
        .join(Cluster, Cluster.station_id == Station.id)
        .where(Cluster.id == cluster_id)
    ).one()
    follows = {new, scope, *lines(session, [area])[area]}
    meant = select(EmergencyReach.emergency_id).where(
        EmergencyReach.cluster_id == cluster_id, EmergencyReach.silenced_at.is_(None)
    )
    rows = session.scalars(
        select(StandingAlert)
        .where(StandingAlert.id.in_(meant), StandingAlert.silenced_at.is_(None), StandingAlert.hard_end > now)
        .order_by(StandingAlert.id, StandingAlert.scope)
    ).all()
    by_alert: dict[str, dict[str, StandingAlert]] = {}
    for row in rows:
        by_alert.setdefault(row.id, {})[row.scope] = row
    for name, lists in by_alert.items():
        if any(row.entry["target"] == "all" for place, row in lists.items() if place in follows):
            continue
        place = _named_too(session, lists, scope, new, now)
        emergency = session.get(Emergency, name)
        if emergency is not None:
            emergency.places = [*(each for each in emergency.places if each[0] != place[0]), place]
    for row in _left_behind(session, cluster_id, now):
        _carry(session, row, new, now)
        emergency = session.get_one(Emergency, row.id)
        emergency.places = [*(each for each in emergency.places if each[0] not in (row.scope, new)), [new, None]]
    for act in _never_said(session, cluster_id, now):
        content = [(language, sha256) for language, sha256 in act.content]
        try:
            with session.begin_nested():
                content = content or emergency_set.content_for(session, new, AlertKind(act.kind))
                alerting.put_out(session, act, [Entry(Place(new), content)], now)
        except Refused as refused:  # a box is hung all the same
            _LOG.warning("the emergency %s reaches not the new unit %s: %s", act.id, new, refused.key)
            continue
        act.places = [[new, None]]


def _never_said(session: Session, cluster_id: str, now: datetime) -> list[Emergency]:
    """Emergencies that stand, are meant for this pole, and came into no list at all: nothing hung there."""
    meant = select(EmergencyReach.emergency_id).where(
        EmergencyReach.cluster_id == cluster_id, EmergencyReach.silenced_at.is_(None)
    )
    rows = session.scalars(
        select(Emergency)
        .where(Emergency.id.in_(session.scalars(meant).all()), Emergency.state == ISSUED, Emergency.hard_end > now)
        .where(~exists().where(StandingAlert.id == Emergency.id))
        .order_by(Emergency.id)
    )
    return list(rows)


def _left_behind(session: Session, cluster_id: str, now: datetime) -> list[StandingAlert]:
    """Of emergencies for this pole alone that nobody has taken back: the list of the box that was here, and went."""
    nowhere = ~exists().where(StandingAlert.id == Emergency.id, StandingAlert.silenced_at.is_(None))
    meant = (
        select(Emergency.id)
        .join(EmergencyReach, EmergencyReach.emergency_id == Emergency.id)
        .where(EmergencyReach.cluster_id == cluster_id, EmergencyReach.silenced_at.is_(None))
        .where(Emergency.state == ISSUED, Emergency.hard_end > now, nowhere)
    )
    rows = session.scalars(
        select(StandingAlert)
        .where(StandingAlert.id.in_(session.scalars(meant).all()), StandingAlert.silenced_by == OURS)
        .order_by(StandingAlert.id, StandingAlert.silenced_at)
    )
    return list({row.id: row for row in rows}.values())


def _carry(session: Session, like: StandingAlert, unit: str, now: datetime) -> None:
    """The unit's own list names it from now on, also where it did before: the box was away and is back."""
    row = session.get(StandingAlert, (like.id, unit))
    if row is None:
        row = StandingAlert(id=like.id, scope=unit)
        session.add(row)
    row.entry = like.entry | {"target": "all"}
    row.issued_at, row.hard_end, row.issued_by = like.issued_at, like.hard_end, like.issued_by
    row.silenced_at, row.silenced_by, row.version, row.gone_version = None, None, None, None
    session.flush()
    alert_lists.intend(session, unit, now)


def _named_too(session: Session, lists: dict[str, StandingAlert], scope: str, new: str, now: datetime) -> list[Any]:
    """The place that carries the alert to the unit now."""
    own = lists.get(scope)
    if own is not None:
        units = sorted({*own.entry["target"], new})
        own.entry = own.entry | {"target": units}
        alert_lists.intend(session, scope, now)
        return [scope, units]
    _carry(session, next(iter(lists.values())), new, now)
    return [new, None]


def _in_lists(session: Session, old: str, new: str | None, now: datetime) -> None:
    rows = session.scalars(
        select(StandingAlert).where(StandingAlert.silenced_at.is_(None), StandingAlert.hard_end > now)
    ).all()
    for row in rows:
        if row.scope == old:
            _own_list(session, row, old, new, now)
        elif isinstance(row.entry["target"], list) and old in row.entry["target"]:
            row.entry = row.entry | {"target": _named(row.entry["target"], old, new)}
            alert_lists.intend(session, row.scope, now)
        else:
            continue
        emergency = session.get(Emergency, row.id)
        if emergency is not None:
            emergency.places = [_place(each, old, new) for each in emergency.places]


def _own_list(session: Session, row: StandingAlert, old: str, new: str | None, now: datetime) -> None:
    if new is not None:
        _carry(session, row, new, now)
    row.silenced_at, row.silenced_by = now, OURS
    alert_lists.intend(session, old, now)


def _named(units: list[str], old: str, new: str | None) -> list[str]:
    """Nobody at all is not everybody: a list that would be left empty goes on naming the box that went."""
    left = sorted({*(each for each in units if each != old), *([new] if new is not None else [])})
    return left or units


def _place(place: list[Any], old: str, new: str | None) -> list[Any]:
    scope, units = place
    if scope == old and new is not None:
        return [new, units]
    return [scope, _named(units, old, new) if units and old in units else units]
