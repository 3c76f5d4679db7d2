"""A merger that is undone: the communes of before stand again as if they had never ended, and the unit that came of
them never stood. Both acts stay in the log; stations, clusters, what is on the air and what was proven stay where they
are (R-010, R-011)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from broadcasts.clock import VIETNAM
from broadcasts.errors import Refused
from controller.db.tables import (
    Area,
    Broadcast,
    CapFeed,
    CapRule,
    Cluster,
    ClusterGroup,
    EmergencyRecording,
    KeptSound,
    PhrasePiece,
    Pronunciation,
    RoleGrant,
    Station,
    User,
)
from controller.services import audit
from controller.services.area_leftovers import move_group, titles_of
from controller.services.areas import clusters_by_area
from controller.services.context import Context
from controller.services.deliveries import mark_dirty
from controller.services.merging import LONGEST_DECISION, OldUnit, unit_of
from controller.services.rights import Actor, Right, below
from controller.services.targets import look_again

KEPT: Mapping[str, InstrumentedAttribute[str]] = {
    "emergency": EmergencyRecording.area_id,
    "sounds": KeptSound.area_id,
    "words": Pronunciation.area_id,
    "phrases": PhrasePiece.area_id,
    "cap_feeds": CapFeed.area_id,
    "cap_rules": CapRule.area_id,
}
"""What may belong to a unit as a whole, beside rights and groups."""


@dataclass(frozen=True)
class Undone:
    """What undoing it changes and what it leaves. `units` are those that stand again, with the stations and clusters
    that go back to each. `on_air` are titles of approved broadcasts with starts to come that name the unit: they sound
    on where they were planned, and name other places when they are edited; `waiting` those not approved yet. `people`
    had rights in the unit itself, which end; its saved `groups` go to what it belonged to. `dies`: how many of what
    was kept for the unit itself is used by nobody any more, by `KEPT`."""

    area: Area
    units: Sequence[OldUnit]
    parent: str
    on_air: Sequence[str]
    waiting: Sequence[str]
    groups: Sequence[str]
    people: Sequence[str]
    dies: Mapping[str, int]

    @property
    def old(self) -> Sequence[Area]:
        return [each.area for each in self.units]


def outlook(ctx: Context, actor: Actor | None, area_id: str) -> Undone:
    """Nothing is changed. Without an actor: whoever sits at the machine itself. Raises as `undo`."""
    now = ctx.clock.now()
    with ctx.db.read() as session:
        area = _checked(session, actor, area_id, now)
        return _told(session, area, now, ctx.wall.now())


def undo(ctx: Context, by: str, area_id: str, decision: str) -> Undone:
    """`decision`: who said so, with number and date, or what was wrong. Raises Refused: "merge.not_one" (nothing was
    merged into it, or it was undone already), "merge.merged_on" (it is part of another by now: undo that first),
    "merge.own_stations" (it has stations of its own), "merge.code_taken", "merge.decision"."""
    return _undo(ctx, by, None, area_id, decision)


@audit.decided("area.unmerge")
def undo_as(ctx: Context, actor: Actor, area_id: str, decision: str) -> Undone:
    """By somebody who may merge the same. Raises as `undo`, and Refused: "no_right", "second_factor.needed",
    "not_yours"."""
    return _undo(ctx, actor.name, actor, area_id, decision)


def _undo(ctx: Context, by: str, actor: Actor | None, area_id: str, decision: str) -> Undone:
    now = ctx.clock.now()
    with ctx.db.write() as session:
        area = _checked(session, actor, area_id, now)
        if not 0 < len(decision.strip()) <= LONGEST_DECISION or not decision.isprintable():
            raise Refused("merge.decision")
        told = _told(session, area, now, ctx.wall.now())
        reach = below(session, area.id)
        for each in told.old:
            each.valid_to, each.successor_id, each.parent_id = None, None, area.parent_id
            each.former_parent_id = each.former_parent_id or area.former_parent_id
        # It stands on no day, and keeps its row: broadcasts, grants and log lines name it.
        area.valid_to = area.valid_from
        for grant in _grants(session, area.id, ctx.wall.now()):
            grant.until = ctx.wall.now()
        for group in session.scalars(select(ClusterGroup).where(ClusterGroup.area_id == area.id)).all():
            move_group(session, group, area)
        look_again(session)
        # Sounds for emergencies may have been kept for the unit: its poles hold them no longer.
        poles = select(Cluster.id).join(Station, Cluster.station_id == Station.id).where(Station.area_id.in_(reach))
        mark_dirty(session, list(session.scalars(poles)), now)
        detail = {
            "old": [each.id for each in told.old],
            "names": [each.name for each in told.old],
            "name": area.name,
            "code": area.code,
            "day": area.valid_from.isoformat(),
            "decision": decision.strip(),
            "rights_ended": list(told.people),
        }
        audit.record(session, now, by, "area.unmerge", area.id, detail, area.parent_id or area.id)
    ctx.wake()
    return told


def _checked(session: Session, actor: Actor | None, area_id: str, now: datetime) -> Area:
    reach = actor.need(Right.AREAS).areas if actor is not None else None
    area = session.get(Area, area_id)
    if area is None or (reach is not None and not {area.id, area.parent_id} <= {*reach}):
        raise Refused("not_yours")
    # Districts that ended are part of their province, and were not merged into it.
    merged = select(Area).where(Area.successor_id == area.id, Area.kind == area.kind)
    old = session.scalars(merged.order_by(Area.id)).all()
    if not old:
        raise Refused("merge.not_one", name=area.name)
    if area.successor_id is not None:
        further = session.get_one(Area, area.successor_id)
        raise Refused("merge.merged_on", name=area.name, successor=further.name)
    own = session.scalar(select(Station.name).where(Station.area_id == area.id).limit(1))
    if own is not None:
        raise Refused("merge.own_stations", name=area.name, station=own)
    _codes_are_free(session, area, old, now.astimezone(VIETNAM).date())
    return area


def _codes_are_free(session: Session, area: Area, old: Sequence[Area], today: date) -> None:
    """Somebody else may have been given an old code meanwhile, also for a day to come."""
    stands = or_(Area.valid_to.is_(None), (Area.valid_to > today) & (Area.valid_to > Area.valid_from))
    for each in old:
        other = select(Area.name).where(
            Area.code == each.code, Area.kind == each.kind, Area.id.not_in([area.id, each.id]), stands
        )
        if (taken := session.scalar(other.limit(1))) is not None:
            raise Refused("merge.code_taken", code=each.code, name=taken)


def _told(session: Session, area: Area, now: datetime, wall: datetime) -> Undone:
    """`now`: on air; `wall`: of people, whose rights follow it."""
    today = now.astimezone(VIETNAM).date()
    named = [
        row
        for row in session.scalars(
            select(Broadcast).where(Broadcast.status.in_(["approved", "submitted"])).order_by(Broadcast.id)
        )
        if area.id in row.target_areas and (row.last_day is None or row.last_day >= today)
    ]
    titles = titles_of(session, named)
    parent = session.get(Area, area.parent_id) if area.parent_id else None
    holders = [grant.user_id for grant in _grants(session, area.id, wall)]
    people = session.scalars(select(User.full_name).where(User.id.in_(holders)).order_by(User.full_name)).all()
    groups = select(ClusterGroup.name).where(ClusterGroup.area_id == area.id).order_by(ClusterGroup.name)
    old = session.scalars(select(Area).where(Area.successor_id == area.id).order_by(Area.name)).all()
    poles = clusters_by_area(session, below(session, area.id))
    kept = {name: session.scalar(select(func.count()).where(key == area.id)) or 0 for name, key in KEPT.items()}
    return Undone(
        area=area,
        units=[unit_of(session, each, poles) for each in old],
        parent=parent.name if parent else "",
        on_air=[titles[row.id] for row in named if row.status == "approved"],
        waiting=[titles[row.id] for row in named if row.status == "submitted"],
        groups=session.scalars(groups).all(),
        people=people,
        dies={name: count for name, count in kept.items() if count},
    )


def _grants(session: Session, area_id: str, now: datetime) -> Sequence[RoleGrant]:
    holds = or_(RoleGrant.until.is_(None), RoleGrant.until > now)
    return session.scalars(select(RoleGrant).where(RoleGrant.area_id == area_id, holds)).all()
