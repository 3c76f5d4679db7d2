"""Faults as rows with a life: opened and ended by what the rules of health see, grouped where one cause took many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from broadcasts.domain.fault_classes import CLASSES, Code, Urgency
from broadcasts.domain.fault_groups import Case, Group, Grouping, group
from broadcasts.domain.fault_life import OPEN, Mover, State, check_move
from controller.db.tables import Area, Cluster, FaultCase, FaultMove, PlannedWork, Station
from controller.services import notifying
from controller.services.context import Context
from controller.services.health_seeing import Place
from controller.services.heard import printable

OURS = "loa"
RULES = Grouping()
LINKED = timedelta(days=30)
"""What comes back within so long is linked to what was there before."""
RECHECK = timedelta(minutes=30)
"""So long after somebody called it repaired the trouble may still be seen."""
RESET_AFTER = timedelta(days=1)
ESCALATE = {Urgency.NOW: timedelta(minutes=30), Urgency.TODAY: timedelta(hours=12)}
"""Nobody took it for so long: somebody else is told. What waits for the next journey may wait."""
_OPEN = [str(state) for state in OPEN]


def open_cases(session: Session, clusters: Sequence[str]) -> dict[tuple[str, str], FaultCase]:
    """By cluster and code."""
    found = select(FaultCase).where(FaultCase.cluster_id.in_(clusters), FaultCase.state.in_(_OPEN))
    return {(row.cluster_id or "", row.code): row for row in session.scalars(found)}


def raise_one(
    ctx: Context, session: Session, place: Place, code: Code, since: datetime, detail: str, returns: int,
    evidence: Mapping[str, Any], now: datetime,
) -> FaultCase:  # fmt: skip
    """A new fault at one cluster. Nobody is told yet: `announce` does that, once groups are found."""
    before = session.scalar(
        select(FaultCase)
        .where(FaultCase.cluster_id == place.cluster, FaultCase.code == code, FaultCase.raised_at > now - LINKED)
        .order_by(FaultCase.raised_at.desc())
        .limit(1)
    )
    case = FaultCase(
        id=ctx.ids.new("f"), code=code, cluster_id=place.cluster, unit_id=place.unit, area_id=place.area,
        previous_id=before.id if before is not None else None, since=since, raised_at=now, state=State.NEW,
        returns=returns, detail=printable(detail)[:500], evidence=dict(evidence),
        silenced_until=planned_until(session, place.area, place.cluster, now),
    )  # fmt: skip
    session.add(case)
    session.flush()
    _note(session, case, "", State.NEW, now, OURS, detail)
    return case


def move(session: Session, case: FaultCase, after: State, mover: Mover, now: datetime, by: str, why: str = "") -> None:
    """Raises Conflict("illegal_move"). What a group does, its open members do."""
    before = State(case.state)
    check_move(before, after, mover)
    case.state, case.revision = after, case.revision + 1
    if after is State.RESOLVED:
        case.resolved_at = now
    _note(session, case, before, after, now, by, why)
    if case.cluster_id is None:
        for member in members(session, case.id):
            if member.state == before:
                move(session, member, after, mover, now, by, why)


def members(session: Session, name: str) -> Sequence[FaultCase]:
    return session.scalars(select(FaultCase).where(FaultCase.group_id == name).order_by(FaultCase.cluster_id)).all()


def gone(ctx: Context, session: Session, case: FaultCase, now: datetime, why: str = "gone") -> None:
    """The trouble is over; of a group, when it is over for the last member."""
    case.gone_at = now
    if case.state in _OPEN:
        move(session, case, State.RESOLVED, Mover.CONTROLLER, now, OURS, why)
    if case.group_id is None:
        notifying.ended(ctx, session, case, now)
        return
    whole = session.get_one(FaultCase, case.group_id)
    session.flush()
    if all(member.gone_at is not None for member in members(session, whole.id)) and whole.gone_at is None:
        whole.gone_at = now
        if whole.state in _OPEN:
            move(session, whole, State.RESOLVED, Mover.CONTROLLER, now, OURS, why)
        notifying.ended(ctx, session, whole, now)


def over(ctx: Context, session: Session, cluster: str, code: str, case: FaultCase | None, now: datetime) -> None:
    """The trouble is gone: for the open case, and for those that a person had called repaired before."""
    repaired = select(FaultCase).where(
        FaultCase.cluster_id == cluster, FaultCase.code == code,
        FaultCase.state == State.RESOLVED, FaultCase.gone_at.is_(None),
    )  # fmt: skip
    for row in session.scalars(repaired).all():
        gone(ctx, session, row, now)
    if case is not None:
        gone(ctx, session, case, now)


def find_groups(session: Session, pending: Sequence[Case], codes: set[str], now: datetime) -> list[Group]:
    """Of what stands alone and what is about to be raised, as far as it began lately."""
    alone = session.execute(
        select(FaultCase, Area.parent_id)
        .join(Area, Area.id == FaultCase.area_id)
        .where(
            FaultCase.cluster_id.is_not(None), FaultCase.group_id.is_(None), FaultCase.state.in_(_OPEN),
            FaultCase.code.in_(codes), FaultCase.since > now - timedelta(hours=2), FaultCase.gone_at.is_(None),
        )
    )  # fmt: skip
    cases = {
        (row.cluster_id, row.code): Case(row.cluster_id or "", row.area_id, parent or row.area_id, row.code, row.since)
        for row, parent in alone
    }
    cases |= {(each.cluster, each.code): each for each in pending if each.code in codes}
    return group(list(cases.values()), sizes(session), RULES) if len(cases) >= RULES.least else []


def sizes(session: Session) -> dict[str, int]:
    counted = (
        select(Station.area_id, func.count())
        .join(Cluster, Cluster.station_id == Station.id)
        .where(Cluster.removed_at.is_(None))
        .group_by(Station.area_id)
    )
    return {row[0]: row[1] for row in session.execute(counted)}


def make_group(ctx: Context, session: Session, found: Group, rows: Sequence[FaultCase], now: datetime) -> FaultCase:
    """One fault of an area with these members; each keeps its own evidence. Where somebody works at each of them
    nobody is told of all of them either."""
    quiet = [row.silenced_until for row in rows if row.silenced_until is not None]
    case = FaultCase(
        id=ctx.ids.new("f"), code=found.code, area_id=found.area, since=min(row.since for row in rows),
        raised_at=now, state=State.NEW, detail=str(len(rows)), evidence={"clusters": [row.cluster_id for row in rows]},
        silenced_until=planned_until(session, found.area, None, now)
        or (min(quiet) if quiet and len(quiet) == len(rows) else None),
    )  # fmt: skip
    session.add(case)
    session.flush()
    _note(session, case, "", State.NEW, now, OURS, f"{len(rows)}")
    join(session, case, rows)
    return case


def join(session: Session, whole: FaultCase, rows: Sequence[FaultCase]) -> None:
    for row in rows:
        row.group_id = whole.id
        notifying.void(session, row)
    session.flush()
    whole.detail = str(len(members(session, whole.id)))


def standing_group(session: Session, place: Place, code: str, since: datetime) -> FaultCase | None:
    """The one that this belongs to: of its commune or its province, and begun at about the same time."""
    return session.scalar(
        select(FaultCase)
        .where(
            FaultCase.cluster_id.is_(None), FaultCase.state.in_(_OPEN), FaultCase.code == code,
            FaultCase.area_id.in_([place.area, place.province]),
            FaultCase.since > since - RULES.window, FaultCase.since < since + RULES.window,
        )
        .limit(1)
    )  # fmt: skip


def planned_until(session: Session, area: str, cluster: str | None, now: datetime) -> datetime | None:
    """Until when somebody works there; none: nobody does."""
    above = _above(session, area)
    here = or_(PlannedWork.cluster_id.is_(None), PlannedWork.cluster_id == cluster)
    return session.scalar(
        select(func.max(PlannedWork.ends)).where(
            PlannedWork.area_id.in_(above), here, PlannedWork.begins <= now, PlannedWork.ends > now
        )
    )


def _above(session: Session, area: str) -> list[str]:
    found: list[str] = []
    name: str | None = area
    while name is not None and name not in found:
        found.append(name)
        name = session.scalar(select(Area.parent_id).where(Area.id == name))
    return found


def keep_up(ctx: Context, session: Session, now: datetime) -> None:
    """What time alone brings: planned work that is over, faults that nobody takes, and repairs that were none."""
    live = session.scalars(
        select(FaultCase).where(FaultCase.state.in_([*_OPEN, str(State.RESOLVED)]), FaultCase.group_id.is_(None))
    ).all()
    for case in live:
        if case.silenced_until is not None and case.silenced_until <= now:
            case.silenced_until = None
            if case.state in _OPEN and case.gone_at is None:
                notifying.raised(ctx, session, case, now)
        if case.state == State.NEW and case.escalated_at is None and case.silenced_until is None:
            after = ESCALATE.get(CLASSES[Code(case.code)].urgency)
            waits = after is not None and now - case.raised_at >= after and case.gone_at is None
            if waits and _may_escalate(session, case, after or timedelta(), now):
                case.escalated_at = now
                notifying.escalated(ctx, session, case, now)
        if case.state == State.RESOLVED and _stayed_away(case, now):
            move(session, case, State.RESET, Mover.CONTROLLER, now, OURS, "stayed away")


def _may_escalate(session: Session, case: FaultCase, after: timedelta, now: datetime) -> bool:
    """Nobody is called where somebody works by now, and the time begins when people were told, not before."""
    told = notifying.told_at(session, case)
    if told is not None and now - told < after:
        return False
    return planned_until(session, case.area_id, case.cluster_id, now) is None


def _stayed_away(case: FaultCase, now: datetime) -> bool:
    over = case.resolved_at, case.gone_at
    return all(at is not None and now - at >= RESET_AFTER for at in over)


def _note(session: Session, case: FaultCase, before: str, after: str, now: datetime, by: str, why: str) -> None:
    session.add(FaultMove(fault_id=case.id, before=before, after=after, at=now, by=by[:60], why=printable(why)[:500]))


def speak_again(session: Session, area: str, now: datetime) -> None:
    """Work that was planned there has ended early: what is silenced is looked at anew by the next `keep_up`."""
    silenced = select(FaultCase).where(FaultCase.silenced_until > now, FaultCase.state.in_(_OPEN))
    for case in session.scalars(silenced).all():
        if area in _above(session, case.area_id):
            case.silenced_until = planned_until(session, case.area_id, case.cluster_id, now) or now
