"""Accounts: log in, stay logged in, log out, first password. Second factors and invitations are another chapter."""

from __future__ import annotations

import hashlib
import logging
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError
from sqlalchemy import select, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from broadcasts.errors import Fault, Refused
from controller.db.tables import LoginSession, RoleGrant, User
from controller.services import audit
from controller.services.context import Context
from controller.services.rights import Actor, Role, grants_of

log = logging.getLogger(__name__)

MAX_TRIES = 5
"""R-117 (second hand): lock after at most 5 wrong tries."""
LOCKED_FOR = timedelta(hours=12)
SESSION = timedelta(hours=12)
"""A working day; the idle end of R-118 comes with the settings of R-112 to R-119."""
MIN_PASSWORD = 14
"""R-114 (second hand): 14 characters where there is no second factor."""

_HASHER = PasswordHasher()
_AT_ONCE = threading.BoundedSemaphore(2)
"""Each hash takes 64 MiB and all it can get of the cores: a crowd of tries must wait, not the broadcasts."""
_IN_LINE = threading.BoundedSemaphore(8)
"""Who waits keeps a thread from the pages: whoever comes to a longer line is sent away at once."""
PATIENCE_S = 10.0
"""How long one waits for his turn."""


@cache
def _nobody() -> str:
    """Verified against when there is no such account, so that both answers take the same time."""
    return _hash("nobody")


def one_time_password() -> str:
    """Four groups of four letters and digits that are not mistaken for each other: about 77 bits."""
    alphabet = "abcdefghjkmnpqrstuvwxyz23456789"
    return "-".join("".join(secrets.choice(alphabet) for _ in range(4)) for _ in range(4))


@dataclass(frozen=True)
class FirstPassword:
    """Made before the transaction: hashing takes its time on purpose. The word itself is stored nowhere."""

    word: str
    hash: str

    @classmethod
    def make(cls) -> FirstPassword:
        word = one_time_password()
        return cls(word, _hash(word))


def create_user(
    ctx: Context, session: Session, first: FirstPassword, name: str, full_name: str, role: Role, area: str, by: str
) -> User:
    """The account, which must change `first` at its first log-in. Raises Refused("user.taken")."""
    if session.scalar(select(User.id).where(User.name == name)) is not None:
        raise Refused("user.taken", name=name)
    user = User(
        id=ctx.ids.new("u"),
        name=name,
        full_name=full_name,
        area_id=area,
        password_hash=first.hash,
        must_change=True,
        created_at=ctx.wall.now(),
    )
    session.add(user)
    session.flush()
    session.add(RoleGrant(user_id=user.id, role=role, area_id=area, since=ctx.wall.now(), granted_by=by))
    audit.record(session, ctx.wall.now(), by, "user.create", user.id, {"name": name, "role": role, "area": area})
    return user


