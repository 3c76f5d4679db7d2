"""An all-clear, or a newer warning, takes older ones back where it is heard: in the same publication, and there alone.

Where an older alert goes on elsewhere it keeps its id, so that no unit begins it anew: it only moves into the narrower
lists of the places that are left (R-064).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from broadcasts.errors import Refused
from broadcasts.wire.alert import AlertKind
from controller.db.tables import Emergency, EmergencyReach, StandingAlert
from controller.services import alert_lists, alert_reach, alerting, audit
from controller.services.alert_calls import Call
from controller.services.alert_reach import Reach
from controller.services.alerting import ISSUED, whose
from controller.services.rights import Actor


def chosen(session: Session, actor: Actor, call: Call, clusters: Collection[str], now: datetime) -> list[str]:
    """Which alerts the call takes back: those it names, and of an all-clear that names none all that its clusters hear
    and that are the actor's to silence. Raises Refused("not_yours")."""
    if call.ends:
        named = [session.get(Emergency, name) for name in call.ends]
        if any(each is None or not whose(each, actor) for each in named):
            raise Refused("not_yours")
        return list(call.ends)
    if call.kind != AlertKind.ALL_CLEAR:
        return []
    hears = select(EmergencyReach.emergency_id).where(
        EmergencyReach.cluster_id.in_(clusters), EmergencyReach.silenced_at.is_(None)
    )
    rows = session.scalars(
        select(Emergency)
        .where(Emergency.state == ISSUED, Emergency.hard_end > now, Emergency.id.in_(hears))
        .order_by(Emergency.id)
    )
    return [row.id for row in rows if whose(row, actor)]


def take_back(session: Session, act: Emergency, now: datetime) -> list[str]:
    """Take `act.ends` off the lists of the clusters that `act` reaches; whose lists have to be signed."""
    clusters = set(reach_of(session, act.id))
    scopes: list[str] = []
    for name in act.ends:
        older = session.get(Emergency, name)
        if older is None or older.state != ISSUED:
            continue
        scopes += _narrow(session, older, clusters, act, now)
        audit.record(session, now, act.issued_by, "alert.end", older.id, {"by": act.id}, "")
    return list(dict.fromkeys(scopes))


def _narrow(
    session: Session, older: Emergency, clusters: Collection[str], act: Emergency, now: datetime
) -> Sequence[str]:
    rows = session.scalars(
        select(StandingAlert).where(StandingAlert.id == older.id, StandingAlert.silenced_at.is_(None))
    ).all()
    reached = set(reach_of(session, older.id, standing=True))
    left = reached - set(clusters)
    if not left:
        return alerting.take_off(session, rows, act.issued_by, now, [older.id])
    session.execute(
        update(EmergencyReach)
        .where(EmergencyReach.emergency_id == older.id, EmergencyReach.cluster_id.in_(reached & set(clusters)))
        .values(silenced_at=now)
    )
    reach = alert_reach.of_clusters(session, left, older.areas)
    by_scope = {row.scope: row for row in rows}
    stays = {place.scope for place in reach.scopes}
    sources = _sources(reach, by_scope)
    touched: list[str] = []
    for place in reach.scopes:
        target = "all" if place.units is None else list(place.units)
        source = sources.get(place.scope)
        if source is None or (source.scope == place.scope and source.entry["target"] == target):
            continue
        row = by_scope.get(place.scope) or session.get(StandingAlert, (older.id, place.scope))
        if row is None:
            row = StandingAlert(id=older.id, scope=place.scope, issued_by=older.issued_by)
            session.add(row)
        row.entry = source.entry | {"target": target}
        row.issued_at, row.hard_end = source.issued_at, source.hard_end
        row.silenced_at, row.silenced_by, row.version, row.gone_version = None, None, None, None
        touched.append(place.scope)
        alert_lists.intend(session, place.scope, now)
    older.places = [place.stored for place in reach.scopes]
    gone = alerting.take_off(session, [row for row in rows if row.scope not in stays], act.issued_by, now)
    return [*touched, *gone]


def _sources(reach: Reach, rows: Mapping[str, StandingAlert]) -> dict[str, StandingAlert]:
    """By list, the entry whose words its poles hear now: that of the narrowest list that carries it for them."""
    found: dict[str, StandingAlert] = {}
    for pole in reach.poles:
        follows = [scope for scope in (pole.unit, pole.scope, pole.root) if scope is not None]
        heard = next((rows[scope] for scope in follows if scope in rows), None)
        if heard is not None:
            found = dict.fromkeys(follows, heard) | found
    return found


def reach_of(session: Session, name: str, *, standing: bool = False) -> Sequence[str]:
    query = select(EmergencyReach.cluster_id).where(EmergencyReach.emergency_id == name)
    return session.scalars(query.where(EmergencyReach.silenced_at.is_(None)) if standing else query).all()
