"""The parts of a broadcast that is a programme: kept in order, laid out in time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from broadcasts.domain.programme import MOST_PARTS, Part, PartKind, length, offsets
from broadcasts.errors import LoaError, Refused
from controller.db.tables import Asset, Broadcast, Cluster, ProgrammePart, Station
from controller.services import renditions
from controller.services.renditions import Layout
from controller.services.stations import regulation

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


def laid_out(session: Session, broadcast: Broadcast, clusters: Sequence[str]) -> list[tuple[Layout, list[str]]]:
    """What sounds of a broadcast, with the clusters where it sounds so: the parts, or the bulletin alone."""
    return renditions.laid_out(session, broadcast, clusters, parts_of(session, broadcast.id))


def whole_length(session: Session, asset: Asset | None, parts: Sequence[Part]) -> timedelta:
    """From the start to the computed end; parts whose recording is not there count nothing."""
    if not parts:
        return _length(asset) if asset else timedelta(0)
    found = (session.get(Asset, part.asset) for part in parts)
    return length([_length(each) for each in found if each is not None])


@dataclass(frozen=True)
class Step:
    """A part with its recording, none where it is not there, and when it begins after the start."""

    part: Part
    asset: Asset | None
    after: timedelta
    length: timedelta


def steps(session: Session, parts: Sequence[Part], slot: timedelta | None = None) -> list[Step]:
    """One after the other, where each cluster hears one language. `slot`: how long the part that is a relay lasts."""
    found = [session.get(Asset, part.asset) for part in parts]
    lasts = [
        slot
        if slot is not None and part.kind is PartKind.RELAY
        else _length(each)
        if each is not None
        else timedelta(0)
        for part, each in zip(parts, found, strict=True)
    ]
    begins = offsets(lasts)
    return [Step(*each) for each in zip(parts, found, begins, lasts, strict=True)]


def session_limit(session: Session, clusters: Sequence[Cluster]) -> tuple[timedelta, str] | None:
    """The shortest session that a regulation of these clusters' stations allows, and whose it is (R-052)."""
    rows = session.scalars(select(Station).where(Station.id.in_({cluster.station_id for cluster in clusters})))
    known = [(limit, row.name) for row in rows if (limit := regulation(row).limits.session) is not None]
    return min(known, default=None)


def problems(session: Session, asset: str, parts: Sequence[Part], slot: timedelta | None = None) -> list[LoaError]:
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
    if whole_length(session, None, parts) + (slot or timedelta(0)) > LONGEST:
        bad.append(Refused("programme.long", hours=int(LONGEST.total_seconds() // 3600)))
    return bad


def _length(asset: Asset) -> timedelta:
    return timedelta(milliseconds=asset.duration_ms)
