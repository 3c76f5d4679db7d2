"""The asset book of a cluster: purchase, repair, replacement, warranty, each with its day, its money and where that
came from (R-142). Lines are only added."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.clock import VIETNAM
from broadcasts.errors import Refused
from controller.db.tables import BookEntry
from controller.services import audit
from controller.services.context import Context
from controller.services.hardware import FUNDS, MOST_VND, YEARS
from controller.services.rights import Actor, Right
from controller.services.swapping import serving, there

WHAT = ("purchase", "repair", "replacement", "warranty", "other")
LONGEST_NOTE = 200


@dataclass(frozen=True)
class Line:
    what: str
    on_day: date
    cost_vnd: int | None = None
    funding: str = ""
    note: str = ""


@audit.decided("book.add")
def add(ctx: Context, actor: Actor, cluster_id: str, told: Line) -> None:
    """Raises Refused: "no_right", "cluster.unknown", "choice.unknown", "hardware.day", "hardware.money",
    "hardware.text"."""
    actor, now = actor.need(Right.PLACES), ctx.clock.now()
    note = " ".join(told.note.split())
    if told.what not in WHAT or told.funding not in FUNDS:
        raise Refused("choice.unknown", name="what", value=told.what[:20])
    if told.on_day.year not in YEARS or told.on_day > now.astimezone(VIETNAM).date():
        raise Refused("hardware.day")
    if told.cost_vnd is not None and not 0 <= told.cost_vnd <= MOST_VND:
        raise Refused("hardware.money")
    if len(note) > LONGEST_NOTE or not note.isprintable():
        raise Refused("hardware.text", name="note", most=LONGEST_NOTE)
    with ctx.db.write() as session:
        cluster, station = there(session, actor, cluster_id)
        unit = serving(session, cluster.id)
        row = BookEntry(
            cluster_id=cluster.id, unit_id=unit, what=told.what, on_day=told.on_day, cost_vnd=told.cost_vnd,
            funding=told.funding, note=note, at=now, by_id=actor.id,
        )  # fmt: skip
        session.add(row)
        detail = {"what": told.what, "day": told.on_day.isoformat(), "cost_vnd": told.cost_vnd, "unit": unit or ""}
        audit.record(session, now, actor.name, "book.add", cluster.id, detail, station.area_id)


def lines(session: Session, cluster_id: str) -> list[BookEntry]:
    """The newest day first."""
    query = select(BookEntry).where(BookEntry.cluster_id == cluster_id)
    return list(session.scalars(query.order_by(BookEntry.on_day.desc(), BookEntry.id.desc()).limit(100)))
