"""The sounds that we make ourselves: what is there, what is missing, and a button that makes it."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from broadcasts.errors import LoaError, Refused
from controller.services import sound_library
from controller.services.rights import Right
from controller.web.desk import Desk, PersonDesk, PersonForm
from controller.web.pages.home import done_of

router = APIRouter()


@router.get("/sound-library")
def every(desk: PersonDesk) -> Response:
    return _page(desk)


@router.post("/sound-library")
def make(desk: PersonForm) -> Response:
    """`act`: "warnings" speaks those of `area` that are missing; "frame" makes chimes and the word before a drill."""
    ctx, folder, posted = desk.office.ctx, desk.office.upload_folder, desk.posted
    _may(desk)
    try:
        match posted.get("act"):
            case "warnings":
                sound_library.speak_warnings(ctx, desk.actor, posted.get("area")[:40], folder)
            case "frame":
                sound_library.keep_frame(ctx, desk.actor, folder)
            case other:
                raise Refused("choice.unknown", name="act", value=other[:20])
    except LoaError as error:
        return _page(desk, error)
    return desk.go("/sound-library?done=library_made")


def _may(desk: Desk) -> None:
    """Raises Refused("no_right")."""
    if not desk.actor.may(Right.COMPOSE):
        desk.actor.need(Right.PRELOAD)


def _page(desk: Desk, error: LoaError | None = None) -> Response:
    _may(desk)
    actor = desk.actor
    with desk.office.ctx.db.read() as session:
        areas = sound_library.places(session, actor) if actor.may(Right.PRELOAD) else []
        sets = [(area, sound_library.warnings(session, area.id)) for area in areas]
        frame = sound_library.frame(session, actor) if actor.may(Right.COMPOSE) else {}
    status = desk.status(error) if error else 200
    return desk.page("sound_library.html", status, sets=sets, frame=frame, error=error, done=done_of(desk))
