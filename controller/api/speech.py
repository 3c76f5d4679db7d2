"""/api/v1/voices, /speech and /pronunciations: texts that a machine's voice reads, and how words are said."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, Field

from broadcasts.domain.reading.tokens import Reading
from controller.api.deps import Caller, TheOffice
from controller.services import pronouncing, speaking
from controller.services.pronouncing import Line
from controller.services.rights import Right
from controller.services.speaking import Wish

router = APIRouter(prefix="/api/v1")


class VoiceOut(BaseModel):
    """`sends_text_out`: what is to be spoken leaves the station's machine."""

    id: str
    language: str
    region: str
    gender: str
    licence: str
    offline: bool
    sends_text_out: bool


class WordIn(BaseModel):
    """What to say for the stretch that begins at this character and is written so."""

    start: int
    written: str
    spoken: str


class TextIn(BaseModel):
    """Nothing is required here, so that who has no right to ask hears that first. `percent` of the voice's own pace;
    `fallback`: where the voice fails, the embedded one speaks."""

    text: str = ""
    language: str = "vi"
    voice: str = ""
    percent: int = 100
    words: list[WordIn] = Field(default=[], max_length=1000)
    fallback: bool = False

    def wish(self) -> Wish:
        words = {each.start: (each.written, each.spoken) for each in self.words}
        return Wish(self.text, self.language, self.voice, self.percent, words, self.fallback)


class TokenOut(BaseModel):
    start: int
    end: int
    written: str
    spoken: str
    category: str
    changed: bool
    doubtful: bool
    left_out: bool
    alternatives: list[str]


class ReadingOut(BaseModel):
    """`text` is what the characters of the tokens count in; they cover it."""

    text: str
    spoken: str
    tokens: list[TokenOut]

    @classmethod
    def of(cls, it: Reading) -> ReadingOut:
        tokens = [
            TokenOut(
                start=one.start,
                end=one.end,
                written=one.written,
                spoken=one.spoken,
                category=one.category,
                changed=one.changed,
                doubtful=one.doubtful,
                left_out=one.left_out,
                alternatives=list(one.alternatives),
            )
            for one in it.tokens
        ]
        return cls(text=it.text, spoken=it.spoken, tokens=tokens)


class SpokenOut(BaseModel):
    """`asset` for a draft. `instead`: the voice that failed, where the embedded one spoke."""

    asset: str
    duration_ms: int
    voice: str
    version: str
    spoken: str
    instead: str


class PronunciationIn(BaseModel):
    """Nothing is required here, so that who has no right to ask hears that first."""

    area: str = ""
    written: str = ""
    spoken: str = ""
    note: str = ""
    alternatives: list[str] = Field(default=[], max_length=20)


class StyleIn(BaseModel):
    """`style`: "south" (ngàn, lẻ), "north" (nghìn, linh), "" for the area above's. Nothing is required here, so that
    who has no right to ask hears that first."""

    area: str = ""
    style: str = ""


class PronunciationOut(BaseModel):
    """`mine`: the caller may change it."""

    id: str
    area: str
    written: str
    spoken: str
    note: str
    alternatives: list[str]
    mine: bool

    @classmethod
    def of(cls, it: Line) -> PronunciationOut:
        row = it.row
        told = {"written": row.written, "spoken": row.spoken, "note": row.note}
        return cls(id=row.id, area=row.area_id, alternatives=row.alternatives, mine=it.mine, **told)


@router.get("/voices")
def voices(office: TheOffice, caller: Caller) -> list[VoiceOut]:
    caller.need(Right.COMPOSE)
    return [
        VoiceOut(
            id=voice.id,
            language=voice.language,
            region=voice.region,
            gender=voice.gender,
            licence=voice.licence,
            offline=provider.offline,
            sends_text_out=provider.sends_text_out,
        )
        for provider in office.ctx.voices.providers
        for voice in provider.voices()
    ]


@router.post("/speech/reading")
def read(office: TheOffice, caller: Caller, told: TextIn) -> ReadingOut:
    """How a text will be read; nothing is spoken."""
    with office.ctx.db.read() as session:
        return ReadingOut.of(speaking.reading(session, caller, told.wish()))


@router.post("/speech", status_code=201)
def speak(office: TheOffice, caller: Caller, told: TextIn) -> SpokenOut:
    """A recording of it; the same one when the same is asked again."""
    made = speaking.speak(office.ctx, caller, told.wish(), office.upload_folder)
    row = made.spoken
    told_of = {"voice": row.voice, "version": row.version, "spoken": row.spoken, "instead": made.instead}
    return SpokenOut(asset=made.asset.sha256, duration_ms=made.asset.duration_ms, **told_of)


@router.get("/pronunciations")
def words(office: TheOffice, caller: Caller) -> list[PronunciationOut]:
    """Of the caller's area and of all above it."""
    with office.ctx.db.read() as session:
        return [PronunciationOut.of(each) for each in pronouncing.entries(session, caller)]


@router.post("/pronunciations", status_code=201)
def put(office: TheOffice, caller: Caller, told: PronunciationIn) -> dict[str, str]:
    """In place of what the area said for this word before."""
    area = told.area or caller.area
    others = told.alternatives
    found = pronouncing.put(office.ctx, caller, area, told.written, told.spoken, told.note, others)
    return {"id": found}


@router.put("/pronunciations/style", status_code=204)
def set_style(office: TheOffice, caller: Caller, told: StyleIn) -> None:
    """From the next reading on; what was spoken stays as it is."""
    pronouncing.set_style(office.ctx, caller, told.area or caller.area, told.style)


@router.post("/pronunciations/{word_id}/drop", status_code=204)
def drop(office: TheOffice, caller: Caller, word_id: str) -> None:
    pronouncing.drop(office.ctx, caller, word_id)
