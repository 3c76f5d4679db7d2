"""Two priority broadcasts that want the same horn: the approver of the commune says which goes first."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from broadcasts.errors import LoaError
from controller.services.precedence import LONGEST_REASON, decide, priority_clashes
from controller.web.desk import Desk, PersonDesk, PersonForm
from controller.web.pages.home import done_of

router = APIRouter()


@router.get("/clashes")
def show(desk: PersonDesk) -> Response:
    return _page(desk)


@router.post("/clashes")
def say_who(desk: PersonForm) -> Response:
    posted = desk.posted
    station = posted.get("station")[:40]
    first, _, second = posted.get("order")[:80].partition(" ")
    try:
        decide(desk.office.ctx, desk.actor, station, first, second, posted.get("reason"), posted.get("push_now") == "1")
    except LoaError as error:
        if error.key in ("no_right", "not_yours", "second_factor.needed"):
            raise
        return _page(desk, error, (station, first, second))
    return desk.go("/clashes?done=precedence")


def _page(desk: Desk, error: LoaError | None = None, asked: tuple[str, str, str] = ("", "", "")) -> Response:
    """`asked`: station and the two broadcasts that the error is about."""
    return desk.page(
        "clashes.html",
        desk.status(error) if error else 200,
        clashes=priority_clashes(desk.office.ctx, desk.actor),
        most=LONGEST_REASON,
        reason=desk.posted.get("reason")[:LONGEST_REASON] if error else "",
        asked=asked,
        error=error,
        done=done_of(desk),
    )
