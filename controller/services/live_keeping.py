"""What the database and the store hear of live voices: that they ended and why, each second whether they still may go
on, and afterwards the recording as an asset."""

from __future__ import annotations

import logging
import struct
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.orm import Session

from broadcasts.clock import from_unix_ms
from broadcasts.errors import Fault, LoaError
from controller.db.tables import LiveSession, User
from controller.services import audit, library
from controller.services.accounts import actor_by_name
from controller.services.context import Context
from controller.services.live_later import give_to_who_was_away
from controller.services.live_room import End, Ended, LiveRoom
from controller.services.live_rules import EMERGENCY, areas_of, silenced
from controller.services.live_sessions import fits_until, recording_of
from controller.services.rights import Right, all_mine

_LOG = logging.getLogger("loa.live")
EVERY = timedelta(seconds=1)
LOOK_AGAIN = timedelta(minutes=1)
SHORTEST_BYTES = 44 + 2 * 8_000
"""Less than a second at any rate is no recording."""
TORN = "torn"
"""What is said of a recording that the disk did not take, or not to its end."""
_HEADER = 44
_AGAIN = ("audio.busy", "database_busy", "database_full", "storage.away")


def step(ctx: Context, room: LiveRoom, now: datetime) -> datetime:
    """Each second while anybody speaks."""
    if ended := room.ended():
        try:
            _write(ctx, ended)
        except BaseException:
            room.again(ended)
            raise
        ctx.wake()
    if names := room.on_air:
        _look(ctx, room, names, now)
    return now + EVERY


def take_up(ctx: Context) -> None:
    """At the start: whoever was on air is not any more, and what was recorded of it is kept."""
    now = ctx.clock.now()
    with ctx.db.write() as session:
        for row in session.scalars(select(LiveSession).where(LiveSession.state == "on_air")).all():
            row.state, row.ended_at, row.end_why = "ended", now, str(End.RESTART)
            if row.recording and not mend(recording_of(ctx, row.id)):
                row.recording = ""
            audit.record(session, now, "loa", "live.end", row.id, {"why": str(End.RESTART)}, _area(session, row))


def keep(ctx: Context, now: datetime) -> datetime:
    """Make assets of what was recorded, one after the other; returns when to look again."""
    with ctx.db.read() as session:
        wanted = select(LiveSession.id).where(LiveSession.state == "ended", LiveSession.recording != "")
        waiting = session.scalars(wanted.order_by(LiveSession.priority, LiveSession.ended_at)).all()
    for name in waiting:
        if not _keep(ctx, name, now):
            break
    return now + LOOK_AGAIN


def mend(path: Path) -> bool:
    """The header of a recording that nobody closed says how long it is now. False: there is nothing to keep."""
    try:
        size = path.stat().st_size
        if size < SHORTEST_BYTES:
            return False
        with path.open("r+b") as file:
            file.seek(4)
            file.write(struct.pack("<I", size - 8))
            file.seek(_HEADER - 4)
            file.write(struct.pack("<I", (size - _HEADER) // 2 * 2))
    except OSError:
        _LOG.exception("the recording %s cannot be read", path.name)
        return False
    return True


def _write(ctx: Context, ended: Iterable[Ended]) -> None:
    with ctx.db.write() as session:
        for each in ended:
            row = session.get(LiveSession, each.id)
            if row is None or row.state != "on_air":
                continue
            row.state, row.ended_at = "ended", from_unix_ms(each.at)
            row.end_why, row.ended_by = str(each.why), each.by
            row.packets, row.late, row.cpu_ms = each.done.packets, each.done.late, each.cpu_ms
            if each.done.spoken_ms < 1_000:
                row.recording = ""
                with suppress(OSError):
                    recording_of(ctx, row.id).unlink(missing_ok=True)
            told = {
                "why": row.end_why,
                "by": each.by,
                "spoken_s": each.done.spoken_ms // 1_000,
                "packets": each.done.packets,
                "late": each.done.late,
                "unsent": each.done.unsent,
            }
            if each.done.torn:
                row.recording_error = told["recording"] = TORN
            name = session.get_one(User, row.speaker_id).name
            audit.record(session, ctx.clock.now(), name, "live.end", row.id, told, _area(session, row))


def _look(ctx: Context, room: LiveRoom, names: Iterable[str], now: datetime) -> None:
    """Rules and rights may change while somebody speaks."""
    with ctx.db.read() as session:
        for name in names:
            row = session.get(LiveSession, name)
            if row is None:
                room.end(name, End.RULES)
                continue
            if row.state != "on_air":  # stopped in the instant in which it began, or ended by another process
                room.end(name, End.STOPPED)
            elif row.priority != EMERGENCY and (against := fits_until(session, row, now)) is not None:
                _LOG.info("live session %s does not fit any more: %s", name, against)
                room.end(name, End.WINDOW if against.key == "live.hours" else End.RULES)
            elif not _still_may(session, row, now):
                room.end(name, End.RULES)
            elif row.priority == EMERGENCY and silenced(session, row):
                room.end(name, End.STOPPED)


def _still_may(session: Session, row: LiveSession, now: datetime) -> bool:
    user = session.get_one(User, row.speaker_id)
    right = Right.ALERT if row.priority == EMERGENCY else Right.COMPOSE
    actor = actor_by_name(session, user.name, now)
    if user.disabled_at is not None or not actor.may(right):
        return False
    return all_mine(session, actor.need(right), row.clusters)


def _keep(ctx: Context, name: str, now: datetime) -> bool:
    """Whether one may go on with the next."""
    path = recording_of(ctx, name)
    with ctx.db.read() as session:
        emergency = session.get_one(LiveSession, name).priority == EMERGENCY
    try:
        prepared = ctx.audio.prepare(path, emergency=emergency)
        with ctx.db.write() as session:
            row = session.get_one(LiveSession, name)
            asset = library.remember(ctx, session, prepared)
            row.asset_sha256, row.recording = asset.sha256, ""
            told = {"asset": asset.sha256, "seconds": asset.duration_ms // 1_000}
            audit.record(session, now, "loa", "live.recording", name, told, _area(session, row))
    except LoaError as error:
        if error.key in _AGAIN:
            return False
        with ctx.db.write() as session:
            row = session.get_one(LiveSession, name)
            row.recording, row.recording_error = "", error.key[:60]
        if isinstance(error, Fault):
            _LOG.exception("the recording of %s is left where it lies", name)
            return True
    except (OperationalError, InterfaceError):
        _LOG.exception("the recording of %s waits for the database", name)
        return False
    with suppress(OSError):
        path.unlink(missing_ok=True)
    give_to_who_was_away(ctx, name)
    return True


def _area(session: Session, row: LiveSession) -> str | None:
    return min(areas_of(session, row), default=None)
