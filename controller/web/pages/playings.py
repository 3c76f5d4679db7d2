"""What was played where: a table to look at, to print and to save."""

from __future__ import annotations

from datetime import date
from urllib.parse import quote

from fastapi import APIRouter
from fastapi.responses import Response

from broadcasts.errors import LoaError, Refused
from controller.services.rights import Right
from controller.services.views.places import areas_by_name
from controller.services.views.playing import Playing
from controller.services.views.playings import playings
from controller.web import playing_words
from controller.web.desk import Desk, PersonDesk
from controller.web.draft_form import day_of
from controller.web.series_words import dated

router = APIRouter()
SHOWN = 300
"""Lines on the page; the file has all."""
PAGES = {"alert": "emergency", "drill": "drills", "silent_drill": "drills", "live": "live"}
"""Where one reads more of what was no broadcast: its id follows."""
OFFICERS = ("alert", "drill", "silent_drill")
"""Whose pages are for who may sound or approve."""


@router.get("/playings")
def table(desk: PersonDesk, first: str = "", last: str = "", area: str = "") -> Response:
    """Without days: of today."""
    actor = desk.actor.need(Right.LOOK)
    begin, end = _days(desk, first, last)
    lines: list[Playing] = []
    error: LoaError | None = None
    try:
        lines = _found(desk, begin, end, area)
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
        for line in lines[:SHOWN]
    ]
    told = {"rows": rows, "count": len(lines), "shown": SHOWN, "first": begin, "last": end, "area": area}
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
    begin, end = _days(desk, first, last)
    data = playing_words.as_csv(desk.words, _found(desk, begin, end, area))
    headers = {"content-disposition": f'attachment; filename="da-phat-{begin}-{end}.csv"', "cache-control": "no-store"}
    return Response(data, media_type="text/csv; charset=utf-8", headers=headers)


def _page_of(line: Playing, officer: bool) -> str:
    """Where more is told, or ""."""
    if line.kind in OFFICERS and not officer:
        return ""
    where, name = (PAGES[line.kind], line.bulletin) if line.kind in PAGES else ("deliveries", line.delivery)
    return f"/{where}/{quote(name, safe='')}"


def _days(desk: Desk, first: str, last: str) -> tuple[date, date]:
    begin = day_of(first) or day_of(last) or desk.today
    return begin, day_of(last) or begin


def _found(desk: Desk, first: date, last: date, area: str) -> list[Playing]:
    with desk.office.ctx.db.read() as session:
        return playings(session, desk.actor, first, last, desk.office.ctx.clock.now(), area)
