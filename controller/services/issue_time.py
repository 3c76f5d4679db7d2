"""The time at which a bulletin was issued, spoken: what sounds before each repeat of it (R-061)."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.clock import VIETNAM
from controller.db.tables import Kept, Station
from controller.services import speaking
from controller.services.context import Context
from controller.services.rights import Actor, Right
from controller.services.speaking import Wish


def told(issued_at: datetime, station: str = "") -> str:
    """What the voice says, as an officer would read it; the station's name first."""
    local = issued_at.astimezone(VIETNAM)
    minutes = f" {local.minute} phút" if local.minute else ""
    day = f"ngày {local.day} tháng {local.month} năm {local.year}"
    name = f"{station}. " if station else ""
    return f"{name}Bản tin ban hành lúc {local.hour} giờ{minutes}, {day}."


def spoken(ctx: Context, actor: Actor, issued_at: datetime, folder: Path) -> str:
    """The recording of it, made once for each person and minute. `folder` is for the work, on our own disk.

    Raises Refused("no_right"), Fault: "audio.no_voice", and the audio pipeline's."""
    actor = actor.need(Right.COMPOSE)
    with ctx.db.read() as session:
        if known := of(session, actor, issued_at):
            return known
        station = session.scalar(select(Station.name).where(Station.area_id == actor.area)) or ""
    made = speaking.speak(ctx, actor, Wish(told(issued_at, station), fallback=True), folder).asset
    with ctx.db.write() as session:
        session.merge(Kept(name=_name(actor, issued_at), value=made.sha256))
    return made.sha256


def of(session: Session, actor: Actor, issued_at: datetime) -> str:
    """The one that was made for this person; "" where there is none."""
    found = session.get(Kept, _name(actor, issued_at))
    return str(found.value) if found is not None else ""


def _name(actor: Actor, issued_at: datetime) -> str:
    return f"issued:{actor.id}:{issued_at.astimezone(VIETNAM):%Y%m%dT%H%M}"
