"""An approver who is away lends his right to one named person, for a time, with a reason. It is never lent on, ends by
itself, and never reaches what the lender or the borrower wrote himself (asked at each decision, `approving`)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import or_, select
from sqlalchemy.orm import Session, aliased

from broadcasts.errors import Conflict, Refused
from controller.db.tables import Area, Delegation, User
from controller.services import audit
from controller.services.context import Context
from controller.services.rights import ROLES, Actor, Right, Role, bars, grants_of

LONGEST = timedelta(days=92)
"""A quarter: who is away for longer has a successor, not a deputy."""
LONG_TEXT = 500


@dataclass(frozen=True)
class Line:
    """One delegation as a page shows it. `state`: coming, holds, over."""

    delegation: Delegation
    lender: str
    borrower: str
    area: str
    state: str
    mine: bool
    """Lent by whoever asks: he may take it back."""


def lend(
    ctx: Context, actor: Actor, to_name: str, area: str, since: datetime | None, until: datetime, reason: str
) -> str:
    """`to_name`: the account's name. The delegation's id.

    Raises Refused: "no_right", "second_factor.needed", "delegation.lent" (what one has only borrowed), "not_yours" (the
    area), "user.unknown" (nobody of that name in the area, or the account is off), "delegation.self", "reason.missing",
    "grant.apart" (who watches over others approves nothing), "delegation.time" (over already, ends before it begins,
    or too long); Conflict("delegation.there").
    """
    actor, now = actor.need(Right.APPROVE), ctx.wall.now()
    own = own_areas(actor)
    if not own:
        raise Refused("delegation.lent")
    if area not in own:
        raise Refused("not_yours")
    if not reason.strip():
        raise Refused("reason.missing")
    begin = max(since or now, now)
    if not begin < until <= begin + LONGEST:
        raise Refused("delegation.time", days=LONGEST.days)
    with ctx.db.write() as session:
        borrower = session.scalar(select(User).where(User.name == to_name, User.area_id.in_(own)))
        if borrower is None or borrower.disabled_at is not None:
            raise Refused("user.unknown", name=to_name[:60])
        if borrower.id == actor.id:
            raise Refused("delegation.self")
        for grant in grants_of(session, borrower.id, now):
            if bars(grant.role, Role.APPROVER):
                raise Refused("grant.apart", role=Role.APPROVER, other=grant.role)
        same = (Delegation.from_id == actor.id, Delegation.to_id == borrower.id, Delegation.area_id == area)
        between = (Delegation.ended_at.is_(None), Delegation.since < until, Delegation.until > begin)
        if session.scalar(select(Delegation.id).where(*same, *between).limit(1)) is not None:
            raise Conflict("delegation.there")
        made = Delegation(
            id=ctx.ids.new("dg"),
            from_id=actor.id,
            to_id=borrower.id,
            area_id=area,
            since=begin,
            until=until,
            reason=reason.strip()[:LONG_TEXT],
            made_at=now,
        )
        session.add(made)
        told = {"delegation": made.id, "to": borrower.name, "since": begin.isoformat(), "until": until.isoformat()}
        audit.record(session, now, actor.name, "delegation.lend", borrower.id, told | {"reason": made.reason}, area)
        return made.id


def take_back(ctx: Context, actor: Actor, delegation_id: str) -> None:
    """By the lender, whose right may be gone meanwhile, or by an administrator of the area.

    Raises Refused("not_yours"), Conflict("delegation.over")."""
    now = ctx.wall.now()
    with ctx.db.write() as session:
        found = session.get(Delegation, delegation_id)
        if found is None or not (found.from_id == actor.id or found.area_id in actor.within(Right.PEOPLE)):
            raise Refused("not_yours")
        if found.ended_at is not None or found.until <= now:
            raise Conflict("delegation.over")
        found.ended_at, found.ended_by = now, actor.name
        told = {"delegation": found.id, "to": session.get_one(User, found.to_id).name}
        audit.record(session, now, actor.name, "delegation.end", found.to_id, told, found.area_id)


def every(ctx: Context, session: Session, actor: Actor) -> list[Line]:
    """What the actor lent or borrowed, and what concerns his area, the newest first. Raises Refused("no_right")."""
    actor = actor.need(Right.APPROVE)
    now = ctx.wall.now()
    lender, borrower = aliased(User), aliased(User)
    rows = session.execute(
        select(Delegation, lender.full_name, borrower.full_name, Area.name)
        .join(lender, Delegation.from_id == lender.id)
        .join(borrower, Delegation.to_id == borrower.id)
        .join(Area, Delegation.area_id == Area.id)
        .where(or_(Delegation.area_id.in_(actor.areas), Delegation.from_id == actor.id, Delegation.to_id == actor.id))
        .order_by(Delegation.made_at.desc(), Delegation.id.desc())
    )
    return [
        Line(found, by, to, area, _state(found, now), found.from_id == actor.id) for found, by, to, area in rows.all()
    ]


def own_areas(actor: Actor) -> frozenset[str]:
    """Where the actor approves by a right that nobody lent him."""
    own = [grant.areas for grant in actor.grants if not grant.lent and Right.APPROVE in ROLES[grant.role]]
    return frozenset().union(*own)


def _state(found: Delegation, now: datetime) -> str:
    if found.ended_at is not None or found.until <= now:
        return "over"
    return "holds" if found.since <= now else "coming"
