"""Now and then a play is asked for ten seconds of sound, without anybody asking: which one follows from its id."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from sqlalchemy import exists, select

from broadcasts.domain.delivery import State
from broadcasts.errors import Conflict, Refused
from controller.db.tables import Command, Delivery, EnvelopePart
from controller.services import clipping
from controller.services.context import Context

OURS = "loa"
"""Who asks, in the audit log."""
EVERY = timedelta(seconds=30)
AHEAD = timedelta(seconds=60)
"""So long before its second the unit is told."""
LONGEST = timedelta(minutes=30)
"""Longer plays are not sampled: the few that end within the next half hour are found by an index."""
EDGE = timedelta(seconds=2)
IDLE = timedelta(days=1)


def offset_of(delivery: str, duration: timedelta, per_mille: int) -> timedelta | None:
    """Where in it those ten seconds lie, if it is one of the `per_mille` of a thousand. Always the same for the same
    delivery, and nothing a unit could guess beforehand without knowing the rule and the id."""
    drawn = hashlib.sha256(f"clip {delivery}".encode()).digest()
    if int.from_bytes(drawn[:8]) % 1000 >= per_mille:
        return None
    room = duration - clipping.LENGTH - 2 * EDGE
    if room < timedelta(0):
        return None
    share = int.from_bytes(drawn[8:16]) / 2**64
    return EDGE + timedelta(milliseconds=round(room.total_seconds() * 1000 * share))


def step(ctx: Context, now: datetime) -> datetime:
    """Ask what is due. Only poles that were heard to have an ear."""
    if ctx.clips_per_mille == 0:
        return now + IDLE
    with ctx.db.read() as session:
        rows = session.scalars(
            select(Delivery).where(
                Delivery.verdict.is_(None),
                Delivery.end > now,
                Delivery.end < now + LONGEST,
                Delivery.start <= now + AHEAD,
                Delivery.relayed.is_(None),
                Delivery.state.in_([str(state) for state in (State.READY, State.PLAYING)]),
                exists().where(EnvelopePart.unit_id == Delivery.unit_id),
            )
        ).all()
    asked = 0
    for row in rows:
        offset = offset_of(row.id, row.end - row.start, ctx.clips_per_mille)
        if offset is None or not now + clipping.ON_ITS_WAY <= row.start + offset <= now + AHEAD + EVERY:
            continue
        asked += _ask(ctx, row, offset, now)
    if asked:
        ctx.wake()
    return now + EVERY


def _ask(ctx: Context, row: Delivery, offset: timedelta, now: datetime) -> bool:
    """Once: the command itself is the note that it was asked for."""
    with ctx.db.write() as session:
        since = (Command.unit_id == row.unit_id, Command.issued_at > row.start - AHEAD - 2 * EVERY)
        said = session.scalars(select(Command.args).where(*since)).all()
        if any(args.get("item") == row.id for args in said):
            return False
        try:
            clipping.enter(ctx, session, row, offset, OURS, now)
        except (Conflict, Refused):
            return False  # somebody asks this pole for something else, or it has no unit any more
    return True
