"""Phrases from recorded pieces: for languages that no voice speaks, and for people who would rather hear a person.

A commune's own recording of a piece goes before its province's. What is put together is a recording like any other.
"""

from __future__ import annotations

import tempfile
import wave
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, time
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.audio.store import told_as_faults
from broadcasts.audio.voices import Sentence, join_files
from broadcasts.domain.clips import LANGUAGES, SCRIPTS
from broadcasts.domain.phrases import Bank, Gap, Phrase, Slot, Value, fill, script
from broadcasts.domain.reading.numerals import cardinal
from broadcasts.domain.standard_phrases import PHRASES
from broadcasts.errors import Refused
from controller.db.tables import Area, Asset, PhrasePiece, SpokenText
from controller.services import audit, library
from controller.services.context import Context
from controller.services.pronouncing import LEVELS
from controller.services.rights import Actor, Right
from controller.services.speaking import digest
from controller.services.stations import lines

BY = "phrases"
"""Instead of a voice, for what was put together."""
LONGEST_PIECE_MS = 60_000
LONGEST_NAME = 60
BETWEEN_MS, STOP_MS = 60, 350
_WEEKDAYS = ("thứ Hai", "thứ Ba", "thứ Tư", "thứ Năm", "thứ Sáu", "thứ Bảy", "Chủ nhật")


@dataclass(frozen=True)
class Shelf:
    """What one language of an area has: the recordings by piece."""

    bank: Bank
    pieces: Mapping[str, PhrasePiece]


def find(name: str) -> Phrase:
    """Raises Refused("choice.unknown")."""
    if name not in PHRASES:
        raise Refused("choice.unknown", name="phrase", value=name[:40])
    return PHRASES[name]


def shelf(session: Session, actor: Actor, language: str) -> Shelf:
    """Raises Refused: "no_right", "choice.unknown" (language)."""
    actor = actor.need(Right.COMPOSE)
    _check_language(language)
    line = lines(session, [actor.area]).get(actor.area, [])
    rows = session.scalars(
        select(PhrasePiece).where(PhrasePiece.area_id.in_(line), PhrasePiece.language == language)
    ).all()
    found: dict[str, PhrasePiece] = {}
    for row in sorted(rows, key=lambda row: line.index(row.area_id)):
        found.setdefault(row.piece, row)
    places = sorted(piece.removeprefix("place.") for piece in found if piece.startswith("place."))
    return Shelf(Bank(language, frozenset(found), tuple(places)), found)


def to_record(there: Shelf, phrase: Phrase) -> dict[str, str]:
    """The pieces that some filling wants and nobody recorded, each with the words to read; "" where they are not
    written down in this language."""
    return script(there.bank, phrase, SCRIPTS.get(there.bank.language, {}))


def written(phrase: Phrase, values: Mapping[str, Value]) -> str:
    """The phrase in Vietnamese, for whoever approves what is said in another language."""
    words = phrase.texts.get("vi", {})
    told = [
        words.get(part, part) if isinstance(part, str) else _told(part, values[part.name], words)
        for part in phrase.parts
    ]
    return " ".join(told)


def values_of(phrase: Phrase, told: Mapping[str, str]) -> dict[str, Value]:
    """As typed: digits, 07:30, 2026-03-04. What is empty is left out, a weekday follows from the date beside it.

    Raises Refused("phrase.value")."""
    found: dict[str, Value] = {}
    for slot in phrase.slots:
        text = told.get(slot.name, "").strip()
        if not text:
            continue
        try:
            match slot.gap:
                case Gap.NUMBER:
                    found[slot.name] = int(text) if len(text) < 10 else -1
                case Gap.HOUR:
                    found[slot.name] = time.fromisoformat(text)
                case Gap.WEEKDAY | Gap.DATE | Gap.FULL_DATE:
                    found[slot.name] = date.fromisoformat(text)
                case _:
                    found[slot.name] = text
        except ValueError as error:
            raise Refused("phrase.value", slot=slot.name) from error
    days = [value for value in found.values() if isinstance(value, date)]
    found |= {slot.name: days[0] for slot in phrase.slots if slot.gap is Gap.WEEKDAY and days}
    return found


