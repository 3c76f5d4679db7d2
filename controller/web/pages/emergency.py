"""One screen for the officer at 16:55: what, where, what the horns say, a code; a countdown; then who has sounded."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response
from sqlalchemy.orm import Session

from broadcasts.errors import LoaError, Refused
from broadcasts.wire.alert import AlertKind
from controller.db.tables import Asset
from controller.services import emergencies, emergency_voice, texting
from controller.services.listening import find_heard
from controller.services.rights import Right
from controller.services.views import alerts_now
from controller.services.views.places import everywhere, home_of, not_offered, places
from controller.services.views.places_on_map import picture
from controller.web import live
from controller.web.alert_texts import texts_of
from controller.web.desk import Desk, PersonDesk, PersonForm
from controller.web.emergency_ahead import ahead, call_of
from controller.web.emergency_form import ICONS, MINUTES, REPEATS, TEXT, VOLUMES, EmergencyForm, typed, with_press
from controller.web.pages.home import done_of
from controller.web.tallying import counted

router = APIRouter()
UNSAID = ("counting", "cancelled", "lapsed")
"""Nobody outside has heard of it: there is nothing to be texted."""
DOORS = ("no_right", "not_yours", "second_factor.needed")


@router.get("/emergency")
def form(desk: PersonDesk) -> Response:
    actor = desk.actor.need(Right.ALERT)
    with desk.office.ctx.db.read() as session:
        offered = places(session, actor, desk.today)
    return _page(desk, EmergencyForm(areas=home_of(offered, actor)))


@router.get("/emergency/map")
def piece(desk: PersonDesk) -> Response:
    ctx, actor = desk.office.ctx, desk.actor.need(Right.ALERT)
    with ctx.db.read() as session:
        seen = picture(session, actor, ctx.clock.now(), desk.today)
    return desk.page("_map.html", picture=seen, links=False)


@router.post("/emergency/preview")
def look(desk: PersonForm) -> Response:
    desk.actor.need(Right.ALERT)
    told = typed(desk.posted)
    seen, problems = ahead(desk, told)
    return desk.page("_alert_ahead.html", form=told, ahead=seen, problems=problems)


@router.post("/emergency/speech")
def speak(desk: PersonForm) -> Response:
    """Back comes the piece of the form that plays it."""
    desk.actor.need(Right.ALERT)
    told, error = _spoken(desk, typed(desk.posted))
    answer = desk.page("_alert_voice.html", desk.status(error) if error else 200, **_voice(desk, told, error))
    answer.headers["HX-Trigger-After-Swap"] = "spoken"
    return answer


@router.post("/emergency")
def press(desk: PersonForm) -> Response:
    """`act`: sound; speak and preview are for browsers without script."""
    desk.actor.need(Right.ALERT)
    told, act = typed(desk.posted), desk.posted.get("act")
    if act == "speak":
        told, error = _spoken(desk, told)
        return _page(desk, told, voice_error=error)
    if act != "sound":
        return _page(desk, told)
    try:
        if missing := told.missing:
            raise missing[0]
        if told.voice == TEXT and not _says(desk, told):
            told = replace(told, asset=_make(desk, told).sha256)
        name = emergencies.sound(desk.office.ctx, desk.actor, call_of(told))
    except LoaError as error:
        return _page(desk, told, error=error)
    return desk.go(f"/emergency/{name}")


@router.post("/emergency/silence")
def silence(desk: PersonForm) -> Response:
    """`call`: which; without it, everything in this person's area. Asks nothing: silence wakes nobody."""
    name, ctx = desk.posted.get("call")[:32], desk.office.ctx
    if not name:
        emergencies.silence_all(ctx, desk.actor)
        return desk.go("/alerts?done=emergency_silenced")
    if desk.posted.get("apology"):
        said = emergency_voice.apologise(ctx, desk.actor, name, desk.office.upload_folder)
        return desk.go(f"/emergency/{said}?done=emergency_apology")
    emergencies.silence(ctx, desk.actor, name)
    return desk.go(f"/emergency/{name}?done=emergency_silenced")


@router.get("/emergency/{alert_id}")
def one(desk: PersonDesk, alert_id: str) -> Response:
    return _call_page(desk, alert_id)


@router.get("/emergency/{alert_id}/rows")
def rows(desk: PersonDesk, alert_id: str) -> Response:
    return live.rows(desk, "_tally.html", f"/emergency/{alert_id}", {}, **_told(desk, alert_id))


@router.get("/emergency/{alert_id}/live")
def stream(desk: PersonDesk, alert_id: str) -> Response:
    _told(desk, alert_id)
    return live.stream(desk, lambda: desk.text("_tally.html", **_told(desk, alert_id)))


@router.post("/emergency/{alert_id}/cancel")
def cancel(desk: PersonForm, alert_id: str) -> Response:
    """Where it is too late for that, it is silenced: whoever presses this wants no sound."""
    ctx = desk.office.ctx
    try:
        emergencies.cancel(ctx, desk.actor, alert_id)
    except LoaError as error:
        if error.key != "alert.released":
            raise
        emergencies.silence(ctx, desk.actor, alert_id)
        return desk.go(f"/emergency/{alert_id}?done=emergency_silenced")
    return desk.go(f"/emergency/{alert_id}?done=emergency_cancelled")


