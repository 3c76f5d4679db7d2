"""A machine's voice for the form of a bulletin: how a text will be read, and the recording of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response
from sqlalchemy.orm import Session

from broadcasts.errors import LoaError, Refused
from controller.db.tables import Asset
from controller.services import speaking
from controller.services.context import Context
from controller.services.listening import find_heard
from controller.services.pronouncing import style_for
from controller.services.rights import Right
from controller.web import speech_form
from controller.web.composer import Composer
from controller.web.desk import AuthorForm, Desk
from controller.web.draft_form import DraftForm, typed

router = APIRouter()
NOTHING: dict[str, Any] = {"reading": None, "stretches": [], "reading_rows": [], "instead": "", "style": ""}


@router.post("/speech/reading")
def read(desk: AuthorForm) -> Response:
    """Only how it will be read."""
    told, error = _read(desk, typed(desk.posted))
    if error is not None:
        return desk.page("_error.html", desk.status(error), error=error, status_code=desk.status(error))
    return desk.page("_reading.html", **told)


@router.post("/speech")
def speak(desk: AuthorForm) -> Response:
    """Back comes the piece of the form that plays it, and how it was read."""
    form = typed(desk.posted)
    made, told, error = _speak(desk, form, form.said, form.language)
    status = desk.status(error) if error else 200
    answer = desk.page("_spoken.html", status, asset=made, form=form, recording_error=error, **told)
    answer.headers["HX-Trigger-After-Swap"] = "recorded"
    return answer


def offered(desk: Desk, session: Session, form: DraftForm) -> dict[str, Any]:
    """What the form wants to know of voices."""
    del session, form
    ctx = desk.office.ctx
    several = [(voice, provider.sends_text_out) for provider in ctx.voices.providers for voice in provider.voices()]
    told = {
        "voices": several,
        "sends_out": any(out for _, out in several),
        "several": len(ctx.voices.providers) > 1,
        "languages": {voice.speaks for voice, _ in several},
        "most": speaking.LONGEST,
    }
    return {"speech": told} | NOTHING


def acts(composer: Composer[DraftForm], desk: Desk, form: DraftForm, act: str) -> Response | None:
    """Buttons of the form for browsers without script: "read", "speak", and "speak_second" for the second language."""
    match act:
        case "read":
            told, error = _read(desk, form)
            return composer.show(desk, form, recording_error=error, **told)
        case "speak":
            made, told, error = _speak(desk, form, form.said, form.language)
            form = replace(form, asset=made.sha256) if made is not None else form
            return composer.show(desk, form, recording_error=error, **told)
        case "speak_second":
            second = form.more
            made, told, error = _speak(desk, form, second.second_text, second.second)
            if made is not None:
                form = replace(form, more=second.with_recording(made.sha256))
            return composer.show(desk, form, error=error)
        case _:
            return None


def with_recording(desk: Desk, form: DraftForm, sha256: str, language: str) -> DraftForm:
    """With a recording that this person may listen to, and the words of it; without it where there is none."""
    with desk.office.ctx.db.read() as session:
        asset = find_heard(session, desk.actor.need(Right.COMPOSE), sha256[:64])
        row = speaking.of_asset(session, asset.sha256) if asset is not None else None
    if asset is None:
        return form
    return replace(form, asset=asset.sha256, language=language[:3], text=row.written if row is not None else "")


def _read(desk: Desk, form: DraftForm) -> tuple[dict[str, Any], LoaError | None]:
    wish = form.speech.wish(form.said, form.language)
    with desk.office.ctx.db.read() as session:
        try:
            reading = speaking.reading(session, desk.actor, wish)
            plain = speaking.reading(session, desk.actor, replace(wish, words={}))
            style = style_for(session, desk.actor.need(Right.COMPOSE).area)
        except Refused as error:
            return {}, error
    rows = speech_form.rows(plain, reading)
    told = {"reading": reading, "stretches": speech_form.shown(reading), "reading_rows": rows}
    return NOTHING | told | {"style": style if form.language == speaking.OWN_LANGUAGE else ""}, None


def _speak(
    desk: Desk, form: DraftForm, text: str, language: str
) -> tuple[Asset | None, dict[str, Any], LoaError | None]:
    ctx: Context = desk.office.ctx
    told = dict(NOTHING)
    try:
        made = speaking.speak(ctx, desk.actor, form.speech.wish(text, language), desk.office.upload_folder)
    except LoaError as error:
        if text == form.said:
            told |= _read(desk, form)[0]
        return None, told, error
    if text == form.said:
        told |= _read(desk, form)[0]
    return made.asset, told | {"instead": made.instead}, None
