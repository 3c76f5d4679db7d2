"""The schedule as a whole: copy a day or a week, take it out as a calendar, bring a calendar in."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response

from broadcasts.clock import VIETNAM
from broadcasts.errors import LoaError, Refused
from controller.services.calendars import Line, export_calendar, import_calendar
from controller.services.copying import Copy, copy, preview_copy
from controller.services.ics_reading import MOST_BYTES
from controller.services.rescheduling import Extent, leave_out
from controller.services.rights import Right
from controller.services.views.broadcast import whole
from controller.web import schedule_form
from controller.web.desk import AuthorDesk, AuthorForm, Desk, PersonDesk, PersonForm

router = APIRouter()


@router.get("/schedule.ics")
def take(desk: PersonDesk) -> Response:
    data = export_calendar(desk.office.ctx, desk.actor)
    headers = {"content-disposition": 'attachment; filename="loa.ics"', "cache-control": "no-store"}
    return Response(data, media_type="text/calendar; charset=utf-8", headers=headers)


@router.get("/schedule/copy")
def choose(desk: AuthorDesk) -> Response:
    told = desk.request.query_params
    return _copy_page(desk, told.get("from", ""), told.get("days", "7"), told.get("to", ""))


@router.post("/schedule/copy")
def do_copy(desk: PersonForm) -> Response:
    posted = desk.posted
    told = (posted.get("from"), posted.get("days"), posted.get("to"))
    desk.actor.need(Right.COMPOSE)
    try:
        copy(desk.office.ctx, desk.actor, *_span(*told), only=posted.all("of"))
    except LoaError as error:
        return _copy_page(desk, *told, error=error)
    return desk.go("/?done=copied")


def _copy_page(desk: Desk, first: str, days: str, to: str, error: LoaError | None = None) -> Response:
    today = desk.office.ctx.clock.now().astimezone(VIETNAM).date()
    first = first or today.isoformat()
    days = days if days in ("1", "7") else "7"
    found: list[Copy] = []
    if to:
        try:
            found = preview_copy(desk.office.ctx, desk.actor, *_span(first, days, to))
        except LoaError as failure:
            error = error or failure
    status = desk.status(error) if error else 200
    return desk.page("copy.html", status, first=first, days=days, to=to, copies=found, error=error)


def _span(first: str, days: str, to: str) -> tuple[date, int, date]:
    """Raises Refused("choice.unknown")."""
    return _day("from", first), int(days) if days in ("1", "7") else 0, _day("to", to)


def _day(name: str, told: str) -> date:
    try:
        found = date.fromisoformat(told)
    except ValueError:
        found = date.min
    if found.year not in schedule_form.YEARS:
        raise Refused("choice.unknown", name=name, value=told[:20])
    return found


@router.get("/schedule/import")
def ask(desk: AuthorDesk) -> Response:
    return desk.page("import.html", lines=[], error=None)


@router.post("/schedule/import")
def bring(desk: AuthorForm) -> Response:
    try:
        lines = import_calendar(desk.office.ctx, desk.actor, _file(desk))
    except LoaError as error:
        return desk.page("import.html", desk.status(error), lines=[], error=error)
    return desk.page("import.html", lines=[(line, _fields(line)) for line in lines], error=None)


def _file(desk: Desk) -> bytes:
    """At most one byte more than may be. Raises Refused: "form.no_file", or why the file is not there."""
    if (failure := desk.posted.failures.get("calendar")) is not None:
        raise failure
    if "calendar" not in desk.posted.files:
        raise Refused("ics.missing")
    with desk.posted.files["calendar"][0].open("rb") as file:
        return file.read(MOST_BYTES + 1)


def _fields(line: Line) -> list[tuple[str, str]]:
    """The form of a new bulletin, filled in with what the calendar says."""
    if line.schedule is None:
        return []
    schedule = line.schedule
    when, rule = schedule_form.shown(str(schedule.repeat), schedule.pattern)
    told: dict[str, Any] = {
        "title": line.title,
        "asset": line.asset,
        "when": when,
        "day": schedule.first.isoformat(),
        "time": schedule.at.isoformat(),
        "until": schedule.until.isoformat() if schedule.until else "",
        **vars(rule),
    }
    flat = [(name, each) for name, value in told.items() for each in ([value] if isinstance(value, str) else value)]
    return [(name, value) for name, value in flat if value]


@router.post("/broadcasts/{broadcast_id}/leave-out")
def omit(desk: PersonForm, broadcast_id: str) -> Response:
    """One start of a series, without a replacement."""
    told = desk.posted.get("start")
    actor = desk.actor.need(Right.APPROVE, Right.COMPOSE)
    with desk.office.ctx.db.read() as session:
        whole(session, actor, broadcast_id)
    try:
        start = datetime.fromisoformat(told).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Refused("choice.unknown", name="start", value=told[:40]) from None
    leave_out(desk.office.ctx, desk.actor, broadcast_id, Extent.ONE, start, desk.posted.get("push_now") == "1")
    return desk.go(f"/broadcasts/{broadcast_id}?done=left_out")
