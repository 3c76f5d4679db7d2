"""What sounded beside the plans, as lines of the table of what was played: emergencies, drills as such, live voices."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from broadcasts.domain.content import Origin, TypeCode
from broadcasts.domain.model import Priority
from broadcasts.domain.tally import Finding, Mark
from controller.db.tables import (
    AlertConfirmation,
    Area,
    Cluster,
    Drill,
    DrillBefore,
    DrillReach,
    Emergency,
    EmergencyReach,
    LiveSession,
    ReachBefore,
    Station,
    User,
)
from controller.services import alert_tally, drill_tally
from controller.services.alert_words import UNHEARD
from controller.services.views.playing import Kind, Playing, ms
from controller.services.views.voices import poles_of


@dataclass(frozen=True)
class Where:
    """`places`: ids of areas. What should have begun in [begin, end) counts."""

    places: Collection[str]
    begin: datetime
    end: datetime


def instants(session: Session, where: Where) -> list[tuple[datetime, int]]:
    """When something of it should have begun, and how many lines it is; in no order."""
    acts = session.scalars(_emergencies(where)).all()
    drills = session.scalars(_drills(where)).all()
    voices = session.scalars(_voices(where)).all()
    here = _clusters(session, where, [name for row in voices for name in row.clusters])
    alerted = _count(session, where, EmergencyReach.emergency_id, [row.id for row in acts])
    drilled = _count(session, where, DrillReach.drill_id, [row.id for row in drills])
    found = [(row.release_at, alerted.get(row.id, 0)) for row in acts]
    found += [(row.starts_at, drilled.get(row.id, 0)) for row in drills]
    found += [(row.begun_at or row.begins_at, sum(name in here for name in row.clusters)) for row in voices]
    return [(at, number) for at, number in found if number]


def unplanned(session: Session, where: Where, now: datetime) -> list[Playing]:
    """In no order. Of what a unit told that was swapped meanwhile a line more stands here than `instants` counts."""
    acts = session.scalars(_emergencies(where)).all()
    drills = session.scalars(_drills(where)).all()
    voices = session.scalars(_voices(where)).all()
    here = _clusters(session, where, [name for row in voices for name in row.clusters])
    names = _people(session, [*(row.issued_by for row in acts), *(row.asked_by for row in drills)])
    names |= _people(session, [row.decided_by for row in drills])
    found: list[Playing] = []
    for act in acts:
        told = alert_tally.tally(session, act.id, now).lines
        marks = {line.cluster: line.found for line in told}
        about = _of_emergency(session, act, names)
        mine = EmergencyReach.emergency_id == act.id
        found += _at_clusters(session, where, EmergencyReach, mine, marks, about)
        before = {line.cluster: _best(line.before) for line in told if line.before}
        if any(mark.mark is not Mark.NOT_REACHED for mark in before.values()):
            found += [
                line
                for line in _at_clusters(session, where, ReachBefore, ReachBefore.emergency_id == act.id, before, about)
                if line.started is not None
            ]
    for drill in drills:
        exercised = drill_tally.tally(session, drill.id, now)
        marks = {line.cluster: line.found for line in exercised}
        about = _of_drill(drill, names)
        found += _at_clusters(session, where, DrillReach, DrillReach.drill_id == drill.id, marks, about)
        gone = {each.cluster: _best(each.before) for each in exercised if each.before}
        if any(mark.mark is not Mark.NOT_REACHED for mark in gone.values()):
            found += [
                each
                for each in _at_clusters(session, where, DrillBefore, DrillBefore.drill_id == drill.id, gone, about)
                if each.started is not None
            ]
    for row in voices:
        found += _spoken(session, row, here, now)
    return found


def _emergencies(where: Where) -> Select[Emergency]:
    """Nobody outside has heard of those that were cancelled while they waited."""
    return select(Emergency).where(
        Emergency.release_at >= where.begin, Emergency.release_at < where.end, Emergency.state.not_in(UNHEARD)
    )


def _drills(where: Where) -> Select[Drill]:
    begun = Drill.ended_at.is_(None) | (Drill.ended_at > Drill.starts_at)
    return select(Drill).where(
        Drill.issued_at.is_not(None), begun, Drill.starts_at >= where.begin, Drill.starts_at < where.end
    )


def _voices(where: Where) -> Select[LiveSession]:
    return select(LiveSession).where(LiveSession.begun_at >= where.begin, LiveSession.begun_at < where.end)


def _count(session: Session, where: Where, key: InstrumentedAttribute[str], acts: Collection[str]) -> Mapping[str, int]:
    """Lines by act."""
    reach = key.class_
    rows = (
        select(key, func.count())
        .select_from(reach)
        .join(Cluster, reach.cluster_id == Cluster.id)
        .join(Station, Cluster.station_id == Station.id)
        .where(key.in_(acts), Station.area_id.in_(where.places))
        .group_by(key)
    )
    return {row[0]: row[1] for row in session.execute(rows)} if acts else {}


def _clusters(session: Session, where: Where, wanted: Iterable[str]) -> dict[str, str]:
    """Those that stand in the places, with the name of their commune."""
    rows = session.execute(
        select(Cluster.id, Area.name)
        .join(Station, Cluster.station_id == Station.id)
        .join(Area, Station.area_id == Area.id)
        .where(Cluster.id.in_(set(wanted)), Station.area_id.in_(where.places))
    )
    return {row[0]: row[1] for row in rows}


def _people(session: Session, accounts: Iterable[str]) -> dict[str, str]:
    rows = session.execute(select(User.name, User.full_name).where(User.name.in_(set(accounts))))
    return {row[0]: row[1] for row in rows}


def _of_emergency(session: Session, act: Emergency, names: Mapping[str, str]) -> dict[str, Any]:
    confirmed = session.scalar(
        select(User.full_name)
        .join(AlertConfirmation, AlertConfirmation.by_id == User.id)
        .where(AlertConfirmation.alert_id == act.id, AlertConfirmation.right)
    )
    return {
        "kind": Kind.ALERT,
        "bulletin": act.id,
        "title": act.reason,
        "priority": int(Priority.EMERGENCY),
        "alert_kind": act.kind,
        "language": _languages(act.content),
        "author": names.get(act.issued_by, act.issued_by),
        "approver": confirmed or "",
        "planned": act.release_at,
        "volume": act.volume,
        "state": act.state,
    }


def _of_drill(drill: Drill, names: Mapping[str, str]) -> dict[str, Any]:
    return {
        "kind": Kind.SILENT_DRILL if drill.silent else Kind.DRILL,
        "bulletin": drill.id,
        "title": drill.reason,
        "priority": None,
        "alert_kind": drill.kind,
        "language": _languages(drill.content),
        "author": names.get(drill.asked_by, drill.asked_by),
        "approver": names.get(drill.decided_by, drill.decided_by),
        "planned": drill.starts_at,
        "volume": None if drill.silent else drill.volume,
        "state": drill.state,
    }


def _languages(content: Collection[Collection[str]]) -> str:
    return ",".join(dict.fromkeys(str(next(iter(each))) for each in content))


def _at_clusters(
    session: Session,
    where: Where,
    reach: type[EmergencyReach | ReachBefore | DrillReach | DrillBefore],
    mine: ColumnElement[bool],
    marks: Mapping[str, Finding],
    about: Mapping[str, Any],
) -> list[Playing]:
    wanted: Any = (
        select(reach, Cluster, Area.name)
        .join(Cluster, reach.cluster_id == Cluster.id)
        .join(Station, Cluster.station_id == Station.id)
        .join(Area, Station.area_id == Area.id)
        .where(mine, Station.area_id.in_(where.places))
    )
    found = []
    for each, cluster, commune in session.execute(wanted):
        row: EmergencyReach | ReachBefore | DrillReach | DrillBefore = each
        mark = marks[cluster.id]
        length = row.ended_at - row.sounded_at if row.sounded_at is not None and row.ended_at is not None else None
        told: dict[str, Any] = {
            "type": TypeCode.SOUND,
            "started": row.sounded_at,
            "length_ms": None if length is None else max(0, ms(length)),
            "verdict": str(mark.mark),
            "reason": str(mark.why) if mark.why is not None else mark.detail or None,
        }
        found.append(Playing(**_place(cluster, commune), **NOTHING, **about, **told))
    return found


def _best(before: Iterable[ReachBefore | DrillBefore]) -> Finding:
    """Of units that were swapped while it stood: what the villagers had of them."""
    marks = [
        Mark.NOT_REACHED if row.sounded_at is None
        else Mark.HEARD if row.heard
        else Mark.MUTE if row.heard is False
        else Mark.SOUNDED
        for row in before
    ]  # fmt: skip
    return Finding(min(marks, key=list(Mark).index))


def _spoken(session: Session, row: LiveSession, here: Mapping[str, str], now: datetime) -> list[Playing]:
    poles, _ = poles_of(session, row, now)
    speaker = session.get_one(User, row.speaker_id).full_name
    said_yes = row.confirmed_by_id if row.priority == Priority.EMERGENCY else row.decided_by_id
    approver = session.get_one(User, said_yes).full_name if said_yes is not None else ""
    return [
        Playing(
            **_place(pole.cluster, here[pole.cluster.id]),
            **NOTHING,
            kind=Kind.LIVE,
            bulletin=row.id,
            title=row.reason,
            type=TypeCode.LIVE,
            priority=row.priority,
            alert_kind=row.kind,
            language="",
            author=speaker,
            approver=approver if row.confirmed_right is not False else "",
            planned=row.begun_at or row.begins_at,
            started=pole.from_,
            length_ms=pole.played_ms or None,
            volume=None,
            state=row.state,
            verdict=pole.state,
            reason=pole.why or None,
        )
        for pole in poles
        if pole.cluster.id in here
    ]


NOTHING: dict[str, Any] = {
    "delivery": "",
    "field": None,
    "origin": str(Origin.OWN),
    "source": "",
    "coverage": None,
    "relay": "",
}
"""What all of these have in common."""


def _place(cluster: Cluster, commune: str) -> dict[str, Any]:
    return {
        "commune": commune,
        "hamlet": cluster.hamlet,
        "cluster": cluster.name,
        "watts": cluster.horns * cluster.horn_watts,
    }
