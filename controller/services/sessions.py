"""One's own sessions: where one is logged in, and ending that."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from broadcasts.errors import Refused
from controller.db.tables import LoginSession
from controller.services import audit
from controller.services.context import Context
from controller.services.rights import Actor


@dataclass(frozen=True)
class SessionLine:
    id: str
    client: str
    created_at: datetime
    seen_at: datetime
    strong: bool
    this: bool


def mine(ctx: Context, actor: Actor) -> list[SessionLine]:
    """Those that have not ended, the newest first."""
    now, rules = ctx.wall.now(), ctx.people
    with ctx.db.read() as session:
        rows = session.scalars(
            select(LoginSession)
            .where(
                LoginSession.user_id == actor.id,
                LoginSession.ended_at.is_(None),
                LoginSession.created_at >= now - rules.session,
                LoginSession.seen_at >= now - rules.idle,
            )
            .order_by(LoginSession.created_at.desc(), LoginSession.id)
        )
        return [
            SessionLine(
                row.id, row.client, row.created_at, row.seen_at, row.strong_at is not None, row.id == actor.session
            )
            for row in rows
        ]


def end(ctx: Context, actor: Actor, session_id: str) -> None:
    """Raises Refused("not_yours")."""
    now = ctx.wall.now()
    with ctx.db.write() as session:
        found = session.scalar(select(LoginSession).where(LoginSession.id == session_id))
        if found is None or found.user_id != actor.id:
            raise Refused("not_yours")
        if found.ended_at is None:
            found.ended_at = now
            audit.record(session, now, actor.name, "session.end", actor.id, {"session": session_id})
