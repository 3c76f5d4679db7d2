"""What sounds now, for whoever may silence it; and where one may sound something."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from controller.db.tables import ClusterGroup, Drill, DrillReach, Emergency, EmergencyReach
from controller.services.context import Context
from controller.services.rights import Actor, Right


@dataclass(frozen=True)
class Standing:
    """One emergency that is in force, or a drill that is under way."""

    id: str
    kind: str
    clusters: int
    until: datetime
    drill: bool = False


def standing(ctx: Context, actor: Actor) -> list[Standing]:
    """The newest first; nothing for who could not silence it."""
    if not actor.strong or not actor.may(Right.ALERT):
        return []
    with ctx.db.read() as session:
        now = ctx.clock.now()
        return _emergencies(session, actor, now) + _drills(session, actor, now)


def _emergencies(session: Session, actor: Actor, now: datetime) -> list[Standing]:
    reach = actor.within(Right.ALERT)
    rows = session.execute(
        select(Emergency, func.count(EmergencyReach.cluster_id))
        .join(EmergencyReach, EmergencyReach.emergency_id == Emergency.id)
        .where(Emergency.state.in_(("waiting", "issued")), Emergency.hard_end > now)
        .where(EmergencyReach.silenced_at.is_(None))
        .group_by(Emergency.id)  # PostgreSQL compares no JSON: by the key, and by it alone
        .order_by(Emergency.pressed_at.desc())
    )
    return [Standing(act.id, act.kind, count, act.hard_end) for act, count in rows if set(act.areas) <= reach]


def _drills(session: Session, actor: Actor, now: datetime) -> list[Standing]:
    reach = actor.within(Right.ALERT)
    rows = session.execute(
        select(Drill.id, Drill.kind, Drill.hard_end, Drill.areas, func.count(DrillReach.cluster_id))
        .join(DrillReach, DrillReach.drill_id == Drill.id)
        .where(Drill.state == "issued", Drill.starts_at <= now, Drill.hard_end > now)
        .group_by(Drill.id)
        .order_by(Drill.issued_at.desc())
    )
    return [Standing(row[0], row[1], row[4], row[2], drill=True) for row in rows if set(row[3]) <= reach]


def saved(session: Session, actor: Actor) -> Sequence[ClusterGroup]:
    """The groups of clusters that an emergency may be sent to. Raises Refused("no_right")."""
    reach = actor.need(Right.ALERT).areas
    wanted = select(ClusterGroup).where(ClusterGroup.area_id.in_(reach)).order_by(ClusterGroup.name)
    return session.scalars(wanted).all()
