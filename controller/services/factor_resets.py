"""Forgetting somebody's second factor, for a telephone that is lost with its recovery codes: one administrator proposes
it, another one confirms.

Who can send an invitation and forget a factor could enter as anybody. The standard asks for a second factor (R-115) and
for duties apart (R-120, both read second hand); that it takes two persons is our rule. Where there are no two, whoever
sits at the server does it (`loa user forget-factor`), with a line in the log.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.errors import Conflict, Refused
from controller.db.tables import FactorReset, User
from controller.services import accounts, audit, factors
from controller.services.context import Context
from controller.services.people import held_areas, wholly_theirs
from controller.services.rights import Actor, Right, grants_of

LONG_TEXT = 200


def propose(ctx: Context, actor: Actor, user_id: str, reason: str) -> str:
    """The proposal's id; nothing is forgotten yet.

    Raises Refused: "no_right", "second_factor.needed", "second_factor.again", "not_yours", "people.self",
    "people.wider", "reason.missing", "second_factor.none", "second_factor.alone" (no second administrator could
    confirm it); Conflict("second_factor.reset_there").
    """
    actor, now = actor.need(Right.PEOPLE), ctx.wall.now()
    if not reason.strip():
        raise Refused("reason.missing")
    with ctx.db.write() as session:
        user = wholly_theirs(session, actor, user_id, now)
        if user.factor_at is None:
            raise Refused("second_factor.none")
        if open_one(session, user.id, now) is not None:
            raise Conflict("second_factor.reset_there")
        if not [one for one in administrators(ctx, session, user, now) if one.id != actor.id]:
            raise Refused("second_factor.alone", name=user.name)
        actor.freshly(now, ctx.people.fresh_code)
        made = FactorReset(
            id=ctx.ids.new("fr"),
            user_id=user.id,
            asked_by=actor.id,
            asked_at=now,
            expires_at=now + ctx.people.factor_reset,
            reason=reason.strip()[:LONG_TEXT],
        )
        session.add(made)
        told = {"reason": made.reason, "until": made.expires_at.isoformat()}
        audit.record(session, now, actor.name, "second_factor.forget_asked", user.id, told)
        return made.id


def confirm(ctx: Context, actor: Actor, user_id: str) -> None:
    """By another person than who proposed it: the factor is forgotten, sessions end.

    Raises Refused: "no_right", "second_factor.needed", "second_factor.again", "not_yours", "people.self",
    "people.wider", "second_factor.reset_own"; Conflict("second_factor.reset_over"), also where who proposed it could
    do so no more.
    """
    actor, now = actor.need(Right.PEOPLE), ctx.wall.now()
    with ctx.db.write() as session:
        user = wholly_theirs(session, actor, user_id, now)
        found = _still_open(session, user.id, now)
        if found.asked_by == actor.id:
            raise Refused("second_factor.reset_own")
        if found.asked_by not in {one.id for one in administrators(ctx, session, user, now)}:
            raise Conflict("second_factor.reset_over")
        actor.freshly(now, ctx.people.fresh_code)
        found.ended_at, found.ended_by, found.confirmed = now, actor.name, True
        asked = session.get_one(User, found.asked_by).name
        _forget(session, user, now, actor.name, {"reason": found.reason, "asked_by": asked})


def drop(ctx: Context, actor: Actor, user_id: str) -> None:
    """By any administrator of the person, also by who proposed it. Raises Refused: "no_right", "second_factor.needed",
    "not_yours", "people.self"; Conflict("second_factor.reset_over")."""
    actor, now = actor.need(Right.PEOPLE), ctx.wall.now()
    with ctx.db.write() as session:
        user = wholly_theirs(session, actor, user_id, now)
        found = _still_open(session, user.id, now)
        found.ended_at, found.ended_by = now, actor.name
        audit.record(session, now, actor.name, "second_factor.forget_dropped", user.id, {"reason": found.reason})


def alone(ctx: Context, session: Session, user: User, reason: str, by: str) -> None:
    """For whoever sits at the machine itself, where two administrators cannot do it.

    Raises Refused: "reason.missing", "second_factor.none", "second_factor.two" (they are there, and it is theirs).
    """
    now = ctx.wall.now()
    if not reason.strip():
        raise Refused("reason.missing")
    if user.factor_at is None:
        raise Refused("second_factor.none")
    there = administrators(ctx, session, user, now)
    if len(there) > 1:
        raise Refused("second_factor.two", names=", ".join(one.name for one in there))
    if (found := open_one(session, user.id, now)) is not None:
        found.ended_at, found.ended_by, found.confirmed = now, by, True
    _forget(session, user, now, by, {"reason": reason.strip()[:LONG_TEXT], "administrators": len(there)})


def open_one(session: Session, user_id: str, now: datetime) -> FactorReset | None:
    wanted = select(FactorReset).where(FactorReset.user_id == user_id, FactorReset.ended_at.is_(None))
    return session.scalar(wanted.where(FactorReset.expires_at > now).limit(1))


def administrators(ctx: Context, session: Session, user: User, now: datetime) -> Sequence[User]:
    """Who could do it for this person: accounts in use that look after every area where he holds anything."""
    areas = held_areas(session, user.id, now) | {user.area_id}
    found = []
    for one in session.scalars(select(User).where(User.disabled_at.is_(None), User.id != user.id).order_by(User.name)):
        if not one.password_hash or accounts.unused_since(one, now, ctx.people):
            continue
        actor = Actor(one.id, one.name, one.full_name, grants_of(session, one.id, now), one.language)
        if areas <= actor.within(Right.PEOPLE):
            found.append(one)
    return found


def _still_open(session: Session, user_id: str, now: datetime) -> FactorReset:
    found = open_one(session, user_id, now)
    if found is None:
        raise Conflict("second_factor.reset_over")
    return found


def _forget(session: Session, user: User, now: datetime, by: str, told: dict[str, object]) -> None:
    factors.forget(session, user)
    accounts.end_sessions(session, user.id, now)
    audit.record(session, now, by, "second_factor.forget", user.id, told)