def record(ctx: Context, actor: Actor, language: str, piece: str, source: Path, folder: Path, area: str = "") -> str:
    """Keep the file as this piece of the area (without it, of where the actor writes); its id. It takes the place of
    the one before.

    Raises Refused: "no_right", "not_yours", "choice.unknown" (language), "phrase.piece", "phrase.long" and the audio
    pipeline's reasons; Fault.
    """
    actor = actor.need(Right.COMPOSE)
    _check_language(language)
    home, name = area or actor.area, _piece(piece)
    with ctx.db.read() as session:
        place = session.get(Area, home) if home in actor.areas else None
        if place is None or place.kind not in LEVELS:
            raise Refused("not_yours")
    with _work(folder) as work:
        wav = join_files([(source, 0)], Path(work) / "piece.wav")
        with wave.open(str(wav), "rb") as file:
            length_ms = file.getnframes() * 1000 // file.getframerate()
        if length_ms > LONGEST_PIECE_MS:
            raise Refused("phrase.long", most=LONGEST_PIECE_MS // 1000)
        stored = ctx.audio.keep(wav)
    now = ctx.clock.now()
    with ctx.db.write() as session:
        if session.get(Asset, stored.sha256) is None:
            kept = {"size": stored.size, "chunk_size": stored.chunk_size, "chunks": list(stored.chunks)}
            asset = Asset(sha256=stored.sha256, codec=library.PIECE, duration_ms=length_ms, created_at=now, **kept)
            session.add(asset)
            session.flush()
        same = select(PhrasePiece).where(
            PhrasePiece.area_id == home, PhrasePiece.language == language, PhrasePiece.piece == name
        )
        row = session.scalar(same)
        if row is None:
            row = PhrasePiece(id=ctx.ids.new("pp"), area_id=home, language=language, piece=name)
            session.add(row)
        row.asset_sha256, row.recorded_at, row.recorded_by = stored.sha256, now, actor.name
        told = {"piece": name, "language": language, "sha256": stored.sha256}
        audit.record(session, now, actor.name, "phrase.record", row.id, told, home)
        return row.id


def speak_missing(ctx: Context, actor: Actor, language: str, name: str, folder: Path) -> int:
    """Pieces that are still to be recorded, read by a machine's voice; how many. Only where one speaks the language.

    Raises Refused: "no_right", "choice.unknown", "speech.no_voice"; Fault of the voice."""
    with ctx.db.read() as session:
        wanted = {piece: text for piece, text in to_record(shelf(session, actor, language), find(name)).items() if text}
    voice = ctx.voices.first(language)
    if not voice:
        raise Refused("speech.no_voice", spoken=language)
    for piece, text in wanted.items():
        with _work(folder) as work:
            spoken = ctx.voices.say([Sentence(text, 0)], voice, 1.0, Path(work) / "spoken.wav")
            record(ctx, actor, language, piece, spoken, folder)
    return len(wanted)


def put_together(
    ctx: Context, actor: Actor, language: str, name: str, values: Mapping[str, Value], folder: Path
) -> tuple[Asset, SpokenText]:
    """A recording of the filled phrase, made once; with its words in Vietnamese beside it.

    Raises Refused: "no_right", "choice.unknown", what `phrases.fill` refuses, and the audio pipeline's faults."""
    actor, phrase = actor.need(Right.COMPOSE), find(name)
    with ctx.db.read() as session:
        there = shelf(session, actor, language)
    clips = fill(phrase, values, there.bank)
    words = phrase.texts.get("vi", {})
    stops = [STOP_MS if words.get(clip, "").endswith(".") else BETWEEN_MS for clip in clips]
    text = written(phrase, values)
    names = [there.pieces[clip].asset_sha256 for clip in clips]
    heard = digest([BY, language, names, stops])
    row_id = digest([heard, text])
    with ctx.db.read() as session:
        known = session.scalar(select(SpokenText.asset_sha256).where(SpokenText.heard == heard).limit(1))
    prepared = None
    if known is None:
        with _work(folder) as work:
            files = [(ctx.audio.path(each), stop) for each, stop in zip(names, stops, strict=True)]
            prepared = ctx.audio.prepare(join_files(files, Path(work) / "phrase.wav"))
    now = ctx.clock.now()
    with ctx.db.write() as session:
        asset = library.remember(ctx, session, prepared) if prepared else library.find(session, known or "")
        audit.record(session, now, actor.name, "recording.add", asset.sha256, {"name": text[:120]})
        row = session.get(SpokenText, row_id)
        if row is None:
            row = SpokenText(id=row_id, heard=heard, asset_sha256=asset.sha256, language=language, percent=100)
            row.written = row.spoken = text
            row.words, row.voice, row.version, row.sent_out = [], f"{BY}/{name}", "", False
            row.made_at, row.made_by = now, actor.name
            session.add(row)
        session.flush()
    return asset, row


def _told(slot: Slot, value: Value, words: Mapping[str, str]) -> str:
    match slot.gap, value:
        case Gap.NUMBER, int():
            return cardinal(value)
        case Gap.HOUR, time():
            return f"{value.hour} giờ" + (f" {value.minute} phút" if value.minute else "")
        case Gap.WEEKDAY, date():
            return _WEEKDAYS[value.weekday()]
        case Gap.DATE, date():
            return f"ngày {value.day} tháng {value.month}"
        case Gap.FULL_DATE, date():
            return f"ngày {value.day} tháng {value.month} năm {value.year}"
        case Gap.WORD, str():
            return words.get(f"word.{slot.name}.{value}", value)
    return str(value)


def _piece(piece: str) -> str:
    """Raises Refused("phrase.piece") for one that no phrase knows."""
    name = " ".join(piece.split())
    if name.startswith("place."):
        if 6 < len(name) <= 6 + LONGEST_NAME and name.isprintable():
            return name
    elif name in _KNOWN or (name.startswith("number.") and name[7:].isdecimal() and len(name) < 12):
        return name
    raise Refused("phrase.piece", piece=name[:LONGEST_NAME])


def _known() -> set[str]:
    words = {f"word.{slot.name}.{one}" for phrase in PHRASES.values() for slot in phrase.slots for one in slot.choices}
    fixed = {part for phrase in PHRASES.values() for part in phrase.parts if isinstance(part, str)}
    return {*words, *fixed, *(clip for told in SCRIPTS.values() for clip in told)}


_KNOWN = _known()


def _check_language(language: str) -> None:
    if language not in LANGUAGES:
        raise Refused("choice.unknown", name="language", value=language[:12])


def _work(folder: Path) -> tempfile.TemporaryDirectory[str]:
    with told_as_faults():
        folder.mkdir(parents=True, exist_ok=True)
        return tempfile.TemporaryDirectory(prefix="phrase-", dir=folder)
