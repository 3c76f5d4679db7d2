"""Drills: another entry, another colour, the word on every button; silent, or loud once a second person approved."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response

from broadcasts.errors import LoaError
from broadcasts.wire.alert import AlertKind
from controller.services import drilling
from controller.services.rights import Right
from controller.services.views.places import home_of, places
from controller.web import live
from controller.web.desk import Desk, PersonDesk, PersonForm
from controller.web.emergency_form import ICONS, EmergencyForm, typed, with_press
from controller.web.pages.emergency import offered_places
from controller.web.pages.home import done_of
from controller.web.tallying import drilled, drills

router = APIRouter()
MINUTES = (10, 30, 60, 120, 240)


@router.get("/drills")
def form(desk: PersonDesk) -> Response:
    actor = desk.actor.need(Right.ALERT, Right.APPROVE)
    with desk.office.ctx.db.read() as session:
        offered = places(session, actor, desk.today)
    return _page(desk, EmergencyForm(areas=home_of(offered, actor)))


@router.post("/drills/preview")
def look(desk: PersonForm) -> Response:
    desk.actor.need(Right.ALERT)
    told = typed(desk.posted)
    return desk.page("_drill_ahead.html", form=told, **_ahead(desk, told))


@router.post("/drills")
def start(desk: PersonForm) -> Response:
    """`act`: start; preview is for browsers without script."""
    desk.actor.need(Right.ALERT)
    told = typed(desk.posted)
    if desk.posted.get("act") != "sound":
        return _page(desk, told)
    try:
        if missing := told.missing:
            raise missing[0]
        name = drilling.ask(desk.office.ctx, desk.actor, _exercise(told))
    except LoaError as error:
        return _page(desk, told, error)
    return desk.go(f"/drills/{name}?done={'drill_asked' if told.loud else 'drill_started'}")


@router.post("/drills/silence")
def stop(desk: PersonForm) -> Response:
    """`call`: which; without it, all of this person's area."""
    name, ctx = desk.posted.get("call")[:32], desk.office.ctx
    if not name:
        drilling.end_all(ctx, desk.actor)
        return desk.go("/drills?done=drill_stopped")
    drilling.end(ctx, desk.actor, name)
    return desk.go(f"/drills/{name}?done=drill_stopped")


@router.get("/drills/{drill_id}")
def one(desk: PersonDesk, drill_id: str) -> Response:
    return _drill_page(desk, drill_id)


@router.get("/drills/{drill_id}/rows")
def rows(desk: PersonDesk, drill_id: str) -> Response:
    return live.rows(desk, "_drill_tally.html", f"/drills/{drill_id}", {}, **_told(desk, drill_id))


@router.get("/drills/{drill_id}/live")
def stream(desk: PersonDesk, drill_id: str) -> Response:
    _told(desk, drill_id)
    return live.stream(desk, lambda: desk.text("_drill_tally.html", **_told(desk, drill_id)))


@router.post("/drills/{drill_id}/decide")
def decide(desk: PersonForm, drill_id: str) -> Response:
    """`decision`: approve, or anything else for no, which wants a note."""
    ctx, approved = desk.office.ctx, desk.posted.get("decision") == "approve"
    try:
        if approved:
            drilling.approve(ctx, desk.actor, drill_id)
        else:
            drilling.reject(ctx, desk.actor, drill_id, desk.posted.get("note")[:500])
    except LoaError as error:
        if error.key in ("no_right", "not_yours", "second_factor.needed"):
            raise
        return _drill_page(desk, drill_id, error)
    return desk.go(f"/drills/{drill_id}?done={'drill_approved' if approved else 'drill_rejected'}")


def _exercise(told: EmergencyForm) -> drilling.Exercise:
    """Raises Refused: "emergency.kind", "target.polygon"."""
    minutes = int(told.minutes) if told.minutes in {str(each) for each in MINUTES} else 30
    return drilling.Exercise(
        kind=told.which,
        target=told.target,
        reason=told.reason,
        silent=not told.loud,
        lasts=timedelta(minutes=minutes),
        press=told.once,
    )


def _ahead(desk: Desk, told: EmergencyForm) -> dict[str, Any]:
    ctx, missing = desk.office.ctx, told.missing
    if not told.kind or any(each.key == "target.empty" for each in missing) or not desk.actor.may(Right.ALERT):
        return {"clusters": None, "problems": missing}
    try:
        exercise = _exercise(told)
        with ctx.db.read() as session:
            reach = drilling.preview(ctx, session, desk.actor, exercise.target)
    except LoaError as error:
        return {"clusters": None, "problems": [error]}
    until = (ctx.clock.now() + exercise.lasts).replace(second=0, microsecond=0)
    return {"clusters": len(reach.poles), "until": until, "problems": missing}


def _told(desk: Desk, drill_id: str) -> dict[str, Any]:
    ctx = desk.office.ctx
    with ctx.db.read() as session:
        call, tally = drilled(ctx, session, desk.actor, drill_id, desk.words)
    return {"call": call, "tally": tally}


def _drill_page(desk: Desk, drill_id: str, error: LoaError | None = None) -> Response:
    told = _told(desk, drill_id)
    inside = live.inside(desk, "_drill_tally.html", f"/drills/{drill_id}", {}, **told)
    status = desk.status(error) if error else 200
    own = told["call"].by_name == desk.actor.name
    return desk.page("drill.html", status, call=told["call"], live=inside, own=own, done=done_of(desk), error=error)


def _page(desk: Desk, told: EmergencyForm, error: LoaError | None = None) -> Response:
    ctx = desk.office.ctx
    seen = _ahead(desk, told)
    problems = seen.pop("problems") if desk.request.method == "POST" and error is None else []
    with ctx.db.read() as session:
        past = drills(ctx, session, desk.actor)
        frame = offered_places(session, desk, told) if desk.actor.may(Right.ALERT) else {}
    told_page = {"clusters": None, "until": None} | seen | {"problems": problems}
    return desk.page(
        "drills.html",
        desk.status(error) if error else 200,
        form=with_press(told),
        kinds=list(AlertKind),
        ICONS=ICONS,
        MINUTES=MINUTES,
        drills=past,
        done=done_of(desk),
        error=error,
        **told_page,
        **frame,
    )
