"""Faults as a technician needs them: which pole, since when, why, what to bring; the most urgent first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.domain.ear import Answer
from broadcasts.domain.fault_classes import CLASSES, Code, FaultClass, Question, severity
from broadcasts.domain.fault_life import OPEN, State, moves_from
from broadcasts.domain.fault_memory import FLAPPING, load
from broadcasts.domain.health import Limits, Told, answers
from controller.db.tables import Area, Assignment, Cluster, FaultCase, FaultMove, PlannedWork, Station, UnitHealth
from controller.services import fault_cases
from controller.services.fault_acts import mine
from controller.services.health_seeing import Place, gather
from controller.services.rights import Actor, Right

FILTERS = ("open", "new", "acknowledged", "in_repair", "resolved", "all")
MOST = 500


@dataclass(frozen=True)
class FaultLine:
    case: FaultCase
    name: str
    """Of the cluster, or of the area of a group."""
    station: str
    clusters: int
    silenced: bool

    @property
    def kind(self) -> FaultClass:
        return CLASSES[Code(self.case.code)]

    @property
    def flapping(self) -> bool:
        return self.case.returns >= FLAPPING


@dataclass(frozen=True)
class WorkLine:
    work: PlannedWork
    name: str


@dataclass(frozen=True)
class FaultPage:
    line: FaultLine
    moves: Sequence[FaultMove]
    members: Sequence[FaultLine]
    previous: FaultCase | None
    next_states: Sequence[State]
    may_act: bool


def lines(session: Session, actor: Actor, now: datetime, chosen: str = "open") -> list[FaultLine]:
    """Of the actor's area: by urgency, then the longest first. Members of a group stand with it."""
    actor = actor.need(Right.HEALTH)
    states = {"open": [*OPEN], "all": [*State]}.get(chosen) or [State(chosen)]
    wanted = (
        select(FaultCase)
        .where(
            FaultCase.area_id.in_(actor.areas), FaultCase.group_id.is_(None),
            FaultCase.state.in_([str(state) for state in states]),
        )
        .order_by(FaultCase.raised_at.desc())
        .limit(MOST)
    )  # fmt: skip
    found = _lines(session, session.scalars(wanted).all(), now)
    return sorted(found, key=lambda line: (severity(line.case.code), -line.clusters, line.case.since, line.case.id))


def _lines(session: Session, cases: Sequence[FaultCase], now: datetime) -> list[FaultLine]:
    names = _names(session, cases)
    found = []
    for case in cases:
        name, station = names.get(case.cluster_id or case.area_id, ("", ""))
        count = int(case.detail) if case.cluster_id is None and case.detail.isdecimal() else 1
        silenced = case.silenced_until is not None and case.silenced_until > now
        found.append(FaultLine(case, name, station, count, silenced))
    return found


def _names(session: Session, cases: Sequence[FaultCase]) -> Mapping[str, tuple[str, str]]:
    clusters = {case.cluster_id for case in cases if case.cluster_id is not None}
    named = select(Cluster.id, Cluster.name, Station.name).join(Station, Station.id == Cluster.station_id)
    found = {row[0]: (row[1], row[2]) for row in session.execute(named.where(Cluster.id.in_(clusters)))}
    areas = {case.area_id for case in cases if case.cluster_id is None}
    return found | {
        row[0]: (row[1], "") for row in session.execute(select(Area.id, Area.name).where(Area.id.in_(areas)))
    }


def one(session: Session, actor: Actor, name: str, now: datetime) -> FaultPage:
    """Raises Refused("no_right", "not_yours")."""
    actor = actor.need(Right.HEALTH)
    case = mine(session, actor, name)
    whole = fault_cases.members(session, case.id) if case.cluster_id is None else []
    moves = session.scalars(select(FaultMove).where(FaultMove.fault_id == case.id).order_by(FaultMove.id)).all()
    may = case.area_id in actor.within(Right.COMMAND) and case.group_id is None
    return FaultPage(
        line=_lines(session, [case], now)[0],
        moves=moves,
        members=_lines(session, whole, now),
        previous=session.get(FaultCase, case.previous_id) if case.previous_id else None,
        next_states=moves_from(State(case.state)),
        may_act=may,
    )


def works(session: Session, actor: Actor, now: datetime) -> list[WorkLine]:
    """Planned or under way in the actor's area."""
    actor = actor.need(Right.HEALTH)
    wanted = select(PlannedWork).where(PlannedWork.area_id.in_(actor.areas), PlannedWork.ends > now)
    found = session.scalars(wanted.order_by(PlannedWork.begins)).all()
    clusters = {row[0]: row[1] for row in session.execute(
        select(Cluster.id, Cluster.name).where(Cluster.id.in_([work.cluster_id for work in found]))
    )}  # fmt: skip
    areas = {row[0]: row[1] for row in session.execute(
        select(Area.id, Area.name).where(Area.id.in_([work.area_id for work in found]))
    )}  # fmt: skip
    return [WorkLine(work, clusters.get(work.cluster_id or "") or areas.get(work.area_id, "")) for work in found]


def places(session: Session, actor: Actor) -> tuple[list[Area], list[Cluster]]:
    """Where this person may plan work."""
    within = actor.within(Right.COMMAND)
    areas = session.scalars(
        select(Area).where(Area.id.in_(within), Area.kind.in_(["province", "commune"])).order_by(Area.name)
    )
    clusters = select(Cluster).join(Station, Station.id == Cluster.station_id)
    clusters = clusters.where(Station.area_id.in_(within), Cluster.removed_at.is_(None)).order_by(Cluster.name)
    return list(areas), list(session.scalars(clusters))


def answers_of(
    session: Session, cluster: str, now: datetime, link_up: bool
) -> tuple[dict[Question, Told], Sequence[FaultLine]]:
    """The four answers of a cluster with their reasons, and the faults that stand there. Call it with a session that
    is thrown away: what came since the last sweep is taken in for this look alone."""
    row = session.execute(
        select(Assignment.unit_id, Station.area_id, Area.parent_id)
        .join(Cluster, Cluster.id == Assignment.cluster_id)
        .join(Station, Station.id == Cluster.station_id)
        .join(Area, Area.id == Station.area_id)
        .where(Assignment.cluster_id == cluster, Assignment.until.is_(None))
    ).first()
    standing = session.scalars(
        select(FaultCase).where(FaultCase.cluster_id == cluster, FaultCase.state.in_([str(state) for state in OPEN]))
    ).all()
    if row is None:
        return {question: Told(Answer.UNKNOWN, None, ("no_unit",)) for question in Question}, _lines(
            session, standing, now
        )
    with session.no_autoflush:
        known = gather(session, [Place(row[0], cluster, row[1], row[2] or row[1])], now)[0]
        health: UnitHealth = known.row
        raised = {str(code): each.since or now for code, each in load(health.memory).items() if each.raised}
        long_ago = datetime.min.replace(tzinfo=now.tzinfo)
        told = answers(now, known.seen, long_ago if link_up else None, raised, Limits())
        lines = _lines(session, standing, now)
    return told, lines
