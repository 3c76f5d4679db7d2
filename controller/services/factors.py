"""The second factor: codes of an authenticator app (TOTP, RFC 6238) and recovery codes for a lost telephone (R-115).

A code opens once: the step of the last one taken is kept, and nothing up to it counts again. Wrong codes count with
wrong passwords. The secret lies sealed in the database; the key to it lies with our private keys (R-127).
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

import pyotp
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from broadcasts.errors import Conflict, Refused
from controller.db.tables import LoginSession, RecoveryCode, User
from controller.services import audit, tries
from controller.services.context import Context
from controller.services.rights import Actor

ISSUER = "Loa"
STEP = timedelta(seconds=30)
ASIDE = 1
"""Steps before and after ours that still count: telephones' clocks differ."""
CODES = 10
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"


@dataclass(frozen=True)
class Enrolment:
    """`uri` is what the QR code says; `secret` (base32) for typing. Shown until a code confirms it, never again."""

    secret: str
    uri: str


def begin(ctx: Context, actor: Actor) -> Enrolment:
    """A secret that counts once `confirm` was right. Asked again before that, it is the same one until the next log-in:
    a page that is loaded twice must not disagree with the telephone. Raises Conflict("second_factor.there")."""
    fresh = pyotp.random_base32()
    sealed = ctx.keys.seal(fresh)
    with ctx.db.write() as session:
        user = session.get_one(User, actor.id)
        if user.factor_at is not None:
            raise Conflict("second_factor.there")
        if user.factor_secret:
            sealed = user.factor_secret
        user.factor_secret = sealed
    secret = ctx.keys.unseal(sealed)
    return Enrolment(secret, pyotp.TOTP(secret).provisioning_uri(name=actor.name, issuer_name=ISSUER))


def confirm(ctx: Context, actor: Actor, code: str) -> list[str]:
    """The telephone knows the secret: from now on it is asked. The person's other sessions end.

    Returns the recovery codes, which are shown this once. Raises Refused: "code.wrong", "login.locked";
    Conflict("second_factor.there").
    """
    codes, now = _codes(), ctx.wall.now()
    with ctx.db.write() as session:
        user = session.get_one(User, actor.id)
        if user.factor_at is not None:
            raise Conflict("second_factor.there")
        failure = tries.count(session, ctx.people, user, _step_right(ctx, user, code, now), now, "code.wrong")
        if failure is None:
            user.factor_at = now
            _replace_codes(session, user.id, codes)
            for other in session.scalars(
                select(LoginSession).where(LoginSession.user_id == user.id, LoginSession.ended_at.is_(None))
            ):
                if other.id == actor.session:
                    other.strong_at = now
                else:
                    other.ended_at = now
            audit.record(session, now, user.name, "second_factor.on", user.id)
    if failure is not None:
        raise failure
    return codes


def give(ctx: Context, actor: Actor, code: str) -> None:
    """A code or a recovery code for the session of `actor`. Raises Refused: "code.wrong", "login.locked".

    Who gave one in this session before is not kept out by a lock: five wrong passwords of a stranger at the front
    door must not silence the one who is on duty. There a wrong code while the account is locked ends the session.
    """
    now = ctx.wall.now()
    with ctx.db.write() as session:
        user = session.get_one(User, actor.id)
        found = session.scalar(select(LoginSession).where(LoginSession.id == actor.session))
        inside = found is not None and found.strong_at is not None and user.factor_at is not None
        failure: Refused | None = None
        if not (inside and _opens(ctx, session, user, code, now)):
            failure = tries.count(session, ctx.people, user, right(ctx, session, user, code, now), now, "code.wrong")
        if failure is None and found is not None:
            found.strong_at = now
            if not inside:
                user.locks = 0
            audit.record(session, now, user.name, "second_factor.given", user.id)
        elif inside and found is not None and user.locked_until is not None and user.locked_until > now:
            found.ended_at = now
    if failure is not None:
        raise failure


def new_codes(ctx: Context, actor: Actor, code: str) -> list[str]:
    """Fresh recovery codes; the old ones are worth nothing. Raises as `give`, Refused("second_factor.none")."""
    codes, now = _codes(), ctx.wall.now()
    with ctx.db.write() as session:
        user = session.get_one(User, actor.id)
        if user.factor_at is None:
            raise Refused("second_factor.none")
        failure = tries.count(session, ctx.people, user, right(ctx, session, user, code, now), now, "code.wrong")
        if failure is None:
            _replace_codes(session, user.id, codes)
            audit.record(session, now, user.name, "second_factor.codes", user.id)
    if failure is not None:
        raise failure
    return codes


def state(ctx: Context, actor: Actor) -> tuple[bool, int]:
    """Whether a second factor is on, and how many recovery codes are left."""
    with ctx.db.read() as session:
        return session.get_one(User, actor.id).factor_at is not None, codes_left(session, actor.id)


def codes_left(session: Session, user: str) -> int:
    return (
        session.scalar(
            select(func.count())
            .select_from(RecoveryCode)
            .where(RecoveryCode.user_id == user, RecoveryCode.used_at.is_(None))
        )
        or 0
    )


def right(ctx: Context, session: Session, user: User, code: str, now: datetime) -> bool:
    """Whether the code opens now, and if so, that it never opens again. No locked account uses a code up."""
    if user.factor_at is None or (user.locked_until is not None and user.locked_until > now):
        return False
    return _opens(ctx, session, user, code, now)


def _opens(ctx: Context, session: Session, user: User, code: str, now: datetime) -> bool:
    return _step_right(ctx, user, code, now) or _recovery_right(session, user, code, now)


def begin_anew(user: User) -> None:
    """At each log-in and with each new password: a secret that was only shown is worth nothing, as whoever knew the
    old password may have looked at it."""
    if user.factor_at is None:
        user.factor_secret = ""


def forget(session: Session, user: User) -> None:
    """No second factor any more: the next log-in asks for a new one where it is needed."""
    user.factor_secret, user.factor_at, user.factor_step = "", None, 0
    session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user.id))


def _step_right(ctx: Context, user: User, code: str, now: datetime) -> bool:
    code = "".join(code.split())
    if len(code) != 6 or not code.isascii() or not code.isdecimal() or not user.factor_secret:
        return False
    maker = pyotp.TOTP(ctx.keys.unseal(user.factor_secret))
    step = int(now.timestamp()) // int(STEP.total_seconds())
    for one in range(step - ASIDE, step + ASIDE + 1):
        if one > user.factor_step and hmac.compare_digest(maker.generate_otp(one), code):
            user.factor_step = one
            return True
    return False


def _recovery_right(session: Session, user: User, code: str, now: datetime) -> bool:
    found = session.get(RecoveryCode, _sha256(_bare(code)))
    if found is None or found.user_id != user.id or found.used_at is not None:
        return False
    found.used_at = now
    audit.record(session, now, user.name, "second_factor.recovery", user.id, {"left": codes_left(session, user.id)})
    return True


def _replace_codes(session: Session, user: str, codes: list[str]) -> None:
    session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user))
    session.add_all(RecoveryCode(code_sha256=_sha256(_bare(code)), user_id=user) for code in codes)


def _codes() -> list[str]:
    """Four groups of four, about 79 bits each."""
    return ["-".join("".join(secrets.choice(_ALPHABET) for _ in range(4)) for _ in range(4)) for _ in range(CODES)]


def _bare(code: str) -> str:
    return "".join(one for one in code.lower() if one.isalnum())


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
