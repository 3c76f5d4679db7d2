"""Home, and the week."""

from __future__ import annotations

from datetime import date, timedelta

from fastapi import APIRouter
from fastapi.responses import Response
from sqlalchemy.orm import Session

from broadcasts.clock import VIETNAM
from broadcasts.errors import Refused
from controller.services import cap_deciding, emergencies, trying_again
from controller.services.rights import Right
from controller.services.valid_approvals import Ending, ending
from controller.services.views import voices
from controller.services.views.today import Today, today
from controller.services.views.week import DAYS, programmes, week
from controller.web import live
from controller.web.catalogue import knows
from controller.web.desk import Desk, PersonDesk

router = APIRouter()
_YEARS = range(2000, 2101)


def done_of(desk: Desk) -> str | None:
    """What an address says was just done, if it is something that we say."""
    told = desk.request.query_params.get("done", "")
    return told if knows(f"done.{told}") else None


def _today(desk: Desk) -> Today:
    desk.actor.need(Right.LOOK)
    with desk.office.ctx.db.read() as session:
        return today(session, desk.actor, desk.office.ctx.clock.now())


@router.get("/")
def home(desk: PersonDesk) -> Response:
    rows = live.inside(desk, "_today.html", "/today", {}, today=_today(desk))
    with desk.office.ctx.db.read() as session:
        alerts = emergencies.waiting(desk.office.ctx, session, desk.actor)
        over = _ending(desk, session)
        warnings = cap_deciding.waiting(session, desk.actor, desk.office.ctx.clock.now())
        spoken = voices.waiting(session, desk.actor, desk.office.ctx.clock.now())
        kept = trying_again.waiting(session, desk.actor)
    return desk.page(
        "today.html",
        live=rows,
        done=done_of(desk),
        alerts=alerts,
        ending=over,
        warnings=warnings,
        spoken=spoken,
        uploads=kept,
    )


@router.get("/today/rows")
def home_rows(desk: PersonDesk) -> Response:
    return live.rows(desk, "_today.html", "/today", {}, today=_today(desk))


@router.get("/today/live")
def home_live(desk: PersonDesk) -> Response:
    return live.stream(desk, lambda: desk.text("_today.html", today=_today(desk)))


@router.get("/schedule")
def schedule(desk: PersonDesk) -> Response:
    desk.actor.need(Right.LOOK)
    now = desk.office.ctx.clock.now()
    first = _first(desk.request.query_params.get("from")) or now.astimezone(VIETNAM).date()
    with desk.office.ctx.db.read() as session:
        days, over = week(session, desk.actor, first), _ending(desk, session)
        whole = programmes(session, days)
    step = timedelta(days=DAYS)
    return desk.page("schedule.html", days=days, before=first - step, after=first + step, ending=over, programmes=whole)


def _ending(desk: Desk, session: Session) -> list[Ending]:
    """For those who can do something about it."""
    if not (desk.actor.may(Right.COMPOSE) or desk.actor.may(Right.APPROVE)):
        return []
    return ending(session, desk.actor, desk.office.ctx.clock.now())


def _first(told: str | None) -> date | None:
    if told is None:
        return None
    try:
        found = date.fromisoformat(told)
    except ValueError:
        found = date.min
    if found.year not in _YEARS:
        raise Refused("choice.unknown", name="from", value=told[:20])
    return found
