"""Communes that become one. The old ones end at a date and hang below the new one, with their stations, clusters and
logs as they are: so the past is still told by the old units, and everything together by the new one (R-010, R-011)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from broadcasts.clock import VIETNAM
from broadcasts.errors import Refused
from controller.db.tables import Area, Broadcast, ClusterGroup, RoleGrant, Station
from controller.services import audit
from controller.services.areas import clusters_by_area, ended, standing_on
from controller.services.context import Context
from controller.services.rights import Actor, Right, below
from controller.services.targets import look_again

LONGEST_NAME, LONGEST_CODE, LONGEST_DECISION = 120, 16, 200
FARTHEST = timedelta(days=732)


@dataclass(frozen=True)
class Wish:
    """`old` are area ids, `day` the first on which the new unit stands, `decision` number and date of who decided."""

    old: tuple[str, ...]
    name: str
    code: str
    day: date
    decision: str


@dataclass(frozen=True)
class OldUnit:
    area: Area
    stations: tuple[str, ...]
    clusters: int


@dataclass(frozen=True)
class Outlook:
    """What a merger would change and what it leaves as it is. `on_air` are approved broadcasts with starts to come that
    name one of the old units, `waiting` those not approved yet; `grants` are rights that go on in the old units."""

    wish: Wish
    old: Sequence[OldUnit]
    parent: str
    on_air: int
    waiting: int
    groups: int
    grants: int

    @property
    def clusters(self) -> int:
        return sum(unit.clusters for unit in self.old)

    @property
    def stations(self) -> tuple[str, ...]:
        return tuple(name for unit in self.old for name in unit.stations)


def outlook(ctx: Context, actor: Actor | None, wish: Wish) -> Outlook:
    """Nothing is changed. Without an actor: whoever sits at the machine itself. Raises as `merge`."""
    now = ctx.clock.now()
    with ctx.db.read() as session:
        areas = _checked(session, actor, wish, now)
        reach = frozenset().union(*(below(session, area.id) for area in areas))
        poles = clusters_by_area(session, reach)
        today = now.astimezone(VIETNAM).date()
        named = [
            row.status
            for row in session.scalars(select(Broadcast).where(Broadcast.status.in_(["approved", "submitted"])))
            if reach & set(row.target_areas) and (row.last_day is None or row.last_day >= today)
        ]
        holds = or_(RoleGrant.until.is_(None), RoleGrant.until > ctx.wall.now())
        grants = select(func.count()).where(RoleGrant.area_id.in_(reach), holds)
        groups = select(func.count()).where(ClusterGroup.area_id.in_(reach))
        parent = session.get(Area, areas[0].parent_id) if areas[0].parent_id else None
        return Outlook(
            wish=wish,
            old=[unit_of(session, area, poles) for area in areas],
            parent=parent.name if parent else "",
            on_air=named.count("approved"),
            waiting=named.count("submitted"),
            groups=session.scalar(groups) or 0,
            grants=session.scalar(grants) or 0,
        )


def unit_of(session: Session, area: Area, poles: dict[str, int]) -> OldUnit:
    """With all below it; `poles`: clusters in use by area."""
    reach = below(session, area.id)
    names = session.scalars(select(Station.name).where(Station.area_id.in_(reach)).order_by(Station.name))
    return OldUnit(area, tuple(names), sum(poles.get(name, 0) for name in reach))


def merge(ctx: Context, by: str, wish: Wish) -> str:
    """A new unit out of `old`, which are no more from that day on; its id. `by` is the name that the log shows.

    Who had rights in an old one has them there still; who gets them in the new one has them in all of it. Raises
    Refused: "merge.areas" (none, unknown ones, of two parents, or one that has ended), "merge.name", "merge.code",
    "merge.code_taken", "merge.day", "merge.decision".
    """
    return _merge(ctx, by, None, wish)


@audit.decided("area.merge")
def merge_as(ctx: Context, actor: Actor, wish: Wish) -> str:
    """By somebody who looks after all that is merged and what it belongs to. Raises as `merge`, and Refused:
    "no_right", "second_factor.needed", "not_yours"."""
    return _merge(ctx, actor.name, actor, wish)


def _merge(ctx: Context, by: str, actor: Actor | None, wish: Wish) -> str:
    now = ctx.clock.now()
    with ctx.db.write() as session:
        areas = _checked(session, actor, wish, now)
        made = Area(
            id=ctx.ids.new("a"),
            parent_id=areas[0].parent_id,
            kind=areas[0].kind,
            name=wish.name.strip(),
            code=wish.code,
            valid_from=wish.day,
        )
        session.add(made)
        session.flush()
        for area in areas:
            area.valid_to, area.successor_id, area.parent_id = wish.day, made.id, made.id
        look_again(session)
        told = {
            "old": [area.id for area in areas],
            "names": [area.name for area in areas],
            "name": made.name,
            "code": wish.code,
            "day": wish.day.isoformat(),
            "decision": wish.decision.strip(),
            "clusters": sum(clusters_by_area(session, below(session, made.id)).values()),
        }
        audit.record(session, now, by, "area.merge", made.id, told, made.id)
        found = made.id
    ctx.wake()
    return found


def _checked(session: Session, actor: Actor | None, wish: Wish, now: datetime) -> Sequence[Area]:
    """The old units, by id."""
    reach = actor.need(Right.AREAS).areas if actor is not None else None
    areas = session.scalars(select(Area).where(Area.id.in_(wish.old)).order_by(Area.id)).all()
    if reach is not None and not {parent for area in areas for parent in (area.id, area.parent_id)} <= {*reach}:
        raise Refused("not_yours")
    today = now.astimezone(VIETNAM).date()
    whole = bool(areas) and len(areas) == len(set(wish.old)) and len({area.parent_id for area in areas}) == 1
    if not whole or any(ended(area, max(today, wish.day)) or area.successor_id for area in areas):
        raise Refused("merge.areas")
    if any(area.parent_id is None for area in areas) or len({area.kind for area in areas}) != 1:
        raise Refused("merge.areas")
    if not 0 < len(wish.name.strip()) <= LONGEST_NAME or not wish.name.isprintable():
        raise Refused("merge.name")
    if not (wish.code.isascii() and wish.code.isdecimal()) or len(wish.code) > LONGEST_CODE:
        raise Refused("merge.code", code=wish.code[:20])
    if wish.day > today + FARTHEST or any(wish.day <= area.valid_from for area in areas):
        raise Refused("merge.day")
    if not 0 < len(wish.decision.strip()) <= LONGEST_DECISION or not wish.decision.isprintable():
        raise Refused("merge.decision")
    _code_is_free(session, wish, areas[0].kind)
    return areas


def _code_is_free(session: Session, wish: Wish, kind: str) -> None:
    """An official code names one unit at a time; the new unit may take over that of an old one."""
    other = select(Area.name).where(
        Area.code == wish.code, Area.kind == kind, Area.id.not_in(wish.old), standing_on(wish.day)
    )
    if (taken := session.scalar(other.limit(1))) is not None:
        raise Refused("merge.code_taken", code=wish.code, name=taken)


def found(session: Session, told: Collection[str]) -> tuple[str, ...]:
    """Ids of areas that were named by id or by official code, of two with one code that which was not merged, and last
    one that never stood. Raises Refused("area.unknown")."""
    names = []
    for one in told:
        area = session.get(Area, one) or session.scalar(
            select(Area)
            .where(Area.code == one, Area.kind == "commune")
            .order_by(
                Area.valid_to.is_not(None) & (Area.valid_to == Area.valid_from),
                Area.successor_id.is_not(None),
                Area.valid_from.desc(),
            )
            .limit(1)
        )
        if area is None:
            raise Refused("area.unknown", name=one[:40])
        names.append(area.id)
    return tuple(names)
