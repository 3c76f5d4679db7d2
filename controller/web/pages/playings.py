"""What was played where: a table to look at, to print and to save."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from urllib.parse import quote

from fastapi import APIRouter
from fastapi.responses import Response, StreamingResponse

from broadcasts.errors import LoaError, Refused
from controller.services.rights import Right
from controller.services.views.places import areas_by_name
from controller.services.views.playing import Playing
from controller.services.views.playings import MOST, Page, count, page
from controller.web import playing_words
from controller.web.desk import Desk, PersonDesk
from controller.web.draft_form import day_of
from controller.web.series_words import dated

router = APIRouter()
SHOWN = 300
"""Lines on one page, and those of the instant that it ends with; the file has all."""
PAGES = {"alert": "emergency", "drill": "drills", "silent_drill": "drills", "live": "live"}
"""Where one reads more of what was no broadcast: its id follows."""
OFFICERS = ("alert", "drill", "silent_drill")
"""Whose pages are for who may sound or approve."""


@router.get("/playings")
def table(desk: PersonDesk, first: str = "", last: str = "", area: str = "", since: str = "") -> Response:
    """Without days: of today. `since`: where the page before ended."""
    actor = desk.actor.need(Right.LOOK)
    begin, end = _days(desk, first, last)
    found, total = Page((), None), 0
    error: LoaError | None = None
    try:
        found, total = _found(desk, begin, end, area, _instant(since)), _count(desk, begin, end, area)
    except Refused as refused:
        if refused.key == "no_right":
            raise
        error = refused
    with desk.office.ctx.db.read() as session:
        areas = areas_by_name(session, actor, desk.today)
    words = desk.words
    officer = actor.may(Right.ALERT) or actor.may(Right.APPROVE)
    rows = [
        (line, playing_words.title(words, line), playing_words.result(words, line), _page_of(line, officer))
        for line in found.lines
    ]
    told = {"rows": rows, "count": total, "first": begin, "last": end, "area": area}
    told |= {"since": since, "following": found.next.isoformat() if found.next else ""}
    return desk.page(
        "playings.html",
        desk.status(error) if error else 200,
        areas=areas,
        error=error,
        dated=dated,
        **told,
    )


@router.get("/playings.csv")
def saved(desk: PersonDesk, first: str = "", last: str = "", area: str = "") -> Response:
    """All of them, written while they are read: no file is too long."""
    begin, end = _days(desk, first, last)
    now = desk.office.ctx.clock.now()
    headers = {"content-disposition": f'attachment; filename="da-phat-{begin}-{end}.csv"', "cache-control": "no-store"}
    beginning = _read(desk, begin, end, area, now, None, MOST)

    def parts() -> Iterator[bytes]:
        found = beginning
        yield playing_words.as_csv(desk.words, found.lines)
        while found.next is not None:
            found = _read(desk, begin, end, area, now, found.next, MOST)
            yield playing_words.more_csv(desk.words, found.lines)

    return StreamingResponse(parts(), media_type="text/csv; charset=utf-8", headers=headers)


def _page_of(line: Playing, officer: bool) -> str:
    """Where more is told, or ""."""
    if line.kind in OFFICERS and not officer:
        return ""
    where, name = (PAGES[line.kind], line.bulletin) if line.kind in PAGES else ("deliveries", line.delivery)
    return f"/{where}/{quote(name, safe='')}"


def _days(desk: Desk, first: str, last: str) -> tuple[date, date]:
    begin = day_of(first) or day_of(last) or desk.today
    return begin, day_of(last) or begin


def _instant(told: str) -> datetime | None:
    """As an address of ours says it; anything else is the first page."""
    try:
        found = datetime.fromisoformat(told)
    except ValueError:
        return None
    return found if found.tzinfo is not None else None


def _found(desk: Desk, first: date, last: date, area: str, since: datetime | None) -> Page:
    return _read(desk, first, last, area, desk.office.ctx.clock.now(), since, SHOWN)


def _read(desk: Desk, first: date, last: date, area: str, now: datetime, since: datetime | None, limit: int) -> Page:
    with desk.office.ctx.db.read() as session:
        return page(session, desk.actor, first, last, now, area, since, limit)


def _count(desk: Desk, first: date, last: date, area: str) -> int:
    with desk.office.ctx.db.read() as session:
        return count(session, desk.actor, first, last, desk.office.ctx.clock.now(), area)
