"""The parts of a broadcast that is a programme: kept in order, laid out in time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from broadcasts.domain.programme import MOST_PARTS, Part, PartKind, length, offsets
from broadcasts.errors import LoaError, Refused
from controller.db.tables import Asset, Broadcast, ProgrammePart, Rendition

LONGEST = timedelta(hours=12)
"""As the longest recording (wire.DurationMs)."""


def parts_of(session: Session, broadcast_id: str) -> tuple[Part, ...]:
    """In order; empty for a broadcast of one recording."""
    rows = session.scalars(
        select(ProgrammePart).where(ProgrammePart.broadcast_id == broadcast_id).order_by(ProgrammePart.position)
    )
    return tuple(Part(PartKind(row.kind), row.title, row.asset_sha256) for row in rows)


def keep(session: Session, broadcast_id: str, parts: Sequence[Part]) -> None:
    """In place of those it had."""
    session.execute(delete(ProgrammePart).where(ProgrammePart.broadcast_id == broadcast_id))
    session.add_all(
        ProgrammePart(
            broadcast_id=broadcast_id, position=place, kind=part.kind, title=part.title, asset_sha256=part.asset
        )
        for place, part in enumerate(parts)
    )


def laid_out(session: Session, broadcast: Broadcast) -> list[tuple[timedelta, Asset]]:
    """What sounds, each with when it begins after the start: the parts, or the one recording of the bulletin."""
    parts = parts_of(session, broadcast.id)
    if not parts:
        rendition = session.scalars(select(Rendition).where(Rendition.bulletin_id == broadcast.bulletin_id)).one()
        return [(timedelta(0), session.get_one(Asset, rendition.asset_sha256))]
    assets = [session.get_one(Asset, part.asset) for part in parts]
    return list(zip(offsets([_length(asset) for asset in assets]), assets, strict=True))


def whole_length(session: Session, asset: Asset | None, parts: Sequence[Part]) -> timedelta:
    """From the start to the computed end; parts whose recording is not there count nothing."""
    if not parts:
        return _length(asset) if asset else timedelta(0)
    found = (session.get(Asset, part.asset) for part in parts)
    return length([_length(each) for each in found if each is not None])


def timetable(session: Session, parts: Sequence[Part]) -> list[tuple[timedelta, Part]]:
    """When each begins after the start; empty while a recording is missing."""
    assets = [session.get(Asset, part.asset) for part in parts]
    lengths = [_length(asset) for asset in assets if asset is not None]
    return list(zip(offsets(lengths), parts, strict=True)) if len(lengths) == len(parts) else []


def problems(session: Session, asset: str, parts: Sequence[Part]) -> list[LoaError]:
    """Refused "programme.many", "programme.part" (no such recording), "programme.title", "programme.long",
    "programme.main": the bulletin's own recording is one of the parts."""
    if not parts:
        return []
    if len(parts) > MOST_PARTS:
        return [Refused("programme.many", most=MOST_PARTS)]
    bad: list[LoaError] = []
    for number, part in enumerate(parts, 1):
        if session.get(Asset, part.asset) is None:
            bad.append(Refused("programme.part", number=number))
        if len(part.title) > 200 or "\x00" in part.title:
            bad.append(Refused("programme.title", number=number))
    if asset and asset not in {part.asset for part in parts}:
        bad.append(Refused("programme.main"))
    if whole_length(session, None, parts) > LONGEST:
        bad.append(Refused("programme.long", hours=int(LONGEST.total_seconds() // 3600)))
    return bad


def _length(asset: Asset) -> timedelta:
    return timedelta(milliseconds=asset.duration_ms)
