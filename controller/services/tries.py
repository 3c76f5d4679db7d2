"""Wrong passwords and wrong codes are counted together, and lock (R-117)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from broadcasts.errors import Refused
from controller.db.tables import User
from controller.services import audit
from controller.services.account_rules import AccountRules


def note_stranger(session: Session, name: str, now: datetime) -> Refused:
    audit.record(session, now, "-", "login.wrong", name[:60], area="")
    return Refused("login.wrong")


def count(
    session: Session,
    rules: AccountRules,
    user: User,
    right: bool,
    now: datetime,
    wrong: str = "login.wrong",
    *,
    whole: bool = True,
) -> Refused | None:
    """The caller raises what comes back after the transaction, which keeps the count. `wrong`: what a wrong try is
    called. `whole`: all that is asked was given; a right password without its code begins no new count, or whoever
    knows it could try codes for ever."""
    if user.locked_until is not None and user.locked_until > now:
        audit.record(session, now, user.name, "login.locked", user.id)
        return Refused("login.locked", until=user.locked_until)
    if right:
        user.failed, user.locked_until = 0 if whole else user.failed, None
        return None
    user.failed += 1
    audit.record(session, now, user.name, wrong, user.id, {"tries": user.failed})
    if user.failed < rules.tries:
        return Refused(wrong)
    user.failed, user.locks = 0, user.locks + 1
    user.locked_until = now + rules.lock_number(user.locks)
    audit.record(session, now, user.name, "account.lock", user.id, {"until": user.locked_until.isoformat()})
    return Refused("login.locked", until=user.locked_until)