@router.post("/emergency/{alert_id}/texts")
def text(desk: PersonForm, alert_id: str) -> Response:
    """To every unit that has a number. What the gateway said stands on the page, from the log."""
    desk.actor.need(Right.ALERT)
    _told(desk, alert_id)
    try:
        texting.send(desk.office.ctx, desk.actor, alert_id)
    except LoaError as error:
        if error.key in DOORS:
            raise
        return _call_page(desk, alert_id, error)
    return desk.go(f"/emergency/{alert_id}?done=emergency_texted#sms")


def _told(desk: Desk, alert_id: str) -> dict[str, Any]:
    ctx = desk.office.ctx
    with ctx.db.read() as session:
        call, tally = counted(ctx, session, desk.actor, alert_id, desk.words)
    return {"call": call, "tally": tally}


def _call_page(desk: Desk, alert_id: str, error: LoaError | None = None) -> Response:
    told = _told(desk, alert_id)
    call, now = told["call"], desk.office.ctx.clock.now()
    over = call.over_at or now
    return desk.page(
        "emergency_call.html",
        desk.status(error) if error else 200,
        call=call,
        texts=texts_of(desk.office.ctx, desk.actor, alert_id) if call.state not in UNSAID else None,
        live=live.inside(desk, "_tally.html", f"/emergency/{alert_id}", {}, **told),
        left_ms=max(0, round((call.release_at - now).total_seconds() * 1000)),
        since_ms=max(0, round((min(now, over) - call.release_at).total_seconds() * 1000)),
        waited=(call.release_at - call.pressed_at).total_seconds(),
        done=done_of(desk),
        error=error,
    )


def _spoken(desk: Desk, told: EmergencyForm) -> tuple[EmergencyForm, LoaError | None]:
    try:
        return replace(told, voice=TEXT, asset=_make(desk, told).sha256), None
    except LoaError as error:
        if error.key in DOORS:
            raise
        return replace(told, voice=TEXT, asset=""), error


def _make(desk: Desk, told: EmergencyForm) -> Asset:
    return emergency_voice.speak(desk.office.ctx, desk.actor, told.text, desk.office.upload_folder)


def _says(desk: Desk, told: EmergencyForm) -> bool:
    """Whether the recording that was listened to says these words, all of them and none besides, and about this time of
    issue."""
    with desk.office.ctx.db.read() as session:
        asset = find_heard(session, desk.actor.need(Right.LOOK), told.asset)
        words = emergency_voice.words_of(session, asset.sha256) if asset is not None else ""
    return bool(words) and emergency_voice.says(words, told.text, desk.office.ctx.clock.now())


def _voice(desk: Desk, told: EmergencyForm, error: LoaError | None) -> dict[str, Any]:
    with desk.office.ctx.db.read() as session:
        return _heard(session, desk, told) | {"voice_error": error}


def _heard(session: Session, desk: Desk, told: EmergencyForm) -> dict[str, Any]:
    asset = find_heard(session, desk.actor.need(Right.LOOK), told.asset)
    return {"asset": asset, "spoken": emergency_voice.words_of(session, asset.sha256) if asset else ""}


def offered_places(session: Session, desk: Desk, told: EmergencyForm) -> dict[str, Any]:
    """What `_alert_places.html` wants."""
    actor = desk.actor.need(Right.ALERT)
    found = places(session, actor, desk.today)
    top = everywhere(session, actor, desk.today) if len(found) > 1 else ""
    gone = not_offered(session, told.areas, found, top)
    return {"places": found, "top": top, "gone": gone, "saved": alerts_now.saved(session, actor)}


def asks_code(desk: Desk) -> bool:
    """Whether the second factor was given too long ago for this."""
    try:
        desk.actor.freshly(desk.office.ctx.wall.now(), desk.office.ctx.people.fresh_code)
    except Refused:
        return True
    return False


def _page(
    desk: Desk, told: EmergencyForm, *, error: LoaError | None = None, voice_error: LoaError | None = None
) -> Response:
    ctx = desk.office.ctx
    seen, problems = ahead(desk, told)
    failure = error or voice_error
    with ctx.db.read() as session:
        frame = offered_places(session, desk, told) | _heard(session, desk, told)
    return desk.page(
        "emergency.html",
        desk.status(failure) if failure else 200,
        form=with_press(told),
        kinds=list(AlertKind),
        ICONS=ICONS,
        MINUTES=MINUTES,
        VOLUMES=VOLUMES,
        REPEATS=list(REPEATS),
        longest=emergency_voice.LONGEST,
        ahead=seen,
        problems=problems if desk.request.method == "POST" and error is None else [],
        ask_code=asks_code(desk),
        cancel_s=int(ctx.emergencies.cancel.total_seconds()),
        live_voice="/live/emergency",
        error=error,
        voice_error=voice_error,
        **frame,
    )
