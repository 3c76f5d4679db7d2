"""The district level ends: in one act all districts are no more from a day on, their communes lie in the province, and
what the districts were is still told by them (R-010)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from broadcasts.clock import VIETNAM
from broadcasts.errors import Refused
from controller.db.tables import Area, Broadcast, Cluster, ClusterGroup, RoleGrant, Station, User
from controller.services import audit
from controller.services.area_leftovers import move_group, titles_of
from controller.services.areas import clusters_by_area, ended
from controller.services.context import Context
from controller.services.deliveries import mark_dirty
from controller.services.merging import FARTHEST, LONGEST_DECISION
from controller.services.rights import Actor, Right, below
from controller.services.targets import look_again

DISTRICT = "district"


@dataclass(frozen=True)
class Wish:
    """`day`: the first without districts; `decision`: number and date of who decided."""

    day: date
    decision: str


@dataclass(frozen=True)
class District:
    """`parent`: the name of what its communes lie in from then on; `stations` are its own, which stay."""

    area: Area
    parent: str
    communes: Sequence[Area]
    stations: Sequence[str]
    clusters: int


@dataclass(frozen=True)
class Outlook:
    """What ends and what goes on. `on_air` are titles of approved broadcasts with starts to come that name a district:
    they sound on where they were planned, and name other places when they are edited; `waiting` those not approved yet.
    `people` have rights in a district itself, which end that day; `groups` are saved ones, which go to the province."""

    wish: Wish
    districts: Sequence[District]
    on_air: Sequence[str]
    waiting: Sequence[str]
    groups: Sequence[str]
    people: Sequence[str]

    @property
    def communes(self) -> int:
        return sum(len(each.communes) for each in self.districts)


def outlook(ctx: Context, actor: Actor | None, wish: Wish) -> Outlook:
    """Nothing is changed. Without an actor: whoever sits at the machine itself. Raises as `end`."""
    now = ctx.clock.now()
    with ctx.db.read() as session:
        areas = _checked(session, actor, wish, now)
        return _told(session, areas, wish, now, ctx.wall.now())


def end(ctx: Context, by: str, wish: Wish) -> Outlook:
    """All districts at once; what it changed. `by` is the name that the log shows. Raises Refused: "districts.none",
    "districts.day", "merge.decision"."""
    return _end(ctx, by, None, wish)


@audit.decided("area.end_districts")
def end_as(ctx: Context, actor: Actor, wish: Wish) -> Outlook:
    """By somebody who looks after every district and what it lies in. Raises as `end`, and Refused: "no_right",
    "second_factor.needed", "not_yours"."""
    return _end(ctx, actor.name, actor, wish)


def _end(ctx: Context, by: str, actor: Actor | None, wish: Wish) -> Outlook:
    now = ctx.clock.now()
    with ctx.db.write() as session:
        areas = _checked(session, actor, wish, now)
        told = _told(session, areas, wish, now, ctx.wall.now())
        reach = frozenset().union(*(below(session, each.id) for each in areas))
        midnight = datetime.combine(wish.day, time(0), VIETNAM)
        for area in areas:
            for grant in _grants(session, [area.id], ctx.wall.now()):
                grant.until = max(grant.since, min(grant.until or midnight, midnight))
            for group in session.scalars(select(ClusterGroup).where(ClusterGroup.area_id == area.id)).all():
                move_group(session, group, area)
            for each in session.scalars(select(Area).where(Area.parent_id == area.id)).all():
                each.parent_id, each.former_parent_id = area.parent_id, area.id
            area.valid_to, area.successor_id = wish.day, area.parent_id
        session.flush()
        look_again(session)
        # Whom a unit listens to, and which sounds it holds beforehand, follows from what lies above it.
        poles = select(Cluster.id).join(Station, Cluster.station_id == Station.id).where(Station.area_id.in_(reach))
        mark_dirty(session, list(session.scalars(poles)), now)
        detail = {
            "day": wish.day.isoformat(),
            "decision": wish.decision.strip(),
            "districts": [
                {
                    "id": each.area.id,
                    "name": each.area.name,
                    "code": each.area.code,
                    "communes": [one.id for one in each.communes],
                }
                for each in told.districts
            ],
            "rights_ended": list(told.people),
            "groups": list(told.groups),
        }
        top = areas[0].parent_id or areas[0].id
        audit.record(session, now, by, "area.end_districts", top, detail, top)
    ctx.wake()
    return told


def _checked(session: Session, actor: Actor | None, wish: Wish, now: datetime) -> Sequence[Area]:
    reach = actor.need(Right.AREAS).areas if actor is not None else None
    today = now.astimezone(VIETNAM).date()
    rows = session.scalars(select(Area).where(Area.kind == DISTRICT, Area.successor_id.is_(None)).order_by(Area.id))
    areas = [each for each in rows if not ended(each, today) and each.parent_id is not None]
    if not areas:
        raise Refused("districts.none")
    if reach is not None and not {name for each in areas for name in (each.id, each.parent_id)} <= {*reach}:
        raise Refused("not_yours")
    if wish.day > today + FARTHEST or any(wish.day <= each.valid_from for each in areas):
        raise Refused("districts.day")
    if not 0 < len(wish.decision.strip()) <= LONGEST_DECISION or not wish.decision.isprintable():
        raise Refused("merge.decision")
    return areas


def _told(session: Session, areas: Sequence[Area], wish: Wish, now: datetime, wall: datetime) -> Outlook:
    ids = {each.id for each in areas}
    today = now.astimezone(VIETNAM).date()
    named = [
        row
        for row in session.scalars(
            select(Broadcast).where(Broadcast.status.in_(["approved", "submitted"])).order_by(Broadcast.id)
        )
        if ids & set(row.target_areas) and (row.last_day is None or row.last_day >= today)
    ]
    titles = titles_of(session, named)
    holders = {grant.user_id for grant in _grants(session, ids, wall)}
    groups = select(ClusterGroup.name).where(ClusterGroup.area_id.in_(ids)).order_by(ClusterGroup.name)
    return Outlook(
        wish=wish,
        districts=[_district(session, each) for each in areas],
        on_air=[titles[row.id] for row in named if row.status == "approved"],
        waiting=[titles[row.id] for row in named if row.status == "submitted"],
        groups=session.scalars(groups).all(),
        people=session.scalars(select(User.full_name).where(User.id.in_(holders)).order_by(User.full_name)).all(),
    )


def _district(session: Session, area: Area) -> District:
    reach = below(session, area.id)
    assert area.parent_id is not None
    return District(
        area=area,
        parent=session.get_one(Area, area.parent_id).name,
        communes=session.scalars(select(Area).where(Area.parent_id == area.id).order_by(Area.name)).all(),
        stations=session.scalars(select(Station.name).where(Station.area_id == area.id)).all(),
        clusters=sum(clusters_by_area(session, reach).values()),
    )


def _grants(session: Session, areas: Sequence[str] | set[str], now: datetime) -> Sequence[RoleGrant]:
    holds = or_(RoleGrant.until.is_(None), RoleGrant.until > now)
    return session.scalars(select(RoleGrant).where(RoleGrant.area_id.in_(areas), holds)).all()
