"""People of an area: who is there, invitations, roles, locks. Every act is done by somebody else than the person it
concerns, and stands in the audit log with its reason (R-112, R-113, R-119, R-120)."""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Select, or_, select
from sqlalchemy.orm import Session

from broadcasts.errors import Refused
from controller.db.tables import Area, Delegation, FactorReset, Invitation, RoleGrant, Station, User
from controller.services import accounts, audit, passwords
from controller.services.areas import ORDER, standing_on
from controller.services.context import Context
from controller.services.own_exceptions import standing
from controller.services.rights import APART, Actor, Right, Role, below

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{1,58}[a-z0-9]\Z")
_PAIR = frozenset({Role.BROADCASTER, Role.APPROVER})


@dataclass(frozen=True)
class Line:
    """One account as its administrators see it. `waits`: an invitation lies open."""

    user: User
    area: str
    grants: list[RoleGrant]
    areas: dict[str, str]
    """Names of the areas of the grants."""
    locked: bool
    unused: bool
    review_due: bool
    waits: bool
    password_old: bool
    reset: FactorReset | None = None
    """A proposal to forget the second factor that waits for a second person."""
    reset_by: str = ""


def people(ctx: Context, session: Session, actor: Actor, only: str | None = None) -> list[Line]:
    """The accounts of the actor's area, by name. Raises Refused("no_right", "second_factor.needed")."""
    actor = actor.need(Right.PEOPLE, Right.UNLOCK)
    wanted = select(User).where(User.area_id.in_(actor.areas)).order_by(User.name)
    if only is not None:
        wanted = wanted.where(User.id == only)
    now = ctx.wall.now()
    open_ones = set(
        session.scalars(select(Invitation.user_id).where(Invitation.used_at.is_(None), Invitation.expires_at > now))
    )
    names = {row[0]: row[1] for row in session.execute(select(Area.id, Area.name))}
    resets = {row[0].user_id: (row[0], row[1]) for row in session.execute(_open_resets(now))}
    found = []
    for user in session.scalars(wanted):
        reset, reset_by = resets.get(user.id, (None, ""))
        grants = list(session.scalars(_held(user.id, now).order_by(RoleGrant.id)))
        found.append(
            Line(
                user=user,
                area=names[user.area_id],
                grants=grants,
                areas={grant.area_id: names[grant.area_id] for grant in grants},
                locked=user.locked_until is not None and user.locked_until > now,
                unused=accounts.unused_since(user, now, ctx.people),
                review_due=now - (user.reviewed_at or user.created_at) > ctx.people.review,
                waits=user.id in open_ones,
                password_old=accounts.password_is_old(user, now, ctx.people),
                reset=reset,
                reset_by=reset_by,
            )
        )
    return found


def _open_resets(now: datetime) -> Select[FactorReset, str]:
    return (
        select(FactorReset, User.full_name)
        .join(User, FactorReset.asked_by == User.id)
        .where(FactorReset.ended_at.is_(None), FactorReset.expires_at > now)
    )


def person(ctx: Context, session: Session, actor: Actor, user_id: str) -> Line:
    """Raises Refused("not_yours") for whoever works elsewhere or nowhere."""
    found = people(ctx, session, actor, user_id)
    if not found:
        raise Refused("not_yours")
    return found[0]


def areas(session: Session, actor: Actor, today: date) -> list[Area]:
    """Where the actor may give roles, of what stands today, the province first."""
    within = actor.need(Right.PEOPLE).areas
    found = session.scalars(select(Area).where(Area.id.in_(within), standing_on(today)).order_by(Area.name))
    return sorted(found, key=lambda area: ORDER.get(area.kind, 3))


def invite(ctx: Context, actor: Actor, name: str, full_name: str, role: Role, area: str) -> tuple[str, str]:
    """A new account that sets its password by the code's link. Returns its id and the code, which is stored nowhere.

    Raises Refused: "no_right", "second_factor.needed", "not_yours" (an area elsewhere), "user.name", "user.taken",
    "user.full_name".
    """
    actor, now, code = actor.need(Right.PEOPLE), ctx.wall.now(), _code()
    if not NAME.fullmatch(name):
        raise Refused("user.name", name=name[:60])
    if not full_name.strip():
        raise Refused("user.full_name")
    with ctx.db.write() as session:
        if area not in actor.areas:
            raise Refused("not_yours")
        if session.scalar(select(User.id).where(User.name == name)) is not None:
            raise Refused("user.taken", name=name)
        user = User(
            id=ctx.ids.new("u"),
            name=name,
            full_name=full_name.strip()[:120],
            area_id=area,
            password_hash="",
            created_at=now,
        )
        session.add(user)
        session.flush()
        add_grant(session, user, role, area, now, None, actor.name, now)
        _invite(ctx, session, user, code, actor.name, now)
        return user.id, code


