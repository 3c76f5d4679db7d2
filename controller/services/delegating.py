"""An approver who is away lends his right to one named person, for a time, with a reason. It is never lent on, ends by
itself, and never reaches what the lender or the borrower wrote himself (asked at each decision, `approving`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import or_, select
from sqlalchemy.orm import Session, aliased

from broadcasts.errors import Conflict, Refused
from controller.db.tables import Area, Delegation, User
from controller.services import audit
from controller.services.context import Context
from controller.services.rights import Actor, Right, Role, bars, grants_of

LONGEST = timedelta(days=92)
"""A quarter: who is away for longer has a successor, not a deputy. Nor is one named longer beforehand."""
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
    """Lent by whoever asks."""
    may_end: bool
    """By whoever asks: the lender, or an administrator of the area."""


def lend(
    ctx: Context, actor: Actor, to_name: str, area: str, since: datetime | None, until: datetime, reason: str
) -> str:
    """`to_name`: the account's name. The delegation's id.

    Raises Refused: "no_right", "second_factor.needed", "second_factor.again", "delegation.lent" (what one has only
    borrowed), "not_yours" (the area), "user.unknown" (nobody of that name in the area, or the account is off),
    "delegation.self", "reason.missing", "grant.apart" (who watches over others approves nothing), "delegation.time"
    (over already, ends before it begins, too long, or too far ahead); Conflict("delegation.there").
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
    if begin > now + LONGEST or not begin < until <= begin + LONGEST:
        raise Refused("delegation.time", days=LONGEST.days)
    with ctx.db.write() as session:
        borrower = session.scalar(select(User).where(User.name == to_name, User.area_id.in_(own)))
        if borrower is None or borrower.disabled_at is not None:
            raise Refused("user.unknown", name=to_name[:60])
        if borrower.id == actor.id:
            raise Refused("delegation.self")
        if (barred := _barred(session, borrower.id, now)) is not None:
            raise Refused("grant.apart", role=Role.APPROVER, other=barred)
        same = (Delegation.from_id == actor.id, Delegation.to_id == borrower.id, Delegation.area_id == area)
        between = (Delegation.ended_at.is_(None), Delegation.since < until, Delegation.until > begin)
        if session.scalar(select(Delegation.id).where(*same, *between).limit(1)) is not None:
            raise Conflict("delegation.there")
        actor.freshly(now, ctx.people.fresh_code)
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
    """What the actor lent or borrowed, and what concerns the area where he approves or looks after accounts, the
    newest first. Raises Refused("no_right")."""
    actor = actor.need(Right.APPROVE, Right.PEOPLE)
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
    over_people = actor.within(Right.PEOPLE)
    found = []
    for row, by, to, area in rows.all():
        state, mine = _state(row, now), row.from_id == actor.id
        may_end = state != "over" and (mine or row.area_id in over_people)
        found.append(Line(row, by, to, area, state, mine, may_end))
    return found


def borrowed(session: Session, actor: Actor) -> list[tuple[Delegation, str]]:
    """By what the actor approves in somebody's name, with the lender's name."""
    lent = [grant.lent for grant in actor.grants if grant.lent]
    rows = session.execute(
        select(Delegation, User.full_name)
        .join(User, Delegation.from_id == User.id)
        .where(Delegation.id.in_(lent))
        .order_by(Delegation.until)
    )
    return [(row[0], row[1]) for row in rows]


def candidates(ctx: Context, session: Session, actor: Actor) -> Sequence[User]:
    """To whom the actor may lend: the accounts of his area that are on, but his own and those that no approval is
    given to. Raises Refused("no_right", "second_factor.needed")."""
    own, now = own_areas(actor.need(Right.APPROVE)), ctx.wall.now()
    found = session.scalars(
        select(User)
        .where(User.area_id.in_(own), User.disabled_at.is_(None), User.id != actor.id)
        .order_by(User.full_name, User.id)
    )
    return [user for user in found if not _barred(session, user.id, now)]


def where(session: Session, actor: Actor) -> Sequence[Area]:
    """The areas that the actor may lend his right in, his own first."""
    own = own_areas(actor)
    found = session.scalars(select(Area).where(Area.id.in_(own), Area.valid_to.is_(None)).order_by(Area.name)).all()
    tops = {grant.area for grant in actor.grants if not grant.lent}
    return sorted(found, key=lambda area: area.id not in tops)


def _barred(session: Session, user: str, now: datetime) -> Role | None:
    """The role that keeps this person from ever approving."""
    return next((grant.role for grant in grants_of(session, user, now) if bars(grant.role, Role.APPROVER)), None)


def own_areas(actor: Actor) -> frozenset[str]:
    """Where the actor approves by a right that nobody lent him."""
    own = [grant.areas for grant in actor.grants if not grant.lent and Right.APPROVE in grant.rights]
    return frozenset().union(*own)


def _state(found: Delegation, now: datetime) -> str:
    if found.ended_at is not None or found.until <= now:
        return "over"
    return "holds" if found.since <= now else "coming"
