"""How words are said: a province's and a commune's table, changed by those who write bulletins there."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from broadcasts.domain.reading.numerals import STYLES
from broadcasts.errors import LoaError
from controller.services import pronouncing
from controller.services.rights import Right
from controller.web.desk import AuthorDesk, AuthorForm, Desk
from controller.web.pages.home import done_of

router = APIRouter()


@router.get("/pronunciations")
def every(desk: AuthorDesk) -> Response:
    return _page(desk)


@router.get("/pronunciations.csv")
def export(desk: AuthorDesk, area: str = "") -> Response:
    with desk.office.ctx.db.read() as session:
        told = pronouncing.exported(session, desk.actor, area or desk.actor.area)
    headers = {"content-disposition": 'attachment; filename="cach-doc.csv"', "cache-control": "no-store"}
    return Response("\ufeff" + told, media_type="text/csv; charset=utf-8", headers=headers)


@router.post("/pronunciations")
def put(desk: AuthorForm) -> Response:
    """`act`: "import" takes what was pasted; else one word."""
    ctx, posted, area = desk.office.ctx, desk.posted, desk.posted.get("area")[:40]
    try:
        if posted.get("act") == "import":
            pronouncing.imported(ctx, desk.actor, area, posted.get("csv"))
            return desk.go("/pronunciations?done=words_taken")
        others = posted.get("others").split(pronouncing.BETWEEN)
        written, spoken, note = posted.get("written"), posted.get("said"), posted.get("note")
        pronouncing.put(ctx, desk.actor, area, written, spoken, note, others)
    except LoaError as error:
        return _page(desk, error)
    return desk.go("/pronunciations?done=word_kept")


@router.post("/pronunciations/style")
def style(desk: AuthorForm) -> Response:
    """`style`: south, north, or nothing for the area above's."""
    posted = desk.posted
    try:
        pronouncing.set_style(desk.office.ctx, desk.actor, posted.get("area")[:40], posted.get("style"))
    except LoaError as error:
        return _page(desk, error)
    return desk.go("/pronunciations?done=reading_style")


@router.post("/pronunciations/{word_id}/drop")
def drop(desk: AuthorForm, word_id: str) -> Response:
    pronouncing.drop(desk.office.ctx, desk.actor, word_id)
    return desk.go("/pronunciations?done=word_dropped")


def _page(desk: Desk, error: LoaError | None = None) -> Response:
    with desk.office.ctx.db.read() as session:
        found = pronouncing.entries(session, desk.actor)
        areas = pronouncing.places(session, desk.actor, desk.office.ctx.clock.now())
        told = pronouncing.styles(session, [area.id for area in areas])
        in_force = pronouncing.style_for(session, desk.actor.need(Right.COMPOSE).area)
    posted = desk.posted
    typed = {name: posted.get(name) for name in ("written", "said", "note", "others", "csv")}
    return desk.page(
        "pronunciations.html",
        desk.status(error) if error else 200,
        lines=found,
        areas=areas,
        styles=told,
        style=in_force,
        STYLES=list(STYLES),
        typed=typed | {"area": posted.get("area") or desk.actor.area},
        error=error,
        done=done_of(desk),
    )
