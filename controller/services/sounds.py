"""Sounds that are used again and again: the chimes, openings and closings of an area, and which chime a station's form
offers first. What sounds is chosen, and approved, with each bulletin: nothing here changes what is on a plan."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.audio.sample import write_chime
from broadcasts.domain.programme import FRAME
from broadcasts.errors import Conflict, Refused
from controller.db.tables import Asset, Bulletin, KeptSound, Rendition, Station
from controller.services import audit, library
from controller.services.context import Context
from controller.services.library import add_made
from controller.services.listening import may_listen, within_reach
from controller.services.rights import Actor, Right, my_stations

KINDS = tuple(sorted(FRAME))
LONGEST_NAME = 80
MOST_KNOWN = 60
CHIME_NAME = "loa-chime.wav"


@dataclass(frozen=True)
class Known:
    """A recording that can be put into a programme. `kind` is a PartKind."""

    kind: str
    title: str
    asset: Asset
    id: str = ""
    """Of a kept sound."""
    mine: bool = False
    """It may be given up by who asks."""


def offered(session: Session, actor: Actor) -> list[Known]:
    """Kept sounds of where the actor writes and of all areas above, by name. Raises Refused("no_right")."""
    reach = actor.need(Right.COMPOSE).areas
    rows = session.execute(
        select(KeptSound, Asset)
        .join(Asset, KeptSound.asset_sha256 == Asset.sha256)
        .where(KeptSound.area_id.in_(within_reach(session, reach)))
        .order_by(KeptSound.kind, KeptSound.name)
    )
    return [Known(sound.kind, sound.name, asset, sound.id, sound.area_id in reach) for sound, asset in rows]


def bulletins(session: Session, actor: Actor) -> list[Known]:
    """The newest bulletins of where the actor writes, each recording once. Raises Refused("no_right")."""
    rows = session.execute(
        select(Bulletin.title, Asset)
        .join(Rendition, (Rendition.bulletin_id == Bulletin.id) & (Rendition.position == 0))
        .join(Asset, Rendition.asset_sha256 == Asset.sha256)
        .join(Station, Bulletin.station_id == Station.id)
        .where(Station.area_id.in_(actor.need(Right.COMPOSE).areas))
        .order_by(Bulletin.created_at.desc(), Bulletin.id)
        .limit(4 * MOST_KNOWN)
    )
    found: dict[str, Known] = {}
    for title, asset in rows:
        found.setdefault(asset.sha256, Known("bulletin", title, asset))
    return list(found.values())[:MOST_KNOWN]


def keep(ctx: Context, actor: Actor, kind: str, name: str, asset: str, area: str = "") -> str:
    """Keep a recording under a name, for `area` (without it, the widest that the actor writes in); its id.

    Raises Refused: "no_right", "not_yours", "sound.name", "choice.unknown" (kind), "asset.unknown" (also for
    what the actor may not listen to: kept in his own area, he could); Conflict ("sound.there") when the area has
    another one of that name."""
    listener, actor = actor.need(Right.LOOK), actor.need(Right.COMPOSE)
    now, name = ctx.clock.now(), name.strip()
    if not name or len(name) > LONGEST_NAME or "\x00" in name:
        raise Refused("sound.name", most=LONGEST_NAME)
    if kind not in KINDS:
        raise Refused("choice.unknown", name="kind", value=kind[:20])
    home = area or actor.area
    if home not in actor.areas:
        raise Refused("not_yours")
    with ctx.db.write() as session:
        library.find(session, asset)
        if not may_listen(session, listener, asset):
            raise Refused("asset.unknown")
        same = select(KeptSound.id).where(KeptSound.area_id == home, KeptSound.name == name)
        if session.scalar(same) is not None:
            raise Conflict("sound.there", name=name)
        sound = KeptSound(id=ctx.ids.new("s"), area_id=home, kind=kind, name=name, asset_sha256=asset, added_at=now)
        session.add(sound)
        told = {"kind": kind, "name": name, "sha256": asset}
        audit.record(session, now, actor.name, "sound.keep", sound.id, told, home)
        return sound.id


def drop(ctx: Context, actor: Actor, sound_id: str) -> None:
    """No longer offered; what was handed in with it keeps it. Raises Refused: "no_right", "not_yours"."""
    actor = actor.need(Right.COMPOSE)
    with ctx.db.write() as session:
        sound = session.get(KeptSound, sound_id)
        if sound is None or sound.area_id not in actor.areas:
            raise Refused("not_yours")
        audit.record(session, ctx.clock.now(), actor.name, "sound.drop", sound.id, {"name": sound.name}, sound.area_id)
        session.delete(sound)


def choose_chime(ctx: Context, actor: Actor, station_id: str, asset: str) -> None:
    """What the form of this station offers before a bulletin; "" for none. Raises Refused: "no_right",
    "station.unknown", "sound.unknown" (no chime that is offered there)."""
    actor = actor.need(Right.COMPOSE)
    with ctx.db.write() as session:
        station = session.get(Station, station_id)
        if station is None or station.area_id not in actor.areas:
            raise Refused("station.unknown")
        there = {each.asset.sha256 for each in offered(session, actor) if each.kind == "chime"}
        if asset and asset not in there:
            raise Refused("sound.unknown")
        station.chime_sha256 = asset or None
        told = {"sha256": asset}
        audit.record(session, ctx.clock.now(), actor.name, "sound.chime", station.id, told, station.area_id)


def stations(session: Session, actor: Actor) -> list[Station]:
    """Whose chime the actor may choose."""
    return list(my_stations(session, actor.need(Right.COMPOSE)))


def chime_of(session: Session, actor: Actor) -> str:
    """The recording that the form of the actor's own station begins with; "" where there is none, or no one station."""
    return session.scalar(select(Station.chime_sha256).where(Station.area_id == actor.area)) or ""


def add_chime(ctx: Context, actor: Actor, folder: Path) -> Asset:
    """The chime that we make ourselves, prepared like any upload. `folder` is for the work, on our own disk.

    Raises Refused("no_right") and the audio pipeline's faults."""
    return add_made(ctx, actor, folder, write_chime, CHIME_NAME)
