"""For whoever runs the server: files that are not there, and what falls silent for it."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from controller.services import collecting
from controller.services.rights import Right
from controller.services.views.missing import missing
from controller.web.desk import PersonDesk

router = APIRouter()


@router.get("/files")
def files(desk: PersonDesk) -> Response:
    desk.actor.need(Right.UPKEEP)
    ctx = desk.office.ctx
    found = collecting.last_found(ctx)
    with ctx.db.read() as session:
        looked = missing(session, desk.actor, found, ctx.clock.now()) if found is not None else None
    return desk.page("files.html", looked=looked, found=found)
