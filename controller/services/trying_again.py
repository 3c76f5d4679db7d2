"""A recording that came whole is not lost because the store for recordings was away or full: it is kept, tried again
for a day, and then waits for a person's word as long as we remember it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, null, select, update
from sqlalchemy.orm import Session

from broadcasts.clock import from_unix_ms, unix_ms
from broadcasts.errors import LoaError, Refused
from controller.db.tables import Upload
from controller.services.context import Context
from controller.services.rights import Actor
from controller.services.uploads import RIGHTS, State, Use, one

WAITS = tuple(timedelta(minutes=each) for each in (1, 2, 5, 10, 20, 30, 60, 120, 240, 240, 240, 240))
"""Before each further try; each decodes and encodes the whole once more. Twenty hours together."""
SHOWN = 50


def ours(error: LoaError) -> bool:
    """Whether it is the store's trouble, and nothing is wrong with the recording."""
    return error.key.startswith("storage.")


def postponed(upload: Upload, error: LoaError, now: datetime) -> dict[str, Any]:
    """The values of the upload's row after a try that failed so."""
    tries = int((upload.error or {}).get("tries", 0))
    told: dict[str, Any] = {"key": error.key, "fields": error.fields, "ours": True, "tries": tries + 1}
    if tries >= len(WAITS):
        return {"state": State.HELD, "stage": "", "error": told, "changed_at": now}
    return {"state": State.QUEUED, "stage": "", "error": told | {"again_at": unix_ms(now + WAITS[tries])}}


def due(upload: Upload, now: datetime) -> bool:
    at = again_at(upload)
    return at is None or at <= now


def again_at(upload: Upload) -> datetime | None:
    """When it is tried again; none where it was not tried yet, or is not tried any more."""
    told = (upload.error or {}).get("again_at")
    return None if told is None else from_unix_ms(int(told))


def again(ctx: Context, actor: Actor, upload: str) -> Upload:
    """Now, by its sender's word. Raises Refused: "upload.unknown", "no_right", "upload.not_waiting"."""
    with ctx.db.write() as session:
        found = one(session, actor, upload)
        actor.need(RIGHTS[Use(found.use)])
        changed = session.execute(
            update(Upload)
            .where(Upload.id == found.id, Upload.state.in_([State.QUEUED, State.HELD]), Upload.error.is_not(None))
            .values(state=State.QUEUED, error=null())
        )
        if not changed.rowcount:  # type: ignore[attr-defined]
            raise Refused("upload.not_waiting")
        session.refresh(found)
        session.expunge(found)
    return found


def waiting(session: Session, actor: Actor) -> int:
    """How many of this person's recordings were kept because of our trouble: tried again, or waiting for a word."""
    kept = (Upload.state == State.HELD) | ((Upload.state == State.QUEUED) & Upload.error.is_not(None))
    return session.scalar(select(func.count()).where(Upload.user_id == actor.id, kept)) or 0


def mine(session: Session, actor: Actor) -> list[Upload]:
    """What this person sent lately and what became of it, the newest first."""
    query = select(Upload).where(Upload.user_id == actor.id, Upload.state != State.OPEN)
    return list(session.scalars(query.order_by(Upload.opened_at.desc(), Upload.id).limit(SHOWN)))
