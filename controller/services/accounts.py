"""Accounts: log in, stay logged in, log out, change the password. Codes are in `factors`, invitations in `people`."""

from __future__ import annotations

import hashlib
import logging
import secrets
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError
from sqlalchemy import select, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from broadcasts.errors import Fault, Refused
from controller.db.tables import LoginSession, RoleGrant, User
from controller.services import audit, factors, passwords, tries
from controller.services.account_rules import AccountRules
from controller.services.context import Context
from controller.services.rights import Actor, Grant, Right, Role, below, grants_of, needs_factor

log = logging.getLogger(__name__)

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


def log_in(ctx: Context, name: str, password: str, code: str = "", client: str = "") -> str:
    """The token for the cookie. Without a `code` the session of a person with a second factor opens nothing until one
    was given (`factors.give`). `client`: what the browser says of itself.

    Raises Refused: "login.wrong" (which of both is never said), "code.wrong", "login.locked", "login.unused" (nobody
    used the account for too long, R-119), "login.busy" (too many at once; no try was counted).
    """
    now = ctx.wall.now()
    name = name.replace("\x00", "")  # which PostgreSQL takes in no text
    with ctx.db.read() as session:
        found = session.scalar(select(User).where(User.name == name, User.disabled_at.is_(None)))
    right = _verify(found.password_hash if found else _nobody(), password)
    token, failure = "", None
    with ctx.db.write() as session:
        if found is None:
            failure = tries.note_stranger(session, name, now)
        else:
            user = session.get_one(User, found.id)
            failure = _enter(ctx, session, user, right and user.password_hash == found.password_hash, code, now)
            if failure is None:
                token = open_session(ctx, session, user, client, now, strong=bool(code))
    if failure is not None:
        raise failure
    return token


def _enter(ctx: Context, session: Session, user: User, right: bool, code: str, now: datetime) -> Refused | None:
    wrong = "login.wrong"
    if right and code and user.factor_at is not None:
        right, wrong = factors.right(ctx, session, user, code, now), "code.wrong"
    whole = user.factor_at is None or bool(code)
    failure = tries.count(session, ctx.people, user, right, now, wrong, whole=whole)
    if failure is None and unused_since(user, now, ctx.people):
        audit.record(session, now, user.name, "login.unused", user.id)
        return Refused("login.unused", days=ctx.people.unused.days)
    return failure


def unused_since(user: User, now: datetime, rules: AccountRules) -> bool:
    """Whether the account lies fallow. A review or a new invitation wakes it."""
    last = max(at for at in (user.created_at, user.seen_at, user.reviewed_at) if at is not None)
    return now - last > rules.unused


def open_session(
    ctx: Context, session: Session, user: User, client: str, now: datetime, *, strong: bool = False
) -> str:
    """The token. `strong`: the second factor was given."""
    token = secrets.token_urlsafe(32)
    strong = strong and user.factor_at is not None
    user.seen_at = now
    factors.begin_anew(user)
    if strong or user.factor_at is None:
        user.locks = 0
    session.add(
        LoginSession(
            token_sha256=_sha256(token),
            id=ctx.ids.new("ls"),
            user_id=user.id,
            form_token=secrets.token_urlsafe(24),
            client=client.replace("\x00", "")[:160],
            created_at=now,
            seen_at=now,
            strong_at=now if strong else None,
        )
    )
    audit.record(session, now, user.name, "login", user.id, {"strong": strong})
    return token


