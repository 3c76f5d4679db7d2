"""A technician's round: the list on the phone, the page of a pole, and what is sent from there. Each works without
script."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from secrets import token_hex
from typing import Any

from fastapi import APIRouter
from fastapi.responses import FileResponse, Response, StreamingResponse

from broadcasts.domain.round_rules import PARTS, Kind, Seen, StopState
from broadcasts.errors import LoaError, Refused
from controller.services import round_entries, rounds
from controller.services.rights import Right
from controller.services.round_entries import Result, Told
from controller.services.views import faults
from controller.services.views import rounds as views
from controller.web import live, round_form
from controller.web.desk import DIST, Desk, PersonDesk, PersonForm
from controller.web.pages.home import done_of
from controller.web.round_form import TechnicianForm

router = APIRouter()


@router.get("/rounds")
def every(desk: PersonDesk) -> Response:
    return _list(desk)


@router.get("/rounds/worker.js")
def worker() -> Response:
    """For all of /rounds, the list too: by itself it could answer only for what lies below its own address."""
    headers = {"service-worker-allowed": "/rounds", "cache-control": "no-cache"}
    return FileResponse(DIST / "round_worker.js", media_type="text/javascript; charset=utf-8", headers=headers)


@router.post("/rounds")
def make(desk: PersonForm) -> Response:
    """`area`, `day` (ISO), `routine`, and `key`: the form's own name."""
    told = desk.posted
    try:
        try:
            day = date.fromisoformat(told.get("day"))
        except ValueError:
            day = desk.today
        routine = told.get("routine") == "yes"
        name = rounds.make(desk.office.ctx, desk.actor, told.get("area"), day, told.get("key"), routine)
    except LoaError as error:
        if error.key in ("no_right", "not_yours"):
            raise
        return _list(desk, error)
    return desk.go(f"/rounds/{name}")


@router.get("/rounds/{round_id}")
def one(desk: PersonDesk, round_id: str) -> Response:
    return _one(desk, round_id)


@router.post("/rounds/{round_id}/start")
def start(desk: PersonForm, round_id: str) -> Response:
    try:
        rounds.start(desk.office.ctx, desk.actor, round_id)
    except LoaError as error:
        if error.key in ("no_right", "not_yours"):
            raise
        return _one(desk, round_id, error)
    return desk.go(f"/rounds/{round_id}")


@router.post("/rounds/{round_id}/finish")
def finish(desk: PersonForm, round_id: str) -> Response:
    rounds.finish(desk.office.ctx, desk.actor, round_id)
    return desk.go(f"/rounds/{round_id}?done=round_over")


@router.get("/rounds/{round_id}/stops/{stop_id}")
def stop(desk: PersonDesk, round_id: str, stop_id: str) -> Response:
    return _stop(desk, round_id, stop_id)


@router.post("/rounds/{round_id}/stops/{stop_id}")
def write(desk: PersonForm, round_id: str, stop_id: str) -> Response:
    """`base`; `check.…`, `part.…`, `note`, `outcome`, `fault.…` with `revision.…`: as on the page."""
    desk.actor.need(Right.COMMAND)
    with desk.office.ctx.db.read() as session:
        it = views.stop(session, desk.actor, round_id, stop_id)
    told = round_form.entries(desk.posted, it)
    return _sent(desk, round_id, stop_id, round_entries.take(desk.office.ctx, desk.actor, round_id, told))


@router.post("/rounds/{round_id}/stops/{stop_id}/test")
def quiet_test(desk: PersonForm, round_id: str, stop_id: str) -> Response:
    told = Told(desk.posted.get("base") or token_hex(8), stop_id, Kind.TEST)
    desk.actor.need(Right.COMMAND)
    with desk.office.ctx.db.read() as session:
        views.stop(session, desk.actor, round_id, stop_id)
    return _sent(desk, round_id, stop_id, round_entries.take(desk.office.ctx, desk.actor, round_id, [told]), "#test")


