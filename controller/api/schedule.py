"""/api/v1: parts of a series, copies of days, calendars."""

from __future__ import annotations

from datetime import date, datetime, time

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from broadcasts.errors import Refused
from controller.api.airtime import EditOut
from controller.api.broadcasts import outcome
from controller.api.deps import Caller, TheOffice
from controller.api.models import BroadcastOut, DraftIn, PreviewOut, ProblemOut
from controller.api.patterns import Day, Instant
from controller.services.calendars import Line, export_calendar, import_calendar
from controller.services.composing import preview
from controller.services.copying import copy
from controller.services.edit_effect import effect
from controller.services.ics_reading import MOST_BYTES
from controller.services.rescheduling import Extent, change, leave_out, span_of
from controller.services.rights import Right
from controller.services.schedules import stored
from controller.services.views.broadcast import whole

router = APIRouter(prefix="/api/v1")


class RescheduleIn(DraftIn):
    """`start` names the occurrence; "all" needs none."""

    revision: int
    extent: Extent
    start: Instant | None = None


class LeaveOutIn(BaseModel):
    model_config = ConfigDict(extra="forbid")
    extent: Extent = Extent.ONE
    start: Instant
    push_now: bool = False


class CopyIn(BaseModel):
    """`first` and the `days` after it, 1 or 7, to `to`; `only` these broadcasts, or all."""

    model_config = ConfigDict(extra="forbid")
    first: Day
    days: int
    to: Day
    only: list[str] | None = Field(None, max_length=1_000)


class LineOut(BaseModel):
    """`schedule`: the fields of DraftIn that a calendar can bring; none where `problem` says why."""

    title: str
    schedule: dict[str, object] | None
    duration_ms: int | None
    asset: str
    problem: ProblemOut | None

    @classmethod
    def of(cls, line: Line) -> LineOut:
        return cls(
            title=line.title,
            schedule=_fields(line),
            duration_ms=round(line.duration.total_seconds() * 1000) if line.duration is not None else None,
            asset=line.asset,
            problem=ProblemOut.of(line.problem) if line.problem else None,
        )


def _fields(line: Line) -> dict[str, object] | None:
    if line.schedule is None:
        return None
    found = line.schedule
    told: dict[str, str | date | time | datetime | None] = {
        "repeat": found.repeat,
        "first_day": found.first,
        "at": found.at,
        "until_day": found.until,
    }
    return {**told, "pattern": stored(found.pattern)}


@router.post("/broadcasts/{broadcast_id}/reschedule")
def reschedule(office: TheOffice, caller: Caller, broadcast_id: str, edit: RescheduleIn) -> BroadcastOut:
    """Answers with the broadcast that waits for approval now: a new one, or the same where nothing has sounded yet."""
    draft = DraftIn(**edit.model_dump(exclude={"revision", "extent", "start"})).draft()
    found = change(office.ctx, caller, broadcast_id, draft, edit.extent, edit.start, edit.revision)
    return outcome(office, caller, found)


@router.post("/broadcasts/{broadcast_id}/preview")
def look_ahead(office: TheOffice, caller: Caller, broadcast_id: str, edit: RescheduleIn) -> PreviewOut:
    """What `reschedule` would do: the rest of the series stays where it is."""
    with office.ctx.db.read() as session:
        whole(session, caller.need(Right.COMPOSE), broadcast_id)
    draft = DraftIn(**edit.model_dump(exclude={"revision", "extent", "start"})).draft()
    found = effect(office.ctx, caller, broadcast_id, draft, edit.extent, edit.start)
    seen = preview(office.ctx, caller, draft, broadcast_id, span_of(edit.extent, edit.start))
    return PreviewOut.of(seen).model_copy(update={"edit": EditOut.of(found)})


@router.post("/broadcasts/{broadcast_id}/leave-out")
def omit(office: TheOffice, caller: Caller, broadcast_id: str, told: LeaveOutIn) -> BroadcastOut:
    if told.extent is Extent.ALL:
        raise Refused("choice.unknown", name="extent", value=told.extent)
    leave_out(office.ctx, caller, broadcast_id, told.extent, told.start, told.push_now)
    return outcome(office, caller, broadcast_id)


@router.post("/schedule/copy", status_code=201)
def copy_days(office: TheOffice, caller: Caller, told: CopyIn) -> list[str]:
    """The ids of the new broadcasts, which wait for approval."""
    return copy(office.ctx, caller, told.first, told.days, told.to, told.only)


@router.get("/schedule.ics")
def take(office: TheOffice, caller: Caller) -> Response:
    return Response(export_calendar(office.ctx, caller), media_type="text/calendar; charset=utf-8")


@router.post("/schedule/import")
async def bring(request: Request, office: TheOffice, caller: Caller) -> list[LineOut]:
    """The file is the body. Nothing is saved: send what it says to /broadcasts."""
    caller.need(Right.COMPOSE)
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > MOST_BYTES:
            break
    lines = await run_in_threadpool(import_calendar, office.ctx, caller, bytes(data))
    return [LineOut.of(line) for line in lines]
