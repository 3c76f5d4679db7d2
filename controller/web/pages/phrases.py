"""Phrases from recorded pieces: filled, listened to, used in a bulletin; and the pieces themselves."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response

from broadcasts.domain.clips import LANGUAGES
from broadcasts.domain.phrases import Phrase
from broadcasts.domain.standard_phrases import PHRASES
from broadcasts.errors import LoaError, Refused
from controller.services import phrase_bank
from controller.services.rights import Right
from controller.web.desk import AuthorDesk, AuthorForm, Desk
from controller.web.pages.home import done_of

router = APIRouter()
FIRST = "km"
PIECE = "piece:"
"""Before a piece's name, in the name of its file's field."""


@router.get("/phrases")
def every(desk: AuthorDesk, language: str = FIRST) -> Response:
    with desk.office.ctx.db.read() as session:
        there = phrase_bank.shelf(session, desk.actor, language)
    lacking = {name: len(phrase_bank.to_record(there, phrase)) for name, phrase in PHRASES.items()}
    return desk.page("phrases.html", phrases=lacking, language=language, languages=LANGUAGES, recorded=there.pieces)


@router.get("/phrases/{phrase}")
def one(desk: AuthorDesk, phrase: str, language: str = FIRST) -> Response:
    return _page(desk, phrase_bank.find(phrase), language)


@router.post("/phrases/{phrase}")
def make(desk: AuthorForm, phrase: str) -> Response:
    ctx, posted, found = desk.office.ctx, desk.posted, phrase_bank.find(phrase)
    language = posted.get("spoken", FIRST)
    try:
        values = phrase_bank.values_of(found, {slot.name: posted.get(f"slot:{slot.name}") for slot in found.slots})
        asset, row = phrase_bank.put_together(ctx, desk.actor, language, phrase, values, desk.office.upload_folder)
    except LoaError as error:
        return _page(desk, found, language, error)
    return _page(desk, found, language, asset=asset, text=row.written)


@router.post("/phrases/{phrase}/pieces")
def pieces(desk: AuthorForm, phrase: str) -> Response:
    """`act`: "voice" lets a machine's voice read what is missing; else files came along."""
    ctx, posted, found = desk.office.ctx, desk.posted, phrase_bank.find(phrase)
    language, folder = posted.get("spoken", FIRST), desk.office.upload_folder
    try:
        if posted.get("act") == "voice":
            phrase_bank.speak_missing(ctx, desk.actor, language, phrase, folder)
            return desk.go(f"/phrases/{phrase}?language={language}&done=pieces_kept")
        for failure in posted.failures.values():
            raise failure
        told = [(field.removeprefix(PIECE), path) for field, (path, _) in posted.files.items() if PIECE in field]
        if place := posted.get("place").strip():
            told += [(f"place.{place}", path) for field, (path, _) in posted.files.items() if field == "place_file"]
        if not told:
            raise Refused("asset.missing")
        for piece, path in told:
            phrase_bank.record(ctx, desk.actor, language, piece, path, folder)
    except LoaError as error:
        return _page(desk, found, language, error)
    return desk.go(f"/phrases/{phrase}?language={language}&done=pieces_kept")


def _page(
    desk: Desk, phrase: Phrase, language: str, error: LoaError | None = None, asset: Any = None, text: str = ""
) -> Response:
    actor = desk.actor.need(Right.COMPOSE)
    with desk.office.ctx.db.read() as session:
        there = phrase_bank.shelf(session, actor, language)
    typed = {slot.name: desk.posted.get(f"slot:{slot.name}") for slot in phrase.slots}
    return desk.page(
        "phrase.html",
        desk.status(error) if error else 200,
        phrase=phrase,
        words_of=phrase.texts.get("vi", {}),
        language=language,
        languages=LANGUAGES,
        there=there,
        lacking=phrase_bank.to_record(there, phrase),
        vietnamese=phrase_bank.to_record(phrase_bank.Shelf(there.bank, {}), phrase) if language == "vi" else {},
        typed=typed,
        voice=desk.office.ctx.voices.first(language),
        asset=asset,
        text=text,
        error=error,
        done=done_of(desk),
    )
