"""Sound that travels in the alert itself: a second recording of the same, so small that a list has room for it."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.errors import LoaError
from broadcasts.wire.alert import INLINE_MOST_BYTES
from controller.db.tables import SpokenText
from controller.services import library, speaking
from controller.services.alert_calls import Call
from controller.services.context import Context


def leaner(ctx: Context, call: Call) -> Call:
    """With the first recording as small as that, where that was asked for, or where nobody said and it was typed: now,
    or at the page before. One that cannot be made so small stays as it is, and units fetch it, unless it was asked for
    in so many words: then Refused("audio.inline"), and what the audio pipeline raises."""
    told = call.content
    if told.inline is False or not told.recordings or not (told.inline or _typed(ctx, told.recordings[0][1])):
        return replace(call, content=replace(told, inline=False))
    language, sha256 = told.recordings[0]
    try:
        made = ctx.audio.lean(sha256)
    except LoaError:
        if told.inline:
            raise
        return replace(call, content=replace(told, inline=False))
    with ctx.db.write() as session:
        library.remember(ctx, session, made)
        _same_words(session, sha256, made.sha256)
    return replace(call, content=replace(told, recordings=((language, made.sha256), *told.recordings[1:]), inline=True))


def _typed(ctx: Context, sha256: str) -> bool:
    with ctx.db.read() as session:
        return session.scalar(select(SpokenText.id).where(SpokenText.asset_sha256 == sha256).limit(1)) is not None


def _same_words(session: Session, first: str, second: str) -> None:
    """What was typed for the one was typed for the other."""
    row = session.scalars(select(SpokenText).where(SpokenText.asset_sha256 == first).limit(1)).first()
    if row is None or first == second:
        return
    name = speaking.digest([row.id, second])
    if session.get(SpokenText, name) is None:
        told = {column.key: getattr(row, column.key) for column in SpokenText.__table__.columns}
        session.add(SpokenText(**told | {"id": name, "heard": name, "asset_sha256": second}))


def carried(ctx: Context, content: Sequence[tuple[str, str]]) -> dict[str, bytes]:
    """The files of these that are small enough, by name; nothing where one cannot be read."""
    found: dict[str, bytes] = {}
    for _, sha256 in content[:1]:
        with contextlib.suppress(OSError, LoaError):  # poles may still hold it, or hear the rest
            path = ctx.audio.path(sha256)
            if path.stat().st_size <= INLINE_MOST_BYTES:
                found[sha256] = path.read_bytes()
    return found
