"""A station's schedule as a calendar file, and somebody else's calendar as drafts to be looked at."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.domain.model import Schedule
from broadcasts.errors import LoaError
from controller.db.tables import Asset, Broadcast, Bulletin, Rendition, Station
from controller.services.context import Context
from controller.services.ics import Entry, write
from controller.services.ics_reading import read
from controller.services.relaying import relay_of
from controller.services.rights import Actor, Right
from controller.services.schedules import schedule_of


@dataclass(frozen=True)
class Line:
    """One event of an imported calendar. `asset`: the recording of the newest bulletin here with the same title, or
    nothing; times are all that a calendar can bring."""

    title: str
    schedule: Schedule | None
    duration: timedelta | None
    problem: LoaError | None
    asset: str


def export_calendar(ctx: Context, actor: Actor) -> bytes:
    """What is approved in the actor's area, as iCalendar; what is over for good is not in it."""
    actor = actor.need(Right.LOOK)
    now = ctx.clock.now()
    with ctx.db.read() as session:
        rows = session.execute(
            select(Broadcast, Bulletin.title, Asset.duration_ms)
            .join(Bulletin, Broadcast.bulletin_id == Bulletin.id)
            .join(Rendition, (Rendition.bulletin_id == Bulletin.id) & (Rendition.position == 0))
            .join(Asset, Rendition.asset_sha256 == Asset.sha256)
            .join(Station, Broadcast.station_id == Station.id)
            .where(Broadcast.status == "approved", Station.area_id.in_(actor.areas))
            .where(Broadcast.last_day.is_(None) | (Broadcast.last_day >= (now - timedelta(days=1)).date()))
            .order_by(Broadcast.id)
        ).all()
        entries = [
            Entry(broadcast.id, title, schedule_of(broadcast), _length(broadcast, duration_ms))
            for broadcast, title, duration_ms in rows
        ]
    return write(entries, now, "Loa")


def _length(broadcast: Broadcast, duration_ms: int) -> timedelta:
    relay = relay_of(broadcast)
    return relay.slot if relay else timedelta(seconds=-(-duration_ms // 1000))


def import_calendar(ctx: Context, actor: Actor, data: bytes) -> list[Line]:
    """Saves nothing: each line becomes a draft only when somebody hands it in. Raises as `ics_reading.read`."""
    actor = actor.need(Right.COMPOSE)
    found = read(data)
    with ctx.db.read() as session:
        known = _recordings(session, actor, {each.title for each in found})
    return [Line(each.title, each.schedule, each.duration, each.problem, known.get(each.title, "")) for each in found]


def _recordings(session: Session, actor: Actor, titles: set[str]) -> dict[str, str]:
    rows = session.execute(
        select(Bulletin.title, Rendition.asset_sha256)
        .join(Rendition, (Rendition.bulletin_id == Bulletin.id) & (Rendition.position == 0))
        .join(Station, Bulletin.station_id == Station.id)
        .where(Bulletin.title.in_(titles), Station.area_id.in_(actor.areas))
        .order_by(Bulletin.created_at, Rendition.id)
    )
    return {row[0]: row[1] for row in rows}