@router.post("/rounds/{round_id}/stops/{stop_id}/photos")
def add_photo(desk: TechnicianForm, round_id: str, stop_id: str) -> Response:
    """`which`, `base`, and the file `photo`."""
    office, posted = desk.office, desk.posted
    with office.ctx.db.read() as session:
        views.stop(session, desk.actor, round_id, stop_id)
    if "photo" not in posted.files:
        return _stop(desk, round_id, stop_id, [posted.failures.get("photo") or Refused("photo.unreadable")])
    told = Told(posted.get("base"), stop_id, Kind.PHOTO, {"which": posted.get("which")})
    path, folder = posted.files["photo"][0], office.upload_folder
    result = round_entries.take_photo(office.ctx, desk.actor, round_id, told, path, folder)
    return _sent(desk, round_id, stop_id, [result], "#photos")


@router.get("/rounds/{round_id}/photos/{entry_id}")
def photo(desk: PersonDesk, round_id: str, entry_id: str) -> Response:
    kept = views.photo(desk.office.ctx, desk.actor, round_id, entry_id)
    headers = {"content-length": str(kept.size), "cache-control": "private, max-age=300"}
    return StreamingResponse(kept.blocks(), media_type="image/jpeg", headers=headers)


@router.get("/rounds/{round_id}/stops/{stop_id}/test/rows")
def test_rows(desk: PersonDesk, round_id: str, stop_id: str) -> Response:
    told = _tests(desk, round_id, stop_id)
    return live.rows(desk, "_commands.html", _test_address(round_id, stop_id), {}, commands=told)


@router.get("/rounds/{round_id}/stops/{stop_id}/test/live")
def test_live(desk: PersonDesk, round_id: str, stop_id: str) -> Response:
    _tests(desk, round_id, stop_id)
    return live.stream(desk, lambda: desk.text("_commands.html", commands=_tests(desk, round_id, stop_id)))


def _tests(desk: Desk, round_id: str, stop_id: str) -> Any:
    with desk.office.ctx.db.read() as session:
        return views.tests(session, desk.actor, round_id, stop_id, desk.office.ctx.clock.now())


def _test_address(round_id: str, stop_id: str) -> str:
    return f"/rounds/{round_id}/stops/{stop_id}/test"


def _sent(desk: Desk, round_id: str, stop_id: str, results: Sequence[Result], where: str = "") -> Response:
    """On, or the page again with what stands against it."""
    problems = [problem for result in results for _, problem in result.problems]
    if problems:
        return _stop(desk, round_id, stop_id, problems)
    return desk.go(f"/rounds/{round_id}/stops/{stop_id}?done=round_saved{where}")


def _list(desk: Desk, error: LoaError | None = None) -> Response:
    wide = desk.request.query_params.get("show") == "all"
    may = desk.actor.may(Right.COMMAND)
    with desk.office.ctx.db.read() as session:
        found = views.lines(session, desk.actor, every=wide or not may)
        areas = faults.places(session, desk.actor)[0] if may else []
    return desk.page(
        "rounds.html", desk.status(error) if error else 200, lines=found, areas=areas, may=may, wide=wide,
        key=token_hex(8), today=desk.today, chosen=desk.posted.get("area"), error=error, done=done_of(desk),
    )  # fmt: skip


def _one(desk: Desk, round_id: str, error: LoaError | None = None) -> Response:
    with desk.office.ctx.db.read() as session:
        it = views.one(session, desk.actor, round_id)
    status = desk.status(error) if error else 200
    return desk.page("round.html", status, it=it, row=it.line.row, error=error, done=done_of(desk))


def _stop(desk: Desk, round_id: str, stop_id: str, problems: Sequence[LoaError] = ()) -> Response:
    with desk.office.ctx.db.read() as session:
        it = views.stop(session, desk.actor, round_id, stop_id)
    told = _tests(desk, round_id, stop_id)
    return desk.page(
        "round_stop.html", desk.status(problems[0]) if problems else 200, it=it, row=it.whole.line.row, line=it.line,
        problems=problems, posted=desk.posted, PARTS=PARTS, SEEN=list(Seen), base=token_hex(8),
        open=it.line.stop.state == StopState.OPEN, done=done_of(desk),
        live=live.inside(desk, "_commands.html", _test_address(round_id, stop_id), {}, commands=told),
    )  # fmt: skip