def invite_again(ctx: Context, actor: Actor, user_id: str) -> str:
    """A new link, for a lost one or a forgotten password. What was open before is worth nothing; the old password
    goes on until the new link is taken up. Raises Refused: "no_right", "not_yours", "people.self",
    "people.wider" (roles beyond the actor's area)."""
    actor, now, code = actor.need(Right.PEOPLE), ctx.wall.now(), _code()
    with ctx.db.write() as session:
        user = wholly_theirs(session, actor, user_id, now)
        for row in session.scalars(
            select(Invitation).where(Invitation.user_id == user.id, Invitation.used_at.is_(None))
        ):
            row.expires_at = min(row.expires_at, now)
        _invite(ctx, session, user, code, actor.name, now)
    return code


def _invite(ctx: Context, session: Session, user: User, code: str, by: str, now: datetime) -> None:
    until = now + ctx.people.invitation
    session.add(Invitation(code_sha256=_sha256(code), user_id=user.id, made_at=now, made_by=by, expires_at=until))
    audit.record(session, now, by, "user.invite", user.id, {"name": user.name, "until": until.isoformat()})


def invited(ctx: Context, code: str) -> tuple[User, bool]:
    """Whose link this is, and whether a second factor will stand beside the password. Raises
    Refused("invitation.unknown"): wrong, used, or too old."""
    now = ctx.wall.now()
    with ctx.db.read() as session:
        user = session.get_one(User, _open_one(session, code, now).user_id)
        roles = [Role(row.role) for row in session.scalars(_held(user.id, now))]
        return user, accounts.has_factor(ctx, roles, user)


def accept(ctx: Context, code: str, password: str, client: str = "") -> str:
    """The person's own password; the link is used up, all sessions end. Returns the token of a new session.

    Raises Refused: "invitation.unknown", what `passwords.check` raises, "password.former", "login.busy".
    """
    user, strong = invited(ctx, code)
    passwords.check(ctx.people, password, (user.name, user.full_name), strong=strong)
    if accounts.is_former(ctx.people, user, password):
        raise Refused("password.former", n=ctx.people.former)
    fresh, now = accounts.hash_of(password), ctx.wall.now()
    with ctx.db.write() as session:
        row = _open_one(session, code, now)
        row.used_at = now
        user = session.get_one(User, row.user_id)
        accounts.set_hash(user, fresh, now, ctx.people)
        user.failed, user.locks, user.locked_until, user.reviewed_at = 0, 0, None, now
        accounts.end_sessions(session, user.id, now)
        audit.record(session, now, user.name, "invitation.accept", user.id, {"by": row.made_by})
        return accounts.open_session(ctx, session, user, client, now)


def _open_one(session: Session, code: str, now: datetime) -> Invitation:
    row = session.get(Invitation, _sha256(code))
    if row is None or row.used_at is not None or row.expires_at <= now:
        raise Refused("invitation.unknown")
    if session.get_one(User, row.user_id).disabled_at is not None:
        raise Refused("invitation.unknown")
    return row


def grant(
    ctx: Context,
    actor: Actor,
    user_id: str,
    role: Role,
    area: str,
    since: datetime | None = None,
    until: datetime | None = None,
) -> None:
    """Nobody gives a role to himself, or one in an area that he does not look after.

    Raises Refused: "no_right", "second_factor.needed", "not_yours", "people.self", "grant.apart" (two roles that one
    person must not hold at one station), "grant.there", "grant.time".
    """
    actor, now = actor.need(Right.PEOPLE), ctx.wall.now()
    with ctx.db.write() as session:
        user = _theirs(session, actor, user_id)
        if area not in actor.areas:
            raise Refused("not_yours")
        add_grant(session, user, role, area, max(since or now, now), until, actor.name, now)


def add_grant(
    session: Session, user: User, role: Role, area: str, since: datetime, until: datetime | None, by: str, now: datetime
) -> None:
    """Raises Refused: "grant.apart", "grant.there", "grant.time"."""
    if until is not None and until <= since:
        raise Refused("grant.time")
    mine = below(session, area)
    exceptions: list[str] = []
    for other in session.scalars(_held(user.id, now)):
        if (other.until is not None and other.until <= since) or (until is not None and other.since >= until):
            continue
        if other.role == role and other.area_id == area:
            raise Refused("grant.there", role=role)
        pair = frozenset({role, Role(other.role)})
        both = mine & below(session, other.area_id)
        if pair not in APART or not both:
            continue
        stations = session.execute(select(Station.name, Station.id).where(Station.area_id.in_(both))).all()
        allowed = [standing(session, row[1], now) is not None for row in stations]
        if pair != _PAIR or not stations or not all(allowed):
            raise Refused("grant.apart", role=role, other=other.role)
        exceptions += [row[0] for row in stations]
    session.add(RoleGrant(user_id=user.id, role=role, area_id=area, since=since, until=until, granted_by=by))
    told = {"role": role, "area": area, "since": since.isoformat(), "until": until.isoformat() if until else None}
    audit.record(
        session, now, by, "role.grant", user.id, told | ({"exceptions": exceptions} if exceptions else {}), area
    )