def actor_by_password(ctx: Context, name: str, password: str) -> Actor:
    """For scripts that send name and password with each request; wrong tries count as at log-in. Only for accounts
    that have and need no second factor: the others open a session (`POST /api/v1/sessions`).

    Raises Refused: "login.wrong", "login.locked", "login.unused", "login.busy", "second_factor.session",
    "password.first" while the one-time password was not changed.
    """
    now = ctx.wall.now()
    name = name.replace("\x00", "")
    with ctx.db.read() as session:
        user = session.scalar(select(User).where(User.name == name, User.disabled_at.is_(None)))
        locked = user is not None and user.locked_until is not None and user.locked_until > now
        actor = _actor(session, user, None, now, ctx.people) if user else None
    right = _verify(user.password_hash if user else _nobody(), password)
    if user is None or actor is None:
        with ctx.db.write() as session:
            stranger = tries.note_stranger(session, name, now)
        raise stranger
    # A request with every breath would write with every breath: the day of the last use is enough here.
    stale = user.seen_at is None or now - user.seen_at > timedelta(days=1)
    if not right or locked or user.failed or stale:
        with ctx.db.write() as session:
            stored = session.get_one(User, user.id)
            failure = _enter(ctx, session, stored, right, "", now)
            if failure is None:
                stored.seen_at = now
        if failure is not None:
            raise failure
    if actor.must_change:
        raise Refused("password.first")
    if actor.owes:
        raise Refused("second_factor.session")
    return actor


def who(ctx: Context, token: str, *, touch: bool = True) -> Actor | None:
    """Whose cookie this is, or none. Touches the session at most once a minute, where that cannot be written, as on a
    full disk, people go on looking. `touch` is not for what a page asks by itself: it would never be idle (R-118)."""
    now, rules = ctx.wall.now(), ctx.people
    with ctx.db.read() as session:
        found = session.get(LoginSession, _sha256(token))
        if found is None or found.ended_at is not None or now - found.created_at > rules.session:
            return None
        user = session.get_one(User, found.user_id)
        if user.disabled_at is not None:
            return None
        actor = _actor(session, user, found, now, rules)
    if now - found.seen_at > (rules.administrator_idle if actor.may(Right.PEOPLE) else rules.idle):
        return None
    if touch and now - found.seen_at > timedelta(minutes=1):
        try:
            with ctx.db.write() as session:
                session.get_one(LoginSession, found.token_sha256).seen_at = now
        except (Fault, OperationalError) as failure:
            log.warning("the session of %s could not be touched: %s", actor.name, failure)
    return actor


def _actor(session: Session, user: User, found: LoginSession | None, now: datetime, rules: AccountRules) -> Actor:
    """`found`: the session it came with, none for name and password."""
    actor = Actor(
        id=user.id,
        name=user.name,
        full_name=user.full_name,
        grants=grants_of(session, user.id, now),
        language=user.language,
        home=user.area_id,
        form_token=found.form_token if found else "",
        session=found.id if found else "",
    )
    given = found is not None and found.strong_at is not None
    # Where the second factor is off, which only a demo can be, everybody counts as having given it.
    strong = given or (not rules.second_factor and user.factor_at is None)
    at = found.strong_at if found is not None and given else now if strong else None
    return replace(actor, strong=strong, strong_at=at, owes=_owed(actor, user, now, rules, given=given))


def _owed(actor: Actor, user: User, now: datetime, rules: AccountRules, *, given: bool) -> str:
    if user.factor_at is not None and not given:
        return "code"
    if user.must_change or (actor.may(Right.PEOPLE) and password_is_old(user, now, rules)):
        return "password"
    if rules.second_factor and user.factor_at is None and needs_factor(actor.roles):
        return "factor"
    return ""


def password_is_old(user: User, now: datetime, rules: AccountRules) -> bool:
    """An administrator's password is changed every so often (R-116)."""
    return now - (user.password_at or user.created_at) > rules.administrator_password


def actor_by_name(session: Session, name: str, now: datetime) -> Actor:
    """For the command line and the stories of a demo, which ask nobody for a code. Raises Refused("user.unknown")."""
    user = session.scalar(select(User).where(User.name == name))
    if user is None:
        raise Refused("user.unknown", name=name)
    grants = grants_of(session, user.id, now)
    return Actor(user.id, user.name, user.full_name, grants, user.language, user.area_id, strong=True, strong_at=now)


def stand_in(session: Session, name: str, role: Role, area: str, now: datetime) -> Actor:
    """Nobody's account: whoever acts in a demo or a story where no person has this role. The audit log knows the
    `name`."""
    grants = (Grant(role, area, below(session, area)),)
    return Actor(name, name, name, grants, "vi", area, strong=True, strong_at=now)


