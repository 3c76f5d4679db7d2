"""Emergencies that sounded, and the second person's word on them."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from broadcasts.errors import LoaError
from controller.services import emergencies
from controller.web.alert_texts import silences_of
from controller.web.desk import Desk, PersonDesk, PersonForm
from controller.web.pages.home import done_of

router = APIRouter()


@router.get("/alerts")
def every(desk: PersonDesk) -> Response:
    return _page(desk)


@router.post("/alerts/{alert_id}/confirm")
def confirm(desk: PersonForm, alert_id: str) -> Response:
    """`decision`: approve, or anything else for "it should not have sounded", which wants a note."""
    right, note = desk.posted.get("decision") == "approve", desk.posted.get("note")
    try:
        emergencies.confirm(desk.office.ctx, desk.actor, alert_id, right=right, note=note)
    except LoaError as error:
        if error.key in ("no_right", "not_yours", "second_factor.needed"):
            raise
        return _page(desk, error)
    return desk.go("/alerts?done=alert_confirmed")


def _page(desk: Desk, error: LoaError | None = None) -> Response:
    with desk.office.ctx.db.read() as session:
        found = emergencies.every(desk.office.ctx, session, desk.actor)
    status = desk.status(error) if error else 200
    return desk.page(
        "alerts.html",
        status,
        lines=found,
        silences=silences_of(desk.office.ctx, desk.actor),
        done=done_of(desk),
        error=error,
    )