def log_in(ctx: Context, name: str, password: str) -> str:
    """The token for the cookie. Raises Refused: "login.wrong" (which of both is never said), "login.locked",
    "login.busy" (too many at once; no try was counted)."""
    now = ctx.wall.now()
    name = name.replace("\x00", "")  # which PostgreSQL takes in no text
    with ctx.db.read() as session:
        user = session.scalar(select(User).where(User.name == name, User.disabled_at.is_(None)))
    right = _verify(user.password_hash if user else _nobody(), password)
    with ctx.db.write() as session:
        if user is None:
            failure: Refused | None = _note_stranger(session, name, now)
        else:
            failure = _count_try(session, user.id, right, now)
        token = secrets.token_urlsafe(32)
        if failure is None and user is not None:
            session.add(
                LoginSession(
                    token_sha256=_sha256(token),
                    id=ctx.ids.new("ls"),
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


def _note_stranger(session: Session, name: str, now: datetime) -> Refused:
    audit.record(session, now, "-", "login.wrong", name[:60])
    return Refused("login.wrong")


def _count_try(session: Session, user_id: str, right: bool, now: datetime) -> Refused | None:
    """The caller raises what comes back after the transaction, which keeps the count."""
    user = session.get_one(User, user_id)
    if user.locked_until is not None and user.locked_until > now:
        audit.record(session, now, user.name, "login.locked", user.id)
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

    Raises Refused: "login.wrong", "login.locked", "login.busy", "password.first" while the one-time password was not
    changed.
    """
    now = ctx.wall.now()
    name = name.replace("\x00", "")
    with ctx.db.read() as session:
        user = session.scalar(select(User).where(User.name == name, User.disabled_at.is_(None)))
        locked = user is not None and user.locked_until is not None and user.locked_until > now
        actor = _actor(session, user, "", now) if user else None
    right = _verify(user.password_hash if user else _nobody(), password)
    if user is None or actor is None:
        with ctx.db.write() as session:
            stranger = _note_stranger(session, name, now)
        raise stranger
    if not right or locked or user.failed:
        with ctx.db.write() as session:
            failure = _count_try(session, user.id, right, now)
        if failure is not None:
            raise failure
    if actor.must_change:
        raise Refused("password.first")
    return actor


def who(ctx: Context, token: str) -> Actor | None:
    """Whose cookie this is, or none. Touches the session at most once a minute; where that cannot be written, as on a
    full disk, people go on looking."""
    now = ctx.wall.now()
    with ctx.db.read() as session:
        found = session.get(LoginSession, _sha256(token))
        if found is None or found.ended_at is not None or now - found.created_at > SESSION:
            return None
        user = session.get_one(User, found.user_id)
        if user.disabled_at is not None:
            return None
        actor = _actor(session, user, found.form_token, now)
    if now - found.seen_at > timedelta(minutes=1):
        try:
            with ctx.db.write() as session:
                session.get_one(LoginSession, found.token_sha256).seen_at = now
        except (Fault, OperationalError) as failure:
            log.warning("the session of %s could not be touched: %s", actor.name, failure)
    return actor


def _actor(session: Session, user: User, form_token: str, now: datetime) -> Actor:
    return Actor(
        id=user.id,
        name=user.name,
        full_name=user.full_name,
        grants=grants_of(session, user.id, now),
        language=user.language,
        home=user.area_id,
        strong=True,
        owes="password" if user.must_change else "",
        form_token=form_token,
    )


def actor_by_name(session: Session, name: str, now: datetime) -> Actor:
    """For the command line. Raises Refused("user.unknown")."""
    user = session.scalar(select(User).where(User.name == name))
    if user is None:
        raise Refused("user.unknown", name=name)
    return _actor(session, user, "", now)


def log_out(ctx: Context, token: str) -> None:
    with ctx.db.write() as session:
        found = session.get(LoginSession, _sha256(token))
        if found is not None and found.ended_at is None:
            found.ended_at = ctx.wall.now()
            audit.record(session, ctx.wall.now(), session.get_one(User, found.user_id).name, "logout", found.user_id)


def change_password(ctx: Context, actor: Actor, old: str, new: str) -> None:
    """Ends every session of this person but the one that `actor` came with. A wrong old password counts as at log-in:
    whoever sits at a page left open must not have more tries than a stranger.

    Raises Refused: "login.wrong", "login.locked", "login.busy", "password.short" (fewer than 14 characters),
    "password.same".
    """
    if len(new) < MIN_PASSWORD:
        raise Refused("password.short", least=MIN_PASSWORD)
    if new == old:
        raise Refused("password.same")
    with ctx.db.read() as session:
        stored = session.get_one(User, actor.id).password_hash
    right = _verify(stored, old)
    fresh = _hash(new) if right else ""
    now = ctx.wall.now()
    with ctx.db.write() as session:
        user = session.get_one(User, actor.id)
        # Changed or reset while we hashed: then it is the old one no more.
        failure = _count_try(session, user.id, right and user.password_hash == stored, now)
        if failure is None:
            user.password_hash, user.must_change = fresh, False
            _end_sessions(session, user.id, now, but=actor.form_token)
            audit.record(session, now, actor.name, "password.change", actor.id)
    if failure is not None:
        raise failure


def _end_sessions(session: Session, user_id: str, now: datetime, but: str = "") -> None:
    """`but`: the form token of the one that goes on."""
    session.execute(
        update(LoginSession)
        .where(LoginSession.user_id == user_id, LoginSession.ended_at.is_(None), LoginSession.form_token != but)
        .values(ended_at=now)
    )


def reset_password(ctx: Context, name: str, by: str) -> str:
    """A new one-time password; unlocks the account, ends its sessions. Raises Refused("user.unknown")."""
    password = one_time_password()
    fresh = _hash(password)
    with ctx.db.write() as session:
        user = session.scalar(select(User).where(User.name == name))
        if user is None:
            raise Refused("user.unknown", name=name)
        user.password_hash, user.must_change, user.failed, user.locked_until = fresh, True, 0, None
        _end_sessions(session, user.id, ctx.wall.now())
        audit.record(session, ctx.wall.now(), by, "password.reset", user.id)
    return password


def set_language(ctx: Context, actor: Actor, language: str) -> None:
    with ctx.db.write() as session:
        session.get_one(User, actor.id).language = language


def _verify(stored: str, password: str) -> bool:
    try:
        with _turn():
            return _HASHER.verify(stored, password)
    except (VerifyMismatchError, InvalidHashError):
        return False


def _hash(password: str) -> str:
    with _turn():
        return _HASHER.hash(password)


@contextmanager
def _turn() -> Iterator[None]:
    """Raises Refused("login.busy")."""
    if not _IN_LINE.acquire(blocking=False):
        raise Refused("login.busy")
    try:
        if not _AT_ONCE.acquire(timeout=PATIENCE_S):
            raise Refused("login.busy")
        try:
            yield
        finally:
            _AT_ONCE.release()
    finally:
        _IN_LINE.release()


def _sha256(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
