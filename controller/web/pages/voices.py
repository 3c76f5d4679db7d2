"""Live voices: asking, approving, speaking, stopping, and what was heard of it."""

from __future__ import annotations

from fastapi import APIRouter, WebSocket
from fastapi.responses import Response

from broadcasts.audio.chime import TUNES
from broadcasts.errors import LoaError
from broadcasts.wire.alert import AlertKind
from controller.services import groups, live_sessions
from controller.services.live_rules import EMERGENCY
from controller.services.live_sessions import Reach, Wish
from controller.services.rights import Right
from controller.services.views import alerts_now, voices
from controller.services.views.places import everywhere, home_of, places
from controller.web import live_socket
from controller.web.desk import Desk, PersonDesk, PersonForm
from controller.web.pages.home import done_of
from controller.web.voice_form import VoiceForm, typed

router = APIRouter()
AWAY = ("no_right", "not_yours", "second_factor.needed", "second_factor.again")
"""What is a page of its own, or asks for a code; all else is said beside the form."""


@router.get("/live")
def every(desk: PersonDesk) -> Response:
    desk.actor.need(Right.LOOK)
    return _list(desk)


@router.get("/live/new")
def new(desk: PersonDesk) -> Response:
    actor = desk.actor.need(Right.COMPOSE)
    with desk.office.ctx.db.read() as session:
        home = home_of(places(session, actor, desk.today), actor)
    return _form(desk, VoiceForm(areas=home), Right.COMPOSE)


@router.post("/live/new")
def ask(desk: PersonForm) -> Response:
    """`act`: look (only say what it comes to) or send."""
    return _handed_in(desk, typed(desk.posted), Right.COMPOSE)


@router.get("/live/emergency")
def emergency(desk: PersonDesk) -> Response:
    desk.actor.need(Right.ALERT)
    return _form(desk, VoiceForm(priority=EMERGENCY), Right.ALERT)


@router.post("/live/emergency")
def declare(desk: PersonForm) -> Response:
    """`act`: look, or sound."""
    return _handed_in(desk, typed(desk.posted, EMERGENCY), Right.ALERT)


@router.get("/live/{voice_id}")
def one(desk: PersonDesk, voice_id: str) -> Response:
    desk.actor.need(Right.LOOK)
    return _one(desk, voice_id)


@router.get("/live/{voice_id}/rows")
def rows(desk: PersonDesk, voice_id: str) -> Response:
    """What each pole heard, looked at again while it lasts."""
    desk.actor.need(Right.LOOK)
    with desk.office.ctx.db.read() as session:
        found = voices.full(session, desk.actor, voice_id, desk.office.ctx.clock.now())
    answer = desk.page("_voice_poles.html", it=found, STATES=voices.STATES)
    if found.line.state != "on_air" and not found.line.mine:
        answer.headers["hx-refresh"] = "true"  # the speaker's page says so itself
    return answer


@router.post("/live/{voice_id}/decide")
def decide(desk: PersonForm, voice_id: str) -> Response:
    """`decision`: approve, or anything else for a no, which wants a note."""
    told, yes = desk.posted, desk.posted.get("decision") == "approve"
    desk.actor.need(Right.APPROVE)
    try:
        live_sessions.decide(
            desk.office.ctx, desk.actor, voice_id, yes=yes, note=told.get("note"), unusual=told.get("unusual")
        )
    except LoaError as error:
        if error.key in AWAY:
            raise
        return _one(desk, voice_id, error)
    return desk.go(f"/live/{voice_id}?done={'voice_approved' if yes else 'voice_rejected'}")


@router.post("/live/{voice_id}/stop")
def stop(desk: PersonForm, voice_id: str) -> Response:
    try:
        live_sessions.stop(desk.office.ctx, desk.actor, voice_id, desk.office.room)
    except LoaError as error:
        if error.key in AWAY:
            raise
        return _one(desk, voice_id, error)
    return desk.go(f"/live/{voice_id}?done=voice_stopped")


@router.post("/live/{voice_id}/confirm")
def confirm(desk: PersonForm, voice_id: str) -> Response:
    """`decision`: approve, or anything else for "it should not have sounded", which wants a note."""
    right, note = desk.posted.get("decision") == "approve", desk.posted.get("note")
    try:
        live_sessions.confirm(desk.office.ctx, desk.actor, voice_id, right=right, note=note)
    except LoaError as error:
        if error.key in AWAY:
            raise
        return _one(desk, voice_id, error)
    return desk.go(f"/live/{voice_id}?done=alert_confirmed")


@router.websocket("/live/{voice_id}/voice")
async def voice(socket: WebSocket, voice_id: str) -> None:
    await live_socket.talk(socket, voice_id)


def _handed_in(desk: Desk, form: VoiceForm, right: Right) -> Response:
    """`right`: of the page; to write, it is asked for, to sound emergencies, it is declared."""
    desk.actor.need(right)
    ctx, urgent = desk.office.ctx, right is Right.ALERT
    try:
        wish = form.wish(desk.today)
        if desk.posted.get("act") == "look":
            return _form(desk, form, right, look=wish)
        name = (live_sessions.declare if urgent else live_sessions.ask)(ctx, desk.actor, wish)
    except LoaError as error:
        if error.key in AWAY:
            raise
        return _form(desk, form, right, error)
    return desk.go(f"/live/{name}{'' if urgent else '?done=voice_asked'}")


def _list(desk: Desk) -> Response:
    with desk.office.ctx.db.read() as session:
        found = voices.lines(session, desk.actor, desk.office.ctx.clock.now())
    return desk.page("voices.html", lines=found, done=done_of(desk))


def _one(desk: Desk, voice_id: str, error: LoaError | None = None) -> Response:
    with desk.office.ctx.db.read() as session:
        found = voices.full(session, desk.actor, voice_id, desk.office.ctx.clock.now())
    status = desk.status(error) if error else 200
    return desk.page("voice.html", status, it=found, STATES=voices.STATES, done=done_of(desk), error=error)


def _form(
    desk: Desk, form: VoiceForm, right: Right, error: LoaError | None = None, look: Wish | None = None
) -> Response:
    actor = desk.actor.only_in(desk.actor.within(right))
    reach: Reach | None = None
    with desk.office.ctx.db.read() as session:
        offered, top = places(session, actor, desk.today), everywhere(session, actor, desk.today)
        kept = alerts_now.saved(session, actor) if right is Right.ALERT else groups.groups(session, actor)
        if look is None and error is not None and error.key in ("live.unusual", "alert.confirm_reach"):
            look = form.wish(desk.today)
        if look is not None:
            reach = live_sessions.look_ahead(desk.office.ctx, session, actor, look)
            stands = [each for each in reach.problems if each.key not in ("live.unusual", "alert.confirm_reach")]
            error = error or next(iter(stands), None)
    return desk.page(
        "voice_new.html",
        desk.status(error) if error else 200,
        form=form,
        places=offered,
        top=top,
        gone=(),
        saved=kept,
        map_piece="/emergency/map" if right is Right.ALERT else "/map/picture",
        reach=reach,
        kinds=[str(kind) for kind in AlertKind],
        tunes=list(TUNES),
        longest=int(desk.office.ctx.live.longest.total_seconds() // 60),
        error=error,
    )
