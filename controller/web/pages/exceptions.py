"""Stations with one person, where an author approves his own: every exception that was granted, as a report, and how
one is granted and ended."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from broadcasts.clock import VIETNAM
from broadcasts.errors import LoaError, Refused
from controller.services import own_exceptions
from controller.services.rights import Right
from controller.web.days import end_of
from controller.web.desk import Desk, PersonDesk, PersonForm
from controller.web.pages.home import done_of

router = APIRouter()
_FIELDS = ("station", "number", "reason", "until")


@router.get("/exceptions")
def every(desk: PersonDesk) -> Response:
    return _page(desk)


@router.post("/exceptions")
def grant(desk: PersonForm) -> Response:
    """`until`: a day, included."""
    desk.actor.need(Right.PEOPLE)
    told = {name: desk.posted.get(name).strip()[:500] for name in _FIELDS}
    try:
        until = end_of(told["until"], "until")
        if until is None:
            raise Refused("exception.until", days=own_exceptions.LONGEST.days)
        own_exceptions.give(desk.office.ctx, desk.actor, told["station"], told["number"], told["reason"], until)
    except LoaError as error:
        return _page(desk, told, error)
    return desk.go("/exceptions?done=excepted")


@router.post("/exceptions/{exception_id}/end")
def end(desk: PersonForm, exception_id: str) -> Response:
    try:
        own_exceptions.take_back(desk.office.ctx, desk.actor, exception_id)
    except LoaError as error:
        if error.key in ("not_yours", "no_right", "second_factor.needed"):
            raise
        return _page(desk, error=error)
    return desk.go("/exceptions?done=exception_ended")


def _page(desk: Desk, told: dict[str, str] | None = None, error: LoaError | None = None) -> Response:
    ctx = desk.office.ctx
    with ctx.db.read() as session:
        lines = own_exceptions.every(ctx, session, desk.actor)
        stations = own_exceptions.stations_above(session, desk.actor)
    today = ctx.wall.now().astimezone(VIETNAM).date()
    return desk.page(
        "exceptions.html",
        desk.status(error) if error else 200,
        lines=lines,
        stations=stations,
        told=told or dict.fromkeys(_FIELDS, ""),
        today=today.isoformat(),
        latest=(today + own_exceptions.LONGEST).isoformat(),
        error=error,
        done=done_of(desk),
    )