def end_grant(ctx: Context, actor: Actor, user_id: str, grant_id: int, reason: str = "") -> None:
    """Raises Refused: "no_right", "not_yours", "people.self"."""
    actor, now = actor.need(Right.PEOPLE), ctx.wall.now()
    with ctx.db.write() as session:
        user = _theirs(session, actor, user_id)
        row = session.get(RoleGrant, grant_id)
        if row is None or row.user_id != user.id or row.area_id not in actor.areas:
            raise Refused("not_yours")
        if row.until is None or row.until > now:
            row.until = now
            told = {"role": row.role, "area": row.area_id, "reason": reason[:200]}
            audit.record(session, now, actor.name, "role.end", user.id, told, row.area_id)


def unlock(ctx: Context, actor: Actor, user_id: str, reason: str) -> None:
    """The way in during an emergency (R-117, TCVN 14423:2026, 4.5.2.2 b): another person who may, by name and with a
    reason. It opens no door by itself: password and code are asked as ever.

    Raises Refused: "no_right", "second_factor.needed", "not_yours", "people.self", "reason.missing".
    """
    actor = actor.need(Right.UNLOCK)
    with ctx.db.write() as session:
        unlock_now(session, _theirs(session, actor, user_id), reason, actor.name, ctx.wall.now())


def unlock_now(session: Session, user: User, reason: str, by: str, now: datetime) -> None:
    if not reason.strip():
        raise Refused("reason.missing")
    user.failed, user.locks, user.locked_until = 0, 0, None
    audit.record(session, now, by, "account.unlock", user.id, {"reason": reason.strip()[:200]})


def disable(ctx: Context, actor: Actor, user_id: str, reason: str) -> None:
    """Out at once, in every session. Raises as `unlock`, and Refused("people.wider")."""
    actor, now = actor.need(Right.PEOPLE), ctx.wall.now()
    with ctx.db.write() as session:
        disable_now(session, wholly_theirs(session, actor, user_id, now), reason, actor.name, now)


def disable_now(session: Session, user: User, reason: str, by: str, now: datetime) -> None:
    if not reason.strip():
        raise Refused("reason.missing")
    user.disabled_at = user.disabled_at or now
    accounts.end_sessions(session, user.id, now)
    audit.record(session, now, by, "user.disable", user.id, {"reason": reason.strip()[:200]})


def enable(ctx: Context, actor: Actor, user_id: str) -> None:
    """Back again, with the password from before. Raises Refused: "no_right", "not_yours", "people.self",
    "people.wider"."""
    actor, now = actor.need(Right.PEOPLE), ctx.wall.now()
    with ctx.db.write() as session:
        user = wholly_theirs(session, actor, user_id, now)
        user.disabled_at, user.reviewed_at = None, now
        audit.record(session, now, actor.name, "user.enable", user.id)


def review(ctx: Context, actor: Actor, user_id: str) -> None:
    """Somebody looked: this person should have this account with these roles (R-119)."""
    actor, now = actor.need(Right.PEOPLE), ctx.wall.now()
    with ctx.db.write() as session:
        user = _theirs(session, actor, user_id)
        user.reviewed_at = now
        roles = [[row.role, row.area_id] for row in session.scalars(_held(user.id, now))]
        audit.record(session, now, actor.name, "user.review", user.id, {"roles": roles})


def _held(user: str, now: datetime) -> Select[RoleGrant]:
    """Grants that hold now or later."""
    return select(RoleGrant).where(RoleGrant.user_id == user, or_(RoleGrant.until.is_(None), RoleGrant.until > now))


def _theirs(session: Session, actor: Actor, user_id: str) -> User:
    user = session.get(User, user_id)
    if user is None or user.area_id not in actor.areas:
        raise Refused("not_yours")
    if user.id == actor.id:
        raise Refused("people.self")
    return user


def wholly_theirs(session: Session, actor: Actor, user_id: str, now: datetime) -> User:
    """For what gives an account out of hand, or takes it: whoever looks after a commune must not come by a right in
    the province with the account of somebody who only works in that commune. Raises Refused("people.wider") besides.
    """
    user = _theirs(session, actor, user_id)
    if not held_areas(session, user.id, now) <= actor.areas:
        raise Refused("people.wider")
    return user


def held_areas(session: Session, user: str, now: datetime) -> set[str]:
    """Where this person holds a role or was lent a right, now or later."""
    lent = select(Delegation.area_id).where(
        Delegation.to_id == user, Delegation.ended_at.is_(None), Delegation.until > now
    )
    return {row.area_id for row in session.scalars(_held(user, now))} | set(session.scalars(lent))


def _code() -> str:
    return secrets.token_urlsafe(24)


def _sha256(code: str) -> str:
    return hashlib.sha256(code.encode()).hexdigest()
