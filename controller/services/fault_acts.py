"""What people do with faults: take them, repair them, close them; and say beforehand where they work."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from broadcasts.domain.fault_classes import Code
from broadcasts.domain.fault_life import NOTED, Mover, State
from broadcasts.errors import Conflict, Refused
from controller.db.tables import Area, Cluster, FaultCase, PlannedWork, Station, UnitHealth
from controller.services import audit, fault_cases
from controller.services.context import Context
from controller.services.heard import printable
from controller.services.rights import Actor, Right

LONGEST_WORK = timedelta(days=14)
MOST_WHY = 300


@audit.decided("fault.move")
def move(ctx: Context, actor: Actor, name: str, after: str, why: str = "", revision: int | None = None) -> None:
    """Move a fault to `after`; with a group, all of its members.

    `revision`: as the person saw it. Raises Refused: "no_right", "not_yours" (elsewhere, or not there),
    "choice.unknown" (no such state), "fault.reason" (repaired, and not a word of how), "fault.in_group" (the group
    is what is moved); Conflict: "illegal_move", "fault.changed".
    """
    actor = actor.need(Right.COMMAND)
    now = ctx.clock.now()
    said = printable(why.strip())[:MOST_WHY]
    with ctx.db.write() as session:
        case = mine(session, actor, name)
        if after not in set(State):
            raise Refused("choice.unknown", name="state", value=after[:20])
        wanted = State(after)
        if case.group_id is not None:
            raise Refused("fault.in_group")
        if revision is not None and revision != case.revision:
            raise Conflict("fault.changed")
        if wanted in NOTED and not said:
            raise Refused("fault.reason")
        before = case.state
        fault_cases.move(session, case, wanted, Mover.PERSON, now, actor.name, said)
        if wanted is State.RESOLVED and case.code == Code.HORN_DRIFT and case.unit_id is not None:
            # Other horns draw another current: what is usual is learned anew.
            row = session.get(UnitHealth, case.unit_id)
            if row is not None:
                row.horns = {}
        about = {"from": before, "to": after, "why": said, "code": case.code, "cluster": case.cluster_id or ""}
        audit.record(session, now, actor.name, "fault.move", case.id, about, area=case.area_id)


def mine(session: Session, actor: Actor, name: str) -> FaultCase:
    """Raises Refused("not_yours")."""
    case = session.get(FaultCase, name)
    if case is None or case.area_id not in actor.areas:
        raise Refused("not_yours")
    return case


@audit.decided("work.plan")
def plan_work(
    ctx: Context, actor: Actor, area: str, cluster: str | None, begins: datetime, ends: datetime, reason: str
) -> str:
    """Nobody is called for what breaks there between the two instants. The id of the plan.

    Raises Refused: "no_right", "not_yours" (area or cluster), "work.times" (over, upside down or longer than 14 days),
    "work.reason".
    """
    actor = actor.need(Right.COMMAND)
    now, said = ctx.clock.now(), printable(reason.strip())[:MOST_WHY]
    if not now < ends or not begins < ends <= begins + LONGEST_WORK:
        raise Refused("work.times", days=LONGEST_WORK.days)
    if not said:
        raise Refused("work.reason")
    with ctx.db.write() as session:
        if cluster is not None:
            place = session.get(Cluster, cluster)
            area = session.get_one(Station, place.station_id).area_id if place is not None else ""
        if session.get(Area, area) is None or area not in actor.areas:
            raise Refused("not_yours")
        name = ctx.ids.new("w")
        session.add(
            PlannedWork(
                id=name, area_id=area, cluster_id=cluster, begins=begins, ends=ends, reason=said,
                made_by=actor.name, made_at=now,
            )
        )  # fmt: skip
        about = {"cluster": cluster or "", "begins": begins.isoformat(), "ends": ends.isoformat(), "reason": said}
        audit.record(session, now, actor.name, "work.plan", name, about, area=area)
    return name


@audit.decided("work.end")
def end_work(ctx: Context, actor: Actor, name: str) -> None:
    """It is done before its time. Raises Refused: "no_right", "not_yours"; Conflict("work.over")."""
    actor = actor.need(Right.COMMAND)
    now = ctx.clock.now()
    with ctx.db.write() as session:
        work = session.get(PlannedWork, name)
        if work is None or work.area_id not in actor.areas:
            raise Refused("not_yours")
        if work.ends <= now:
            raise Conflict("work.over")
        work.ends, work.ended_by = max(now, work.begins + timedelta(milliseconds=1)), actor.name
        fault_cases.speak_again(session, work.area_id, now)
        audit.record(session, now, actor.name, "work.end", name, {}, area=work.area_id)
