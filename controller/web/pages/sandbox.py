"""The simulated poles with their virtual ears, and the buttons of the bad day. Only in a demo."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response
from sqlalchemy import select

from broadcasts.clock import VIETNAM
from broadcasts.errors import LoaError, Refused
from controller.db.tables import Cluster
from controller.services.rights import Right
from controller.services.sandbox import ACTS, SandboxControl
from controller.web import live
from controller.web.desk import Desk, PersonDesk, PersonForm, safe_address

router = APIRouter()


def _control(desk: Desk) -> SandboxControl:
    """Outside a demo this page does not exist. Raises Refused("page.unknown", "no_right")."""
    if desk.office.sandbox is None:
        raise Refused("page.unknown")
    desk.actor.need(Right.SANDBOX)
    return desk.office.sandbox


@router.get("/sandbox")
def poles(desk: PersonDesk) -> Response:
    return _page(desk)


@router.get("/sandbox/rows")
def poles_rows(desk: PersonDesk) -> Response:
    return live.rows(desk, "_poles.html", "/sandbox", {}, poles=_named(desk, _control(desk).poles()))


@router.get("/sandbox/live")
def poles_live(desk: PersonDesk) -> Response:
    control = _control(desk)
    return live.stream(desk, lambda: desk.text("_poles.html", poles=_named(desk, _seen(control)[0])))


@router.post("/sandbox/act")
def act(desk: PersonForm) -> Response:
    control, name, pole = _control(desk), desk.posted.get("act"), desk.posted.get("pole")
    known = next((one for one in ACTS if one.name == name), None)
    if known is None:
        raise Refused("sandbox.unknown_act", act=name[:40])
    try:
        answer = control.act(name, **({"unit": pole} if known.pole else {}))
    except LoaError as error:
        return _page(desk, desk.status(error), error=error, chosen=pole)
    return _page(desk, act=name, answer=answer or {"": ""}, chosen=pole)


@router.post("/sandbox/clock")
def clock(desk: PersonForm) -> Response:
    """`to`: "open", when the demo's stations open next, or "hour", an hour from now."""
    control, now = _control(desk), desk.office.ctx.clock.now()
    match desk.posted.get("to"):
        case "open":
            to = _next_opening(now, desk.office.demo_hours[0])
        case "hour":
            to = now + timedelta(hours=1)
        case other:
            raise Refused("choice.unknown", name="to", value=other[:20])
    control.move_clock(to)
    return desk.go(safe_address(desk.posted.get("next", "/sandbox")))


def _next_opening(now: datetime, minute: int) -> datetime:
    local = now.astimezone(VIETNAM)
    today = local.replace(hour=minute // 60, minute=minute % 60, second=0, microsecond=0)
    return today if today > local else today + timedelta(days=1)


def _seen(control: SandboxControl) -> tuple[list[dict[str, Any]], LoaError | None]:
    try:
        return control.poles(), None
    except LoaError as error:
        return [], error


def _named(desk: Desk, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """With the clusters' names, in order."""
    with desk.office.ctx.db.read() as session:
        names = {row[0]: row[1] for row in session.execute(select(Cluster.id, Cluster.name))}
    return [pole | {"name": names.get(pole["cluster"], pole["cluster"])} for pole in found]


def _page(
    desk: Desk,
    status: int = 200,
    *,
    error: LoaError | None = None,
    act: str = "",
    answer: dict[str, Any] | None = None,
    chosen: str = "",
) -> Response:
    found, silent = _seen(_control(desk))
    found = _named(desk, found)
    return desk.page(
        "sandbox.html",
        status,
        poles=found,
        acts=ACTS,
        act=act,
        answer=answer,
        chosen=chosen,
        error=error or silent,
        live=live.inside(desk, "_poles.html", "/sandbox", {}, poles=found),
    )