def log_out(ctx: Context, token: str) -> None:
    with ctx.db.write() as session:
        found = session.get(LoginSession, _sha256(token))
        if found is not None and found.ended_at is None:
            found.ended_at = ctx.wall.now()
            audit.record(session, ctx.wall.now(), session.get_one(User, found.user_id).name, "logout", found.user_id)


def change_password(ctx: Context, actor: Actor, old: str, new: str) -> None:
    """Ends every session of this person but the one that `actor` came with. A wrong old password counts as at log-in:
    whoever sits at a page left open must not have more tries than a stranger.

    Raises Refused: "login.wrong", "login.locked", "login.busy", what `passwords.check` raises, "password.same",
    "password.former" (one of the last ten, R-116).
    """
    if new == old:
        raise Refused("password.same")
    with ctx.db.read() as session:
        user = session.get_one(User, actor.id)
    stored = user.password_hash
    passwords.check(ctx.people, new, (user.name, user.full_name), strong=has_factor(ctx, actor.roles, user))
    right = _verify(stored, old)
    if right and is_former(ctx.people, user, new):
        raise Refused("password.former", n=ctx.people.former)
    fresh = _hash(new) if right else ""
    now = ctx.wall.now()
    with ctx.db.write() as session:
        user = session.get_one(User, actor.id)
        # Changed or reset while we hashed: then it is the old one no more.
        failure = tries.count(session, ctx.people, user, right and user.password_hash == stored, now)
        if failure is None:
            set_hash(user, fresh, now, ctx.people)
            end_sessions(session, user.id, now, but=actor.session)
            audit.record(session, now, actor.name, "password.change", actor.id)
    if failure is not None:
        raise failure


def has_factor(ctx: Context, roles: Sequence[Role], user: User) -> bool:
    """Whether a second factor stands beside the password, or has to before anything opens."""
    return user.factor_at is not None or (ctx.people.second_factor and needs_factor(roles))


def own(ctx: Context, actor: Actor) -> tuple[bool, bool]:
    """Of whoever asks: `has_factor`, and whether the password is still a one-time one."""
    with ctx.db.read() as session:
        user = session.get_one(User, actor.id)
    return has_factor(ctx, actor.roles, user), user.must_change


def is_former(rules: AccountRules, user: User, new: str) -> bool:
    """Slow on purpose, one hash after the other. Not within a transaction."""
    former = [user.password_hash, *user.old_hashes] if user.password_hash else user.old_hashes
    return any(_verify(one, new) for one in former[: rules.former])


def set_hash(user: User, fresh: str, now: datetime, rules: AccountRules) -> None:
    if user.password_hash and not user.must_change:  # a one-time password was nobody's choice
        user.old_hashes = [user.password_hash, *user.old_hashes][: rules.former]
    user.password_hash, user.password_at, user.must_change = fresh, now, False
    factors.begin_anew(user)


def end_sessions(session: Session, user_id: str, now: datetime, but: str = "") -> None:
    """`but`: the id of the one that goes on."""
    session.execute(
        update(LoginSession)
        .where(LoginSession.user_id == user_id, LoginSession.ended_at.is_(None), LoginSession.id != but)
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
        user.locks, user.reviewed_at = 0, ctx.wall.now()
        end_sessions(session, user.id, ctx.wall.now())
        audit.record(session, ctx.wall.now(), by, "password.reset", user.id)
    return password


def set_language(ctx: Context, actor: Actor, language: str) -> None:
    with ctx.db.write() as session:
        session.get_one(User, actor.id).language = language


def _verify(stored: str, password: str) -> bool:
    asked = stored or _nobody()  # who was invited and has no password yet takes as long as anybody
    try:
        with _turn():
            return _HASHER.verify(asked, password) and bool(stored)
    except (VerifyMismatchError, InvalidHashError):
        return False


def hash_of(password: str) -> str:
    """Argon2id. Raises Refused("login.busy"). Not within a transaction."""
    return _hash(password)


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
