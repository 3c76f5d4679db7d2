"""/api/v1/playings: each bulletin at each cluster with all that is known of it (R-099)."""

from __future__ import annotations

from fastapi import APIRouter

from controller.api.deps import Caller, TheOffice
from controller.api.patterns import Day
from controller.services.views.playing import Playing
from controller.services.views.playings import playings

router = APIRouter(prefix="/api/v1")


@router.get("/playings")
def every(office: TheOffice, caller: Caller, first: Day, last: Day, area: str = "") -> list[Playing]:
    """Of local days, both included, at most a quarter of a year; what is more than 20,000 lines is refused."""
    with office.ctx.db.read() as session:
        return playings(session, caller, first, last, office.ctx.clock.now(), area)
