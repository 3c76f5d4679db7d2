"""Accounts: log in, stay logged in, log out, first password. Second factors and invitations are another chapter."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError
from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.errors import Refused
from controller.db.tables import LoginSession, User
from controller.services import audit
from controller.services.context import Context
from controller.services.rights import Actor, Role, below

MAX_TRIES = 5
"""R-117 (second hand): lock after at most 5 wrong tries."""
LOCKED_FOR = timedelta(hours=12)
IDLE = timedelta(minutes=15)
"""R-118 (second hand): idle end of a user's session. The commune's day is longer: see `SESSION`."""
SESSION = timedelta(hours=12)
MIN_PASSWORD = 14
"""R-114 (second hand): 14 characters where there is no second factor."""

_HASHER = PasswordHasher()


@cache
def _nobody() -> str:
    """Verified against when there is no such account, so that both answers take the same time."""
    return _HASHER.hash("nobody")


def one_time_password() -> str:
    """Four groups of four letters and digits that are not mistaken for each other: about 77 bits."""
    alphabet = "abcdefghjkmnpqrstuvwxyz23456789"
    return "-".join("".join(secrets.choice(alphabet) for _ in range(4)) for _ in range(4))


def create_user(
    ctx: Context, session: Session, name: str, full_name: str, role: Role, area: str, by: str
) -> tuple[User, str]:
    """The account and its one-time password, which is stored nowhere. Raises Refused("user.taken")."""
    if session.scalar(select(User.id).where(User.name == name)) is not None:
        raise Refused("user.taken", name=name)
    password = one_time_password()
    user = User(
        id=ctx.ids.new("u"),
        name=name,
        full_name=full_name,
        role=role,
        area_id=area,
        password_hash=_HASHER.hash(password),
        must_change=True,
        created_at=ctx.wall.now(),
    )
    session.add(user)
    audit.record(session, ctx.wall.now(), by, "user.create", user.id, {"name": name, "role": role, "area": area})
    return user, password


def log_in(ctx: Context, name: str, password: str) -> str:
    """The token for the cookie. Raises Refused: "login.wrong" (which of both is never said), "login.locked"."""
    now = ctx.wall.now()
    name = name.replace("\x00", "")  # which PostgreSQL takes in no text
    with ctx.db.read() as session:
        user = session.scalar(select(User).where(User.name == name, User.disabled_at.is_(None)))
    right = _verify(user.password_hash if user else _nobody(), password)
    with ctx.db.write() as session:
        if user is None:
            audit.record(session, now, "-", "login.wrong", name[:60])
            failure: Refused | None = Refused("login.wrong")
        else:
            failure = _count_try(session, user.id, right, now)
        token = secrets.token_urlsafe(32)
        if failure is None and user is not None:
            session.add(
                LoginSession(
                    token_sha256=_sha256(token),
                    user_id=user.id,
                    form_token=secrets.token_urlsafe(24),
                    created_at=now,
                    seen_at=now,
                )
            )
            audit.record(session, now, user.name, "login", user.id)
    if failure is not None:
        raise failure
    return token


def _count_try(session: Session, user_id: str, right: bool, now: datetime) -> Refused | None:
    user = session.get_one(User, user_id)
    if user.locked_until is not None and user.locked_until > now:
        return Refused("login.locked", until=user.locked_until)
    if right:
        user.failed, user.locked_until = 0, None
        return None
    user.failed += 1
    audit.record(session, now, user.name, "login.wrong", user.id, {"tries": user.failed})
    if user.failed >= MAX_TRIES:
        user.failed, user.locked_until = 0, now + LOCKED_FOR
        return Refused("login.locked", until=user.locked_until)
    return Refused("login.wrong")


def actor_by_password(ctx: Context, name: str, password: str) -> Actor:
    """For scripts that send name and password with each request; wrong tries count as at log-in.

    Raises Refused: "login.wrong", "login.locked", "password.first" while the one-time password was not changed.
    """
    now = ctx.wall.now()
    name = name.replace("\x00", "")
    with ctx.db.read() as session:
        user = session.scalar(select(User).where(User.name == name, User.disabled_at.is_(None)))
        locked = user is not None and user.locked_until is not None and user.locked_until > now
        actor = _actor(session, user, "") if user else None
    right = _verify(user.password_hash if user else _nobody(), password)
    if user is None or actor is None:
        raise Refused("login.wrong")
    if not right or locked or user.failed:
        with ctx.db.write() as session:
            failure = _count_try(session, user.id, right, now)
        if failure is not None:
            raise failure
    if actor.must_change:
        raise Refused("password.first")
    return actor


def who(ctx: Context, token: str) -> Actor | None:
    """Whose cookie this is, or none. Touches the session at most once a minute."""
    now = ctx.wall.now()
    with ctx.db.read() as session:
        found = session.get(LoginSession, _sha256(token))
        if found is None or found.ended_at is not None or now - found.created_at > SESSION:
            return None
        user = session.get_one(User, found.user_id)
        if user.disabled_at is not None:
            return None
        actor = _actor(session, user, found.form_token)
    if now - found.seen_at > timedelta(minutes=1):
        with ctx.db.write() as session:
            session.get_one(LoginSession, found.token_sha256).seen_at = now
    return actor


def _actor(session: Session, user: User, form_token: str) -> Actor:
    return Actor(
        id=user.id,
        name=user.name,
        full_name=user.full_name,
        role=Role(user.role),
        area=user.area_id,
        areas=below(session, user.area_id),
        language=user.language,
        must_change=user.must_change,
        form_token=form_token,
    )


def actor_by_name(session: Session, name: str) -> Actor:
    """For the command line. Raises Refused("user.unknown")."""
    user = session.scalar(select(User).where(User.name == name))
    if user is None:
        raise Refused("user.unknown", name=name)
    return _actor(session, user, "")


def log_out(ctx: Context, token: str) -> None:
    with ctx.db.write() as session:
        found = session.get(LoginSession, _sha256(token))
        if found is not None and found.ended_at is None:
            found.ended_at = ctx.wall.now()
            audit.record(session, ctx.wall.now(), session.get_one(User, found.user_id).name, "logout", found.user_id)


def change_password(ctx: Context, actor: Actor, old: str, new: str) -> None:
    """Raises Refused: "login.wrong", "password.short" (fewer than 14 characters), "password.same"."""
    if len(new) < MIN_PASSWORD:
        raise Refused("password.short", least=MIN_PASSWORD)
    if new == old:
        raise Refused("password.same")
    with ctx.db.read() as session:
        stored = session.get_one(User, actor.id).password_hash
    if not _verify(stored, old):
        raise Refused("login.wrong")
    fresh = _HASHER.hash(new)
    with ctx.db.write() as session:
        user = session.get_one(User, actor.id)
        user.password_hash, user.must_change = fresh, False
        audit.record(session, ctx.wall.now(), actor.name, "password.change", actor.id)


def reset_password(ctx: Context, name: str, by: str) -> str:
    """A new one-time password; unlocks the account, ends its sessions. Raises Refused("user.unknown")."""
    password = one_time_password()
    fresh = _HASHER.hash(password)
    with ctx.db.write() as session:
        user = session.scalar(select(User).where(User.name == name))
        if user is None:
            raise Refused("user.unknown", name=name)
        user.password_hash, user.must_change, user.failed, user.locked_until = fresh, True, 0, None
        for open_session in session.scalars(
            select(LoginSession).where(LoginSession.user_id == user.id, LoginSession.ended_at.is_(None))
        ):
            open_session.ended_at = ctx.wall.now()
        audit.record(session, ctx.wall.now(), by, "password.reset", user.id)
    return password


def set_language(ctx: Context, actor: Actor, language: str) -> None:
    with ctx.db.write() as session:
        session.get_one(User, actor.id).language = language


def _verify(stored: str, password: str) -> bool:
    try:
        return _HASHER.verify(stored, password)
    except (VerifyMismatchError, InvalidHashError):
        return False


def _sha256(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
