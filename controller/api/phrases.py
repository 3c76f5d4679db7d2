"""/api/v1/phrases: phrases from recorded pieces."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, Field

from broadcasts.domain.standard_phrases import PHRASES
from controller.api.broadcasts import empty_file, store_body
from controller.api.deps import Caller, TheOffice
from controller.services import phrase_bank
from controller.services.rights import Right

router = APIRouter(prefix="/api/v1/phrases")
Word = Annotated[str, Query(max_length=100)]


class SlotOut(BaseModel):
    """`gap`: number, hour, weekday, date, full_date, place, word."""

    name: str
    gap: str
    least: int
    most: int
    choices: list[str]


class PhraseOut(BaseModel):
    """`missing`: pieces that are still to be recorded, with the words to read, empty where nobody wrote them down."""

    name: str
    slots: list[SlotOut]
    missing: dict[str, str]


class FillingIn(BaseModel):
    """`values` by slot: numbers in digits, hours as 07:30, days as 2026-03-04."""

    language: str = "km"
    values: dict[str, str] = Field(default={}, max_length=20)


class FilledOut(BaseModel):
    """`text` in Vietnamese."""

    asset: str
    duration_ms: int
    text: str


@router.get("")
def every(office: TheOffice, caller: Caller, language: Word = "km") -> list[PhraseOut]:
    with office.ctx.db.read() as session:
        there = phrase_bank.shelf(session, caller, language)
    return [
        PhraseOut(
            name=name,
            slots=[
                SlotOut(
                    name=slot.name,
                    gap=slot.gap,
                    least=slot.least,
                    most=slot.most,
                    choices=list(there.bank.places if slot.gap == "place" else slot.choices),
                )
                for slot in phrase.slots
            ],
            missing=phrase_bank.to_record(there, phrase),
        )
        for name, phrase in PHRASES.items()
    ]


@router.post("/recordings", status_code=201)
async def record(
    request: Request, office: TheOffice, caller: Caller, language: Word = "km", piece: Word = "", area: Word = ""
) -> dict[str, str]:
    """The recording of one piece is the body. Takes the place of the one before."""
    caller.need(Right.COMPOSE)
    path = await run_in_threadpool(empty_file, office.upload_folder)
    try:
        await store_body(request, path, office.max_upload_bytes)
        told = (language, piece, path, office.upload_folder, area)
        made = await run_in_threadpool(phrase_bank.record, office.ctx, caller, *told)
    finally:
        await run_in_threadpool(path.unlink, True)
    return {"id": made}


@router.post("/{phrase}", status_code=201)
def fill(office: TheOffice, caller: Caller, phrase: str, told: FillingIn) -> FilledOut:
    """A recording of it, for a draft."""
    caller.need(Right.COMPOSE)
    values = phrase_bank.values_of(phrase_bank.find(phrase), told.values)
    ctx = office.ctx
    asset, row = phrase_bank.put_together(ctx, caller, told.language, phrase, values, office.upload_folder)
    return FilledOut(asset=asset.sha256, duration_ms=asset.duration_ms, text=row.written)
