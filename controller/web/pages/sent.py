"""What one sent lately and what became of it: also for who closed the page while it was being prepared."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from broadcasts.errors import LoaError
from controller.services import preparing, trying_again, uploads
from controller.web.desk import Desk, PersonDesk, PersonForm
from controller.web.pages.home import done_of

router = APIRouter()


@router.get("/uploads")
def mine(desk: PersonDesk) -> Response:
    return _page(desk)


@router.post("/uploads/{upload_id}/again")
def again(desk: PersonForm, upload_id: str) -> Response:
    """What waits for the store is tried now."""
    try:
        trying_again.again(desk.office.ctx, desk.actor, upload_id)
    except LoaError as error:
        return _page(desk, error)
    desk.office.came()
    return desk.go("/uploads?done=upload_again")


@router.post("/uploads/{upload_id}/drop")
def drop(desk: PersonForm, upload_id: str) -> Response:
    try:
        uploads.forget(desk.office.ctx, desk.office.shelf, desk.actor, upload_id)
    except LoaError as error:
        return _page(desk, error)
    return desk.go("/uploads?done=upload_dropped")


def _page(desk: Desk, error: LoaError | None = None) -> Response:
    with desk.office.ctx.db.read() as session:
        found = trying_again.mine(session, desk.actor)
    rows = [(each, preparing.failure(each), trying_again.again_at(each)) for each in found]
    return desk.page("uploads.html", desk.status(error) if error else 200, rows=rows, error=error, done=done_of(desk))
