"""What somebody handed in after the session had ended: kept for the same person until the next log-in, nothing is done
with it.

Only a form that names a session that once was, by its cookie and by the token in the form, is kept: a page of another
site knows neither. One form a person, so that nobody fills the disk.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import select

from broadcasts.clock import from_unix_ms, unix_ms
from controller.db.tables import Kept, LoginSession
from controller.services.context import Context
from controller.services.rights import Actor

GOOD_FOR = timedelta(days=1)
_NAME = "form:"
Fields = Sequence[tuple[str, str]]


def once_a_session(ctx: Context, cookie: str) -> bool:
    """Whether this cookie was given by us, so that it is worth reading what came along."""
    return bool(cookie) and _session(ctx, cookie) is not None


def keep(ctx: Context, cookie: str, form_token: str, fields: Fields) -> bool:
    """Whether it was kept: the token in the form must be the one of that session."""
    found = _session(ctx, cookie)
    if found is None or not hmac.compare_digest(found.form_token.encode(), form_token.encode()):
        return False
    now = ctx.wall.now()
    said = [[name, value.replace("\x00", "")] for name, value in fields]
    with ctx.db.write() as session:
        for old in session.scalars(select(Kept).where(Kept.name.startswith(_NAME))):
            if _over(old, now):
                session.delete(old)
        session.flush()
        session.merge(Kept(name=f"{_NAME}{found.user_id}", value={"at": unix_ms(now), "fields": said}))
    return True


def take(ctx: Context, actor: Actor, editing: str) -> list[tuple[str, str]] | None:
    """What this person handed in about the broadcast `editing` (empty: a new one); once."""
    name = f"{_NAME}{actor.id}"
    with ctx.db.read() as session:
        found = session.get(Kept, name)
    if found is None or _over(found, ctx.wall.now()):
        return None
    fields = [(str(key), str(value)) for key, value in found.value["fields"]]
    if dict(fields).get("editing", "") != editing:
        return None
    with ctx.db.write() as session:
        if (there := session.get(Kept, name)) is not None:
            session.delete(there)
    return fields


def _over(kept: Kept, now: datetime) -> bool:
    return now - from_unix_ms(kept.value["at"]) > GOOD_FOR


def _session(ctx: Context, cookie: str) -> LoginSession | None:
    with ctx.db.read() as session:
        return session.get(LoginSession, hashlib.sha256(cookie.encode()).hexdigest())
