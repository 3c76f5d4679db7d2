"""Faults: what a technician has to know before he drives, what becomes of each, and work that was planned."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter
from fastapi.responses import Response

from broadcasts.clock import VIETNAM
from broadcasts.errors import LoaError, Refused
from controller.services import fault_acts
from controller.services.rights import Right
from controller.services.views import faults
from controller.web.desk import Desk, PersonDesk, PersonForm
from controller.web.pages.home import done_of

router = APIRouter()


@router.get("/faults")
def every(desk: PersonDesk) -> Response:
    return _list(desk)


@router.get("/faults/{fault_id}")
def one(desk: PersonDesk, fault_id: str) -> Response:
    return _one(desk, fault_id)


@router.post("/faults/{fault_id}")
def move(desk: PersonForm, fault_id: str) -> Response:
    """`state`: where to; `why`: what was done; `revision`: as it was seen."""
    posted = desk.posted
    told = posted.get("revision")
    revision = int(told) if told.isascii() and told.isdigit() and len(told) < 9 else -1
    try:
        fault_acts.move(desk.office.ctx, desk.actor, fault_id, posted.get("state"), posted.get("why"), revision)
    except LoaError as error:
        if error.key in ("no_right", "not_yours"):
            raise
        return _one(desk, fault_id, error)
    return desk.go(f"/faults/{fault_id}?done=fault_moved")


@router.post("/planned-works")
def plan(desk: PersonForm) -> Response:
    """`where`: `area:<id>` or `cluster:<id>`; `begins`, `ends`: local, as a browser's field gives them; `reason`."""
    desk.actor.need(Right.COMMAND)
    kind, _, name = desk.posted.get("where").partition(":")
    cluster = name if kind == "cluster" else None
    try:
        times = [_instant(desk.posted.get(field), field) for field in ("begins", "ends")]
        fault_acts.plan_work(
            desk.office.ctx, desk.actor, "" if cluster else name, cluster, times[0], times[1], desk.posted.get("reason")
        )
    except LoaError as error:
        if error.key == "no_right":
            raise
        return _list(desk, error)
    return desk.go("/faults?done=work_planned#works")


@router.post("/planned-works/{work_id}/end")
def end(desk: PersonForm, work_id: str) -> Response:
    fault_acts.end_work(desk.office.ctx, desk.actor, work_id)
    return desk.go("/faults?done=work_ended#works")


def _instant(told: str, name: str) -> datetime:
    try:
        at = datetime.fromisoformat(told)
    except ValueError:
        raise Refused("choice.unknown", name=name, value=told[:20]) from None
    return at.replace(tzinfo=VIETNAM) if at.tzinfo is None else at


def _list(desk: Desk, error: LoaError | None = None) -> Response:
    actor, now = desk.actor.need(Right.HEALTH), desk.office.ctx.clock.now()
    chosen = desk.request.query_params.get("show", "open")
    if chosen not in faults.FILTERS:
        raise Refused("choice.unknown", name="show", value=chosen[:20])
    may_plan = desk.actor.may(Right.COMMAND)
    with desk.office.ctx.db.read() as session:
        found = faults.lines(session, actor, now, chosen)
        works = faults.works(session, actor, now)
        areas, clusters = faults.places(session, desk.actor) if may_plan else ([], [])
    return desk.page(
        "faults.html",
        desk.status(error) if error else 200,
        lines=found, works=works, areas=areas, clusters=clusters, may_plan=may_plan,
        chosen=chosen, filters=faults.FILTERS, error=error, done=done_of(desk), form=desk.posted,
        local_now=now.astimezone(VIETNAM).strftime("%Y-%m-%dT%H:%M"),
    )  # fmt: skip


def _one(desk: Desk, fault_id: str, error: LoaError | None = None) -> Response:
    with desk.office.ctx.db.read() as session:
        it = faults.one(session, desk.actor, fault_id, desk.office.ctx.clock.now())
    return desk.page(
        "fault.html", desk.status(error) if error else 200, it=it, error=error, done=done_of(desk),
        why=desk.posted.get("why"),
    )  # fmt: skip
