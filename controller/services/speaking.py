"""A text becomes a recording: read by the rules, spoken by a voice, prepared like any upload.

Nothing that is spoken is on the air for it: it is a rendition like any other, handed in and approved, and who approves
sees the text as it was written and as it was read.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.audio.store import told_as_faults
from broadcasts.audio.voices import FASTEST, SLOWEST, Sentence, Voice
from broadcasts.domain.reading.sentences import split
from broadcasts.domain.reading.tokens import Category, Reading, Token
from broadcasts.errors import Fault, Refused
from controller.db.tables import Asset, SpokenText
from controller.services import audit, library
from controller.services.context import Context
from controller.services.pronouncing import as_read
from controller.services.rights import Actor, Right

LONGEST = 8_000
"""Characters of one text: about nine minutes."""
MOST_SPOKEN = 4 * LONGEST
"""Characters of what is said for it: more than the longest recording holds at the quickest pace."""
OWN_LANGUAGE = "vi"
"""The one whose reading has rules; a text in another one goes to its voice as it is."""
BEHIND_EMBEDDED = "espeak"


@dataclass(frozen=True)
class Wish:
    """`words`: what an officer wants said in place of a stretch, by its start in the text, with what is written there.
    `percent` of the voice's own pace. `fallback`: where the voice fails, the embedded one may speak."""

    text: str
    language: str = OWN_LANGUAGE
    voice: str = ""
    percent: int = 100
    words: Mapping[int, tuple[str, str]] = field(default_factory=dict)
    fallback: bool = False


@dataclass(frozen=True)
class Made:
    """`instead`: the voice that failed, where the embedded one spoke; "" where nothing was wrong."""

    spoken: SpokenText
    asset: Asset
    instead: str = ""


def reading(session: Session, actor: Actor, wish: Wish) -> Reading:
    """How the text will be read. Raises Refused: "no_right", "speech.empty", "speech.long", "reading.…"."""
    actor = actor.need(Right.COMPOSE)
    text = wish.text.strip()
    if not text:
        raise Refused("speech.empty")
    if len(text) > LONGEST:
        raise Refused("speech.long", length=len(text), most=LONGEST)
    if wish.language != OWN_LANGUAGE:
        printable = "".join(one if one.isprintable() or one == "\n" else " " for one in text)
        return Reading(printable, (Token(0, len(printable), printable, printable, Category.PLAIN),))
    found = as_read(session, actor.area, text)
    decided = found.decided(_chosen(found, wish.words))
    if len(decided.spoken) > MOST_SPOKEN:
        raise Refused("speech.long", length=len(decided.spoken), most=MOST_SPOKEN)
    return decided


def _chosen(found: Reading, words: Mapping[int, tuple[str, str]]) -> dict[int, str]:
    """The officer's words for the stretches they were meant for, though the text may have moved since."""
    chosen: dict[int, str] = {}
    for start, (written, spoken) in sorted(words.items()):
        if not spoken.strip():
            continue
        same = [token for token in found.tokens if token.written == written and token.start not in chosen]
        if same:
            nearest = min(same, key=lambda token: abs(token.start - start))
            chosen[nearest.start] = _sayable(spoken)
    return chosen


def _sayable(spoken: str) -> str:
    if len(spoken) > LONGEST:
        raise Refused("speech.long", length=len(spoken), most=LONGEST)
    return " ".join("".join(one if one.isprintable() else " " for one in spoken).split())


def sentences_of(spoken: str) -> list[Sentence]:
    """Raises Refused("speech.nothing") where no word is left."""
    found = [Sentence(each.text, each.pause_ms) for each in split(spoken)]
    if not found:
        raise Refused("speech.nothing")
    return found


def speak(ctx: Context, actor: Actor, wish: Wish, folder: Path) -> Made:
    """The recording of it, made once for all that is heard alike. `folder` is for the work, on our own disk.

    Raises Refused: "no_right", what `reading` refuses, "speech.nothing", "speech.pace", "speech.no_voice",
    "audio.voice_unknown", "audio.too_long"; Fault: "audio.voice_failed", "audio.voice_slow" (then nothing was kept),
    and the audio pipeline's.
    """
    actor = actor.need(Right.COMPOSE)
    if not SLOWEST * 100 <= wish.percent <= FASTEST * 100:
        raise Refused("speech.pace", least=round(SLOWEST * 100), most=round(FASTEST * 100))
    with ctx.db.read() as session:
        said = reading(session, actor, wish)
    sentences = sentences_of(said.spoken)
    voice = voice_for(ctx, wish)
    try:
        return _made(ctx, actor, wish, said, sentences, voice, folder)
    except Fault as fault:
        own = _embedded(ctx, wish.language)
        if not wish.fallback or not fault.key.startswith("audio.voice_") or not own or own == voice:
            raise
        made = _made(ctx, actor, wish, said, sentences, own, folder)
        return Made(made.spoken, made.asset, voice)


def voice_for(ctx: Context, wish: Wish) -> str:
    """Raises Refused("speech.no_voice", "audio.voice_unknown"), also for one that speaks another language."""
    told = wish.voice or ctx.voices.first(wish.language)
    if not told:
        raise Refused("speech.no_voice", spoken=wish.language[:12])
    _, voice = ctx.voices.find(told)
    if voice.speaks != wish.language:
        raise Refused("speech.no_voice", spoken=wish.language[:12])
    return voice.id


def say(ctx: Context, sentences: Sequence[Sentence], voice: str, percent: int, out: Path, *, urgent: bool) -> str:
    """Write a WAV at `out`; the voice that spoke. `urgent`: nobody is asked whether the embedded one may step in.

    Raises what `Voices.say` does."""
    try:
        _voiced(ctx, sentences, voice, percent, out, urgent=urgent)
    except Fault:
        _, failed = ctx.voices.find(voice)
        own = _embedded(ctx, failed.speaks)
        if not urgent or not own or own == voice:
            raise
        _voiced(ctx, sentences, own, percent, out, urgent=urgent)
        return own
    return voice


def voices(ctx: Context, language: str) -> list[tuple[Voice, bool]]:
    """Those that speak the language, each with whether the text leaves this machine for it."""
    return [
        (voice, provider.sends_text_out)
        for provider in ctx.voices.providers
        for voice in provider.voices()
        if voice.speaks == language
    ]


def all_of(session: Session, recordings: Sequence[tuple[str, str]]) -> dict[str, SpokenText]:
    """By recording, for (recording, its text) of a bulletin's languages: those that a voice spoke."""
    found = ((sha256, of_asset(session, sha256, text)) for sha256, text in recordings)
    return {sha256: row for sha256, row in found if row is not None}


def of_asset(session: Session, sha256: str, written: str = "") -> SpokenText | None:
    """How this recording came to be, where a voice spoke it; of several texts that sound alike the one that is
    written so."""
    query = select(SpokenText).where(SpokenText.asset_sha256 == sha256).order_by(SpokenText.made_at.desc())
    found = list(session.scalars(query.limit(50)))
    same = (each for each in found if each.written.split() == written.split())
    return next(same, found[0] if found else None)


def _embedded(ctx: Context, language: str) -> str:
    able = (each.id for each, _ in voices(ctx, language) if each.provider == BEHIND_EMBEDDED)
    return next(able, "")


def _made(
    ctx: Context, actor: Actor, wish: Wish, said: Reading, sentences: Sequence[Sentence], voice: str, folder: Path
) -> Made:
    provider, it = ctx.voices.find(voice)
    version = provider.version(it.name)
    told = [wish.language, [[each.text, each.pause_ms] for each in sentences], voice, version, wish.percent]
    heard = digest(told)
    words = [[one.start, one.end, one.spoken, one.doubtful] for one in said.tokens if one.changed or one.doubtful]
    row_id = digest([heard, said.text, words])
    with ctx.db.read() as session:
        known = session.scalar(select(SpokenText.asset_sha256).where(SpokenText.heard == heard).limit(1))
    prepared = None
    if known is None:
        with told_as_faults():
            folder.mkdir(parents=True, exist_ok=True)
            work = tempfile.TemporaryDirectory(prefix="spoken-", dir=folder)
        with work as place:
            out = _voiced(ctx, sentences, voice, wish.percent, Path(place) / "spoken.wav")
            prepared = ctx.audio.prepare(out)
    now = ctx.clock.now()
    with ctx.db.write() as session:
        asset = library.remember(ctx, session, prepared) if prepared else library.find(session, known or "")
        audit.record(session, now, actor.name, "recording.add", asset.sha256, {"name": said.text[:120]})
        row = session.get(SpokenText, row_id)
        if row is None:
            row = SpokenText(
                id=row_id,
                heard=heard,
                asset_sha256=asset.sha256,
                language=wish.language,
                written=said.text,
                spoken=said.spoken,
                words=words,
                voice=voice,
                version=version,
                percent=wish.percent,
                sent_out=provider.sends_text_out,
                made_at=now,
                made_by=actor.name,
            )
            session.add(row)
        detail = {"voice": voice, "version": version, "letters": len(said.text), "sent_out": provider.sends_text_out}
        audit.record(
            session, now, actor.name, "speech.make", row_id[:16], detail | {"sha256": asset.sha256}, actor.area
        )
        session.flush()
    return Made(row, asset)


def _voiced(
    ctx: Context, sentences: Sequence[Sentence], voice: str, percent: int, out: Path, *, urgent: bool = False
) -> Path:
    """Counted: a voice that fails is somebody's to mend. What is refused is nothing that a voice did."""
    began, provider = ctx.wall.monotonic(), voice.partition("/")[0]
    try:
        made = ctx.voices.say(sentences, voice, percent / 100, out, urgent=urgent)
    except Fault:
        ctx.measures.spoke(provider, ctx.wall.monotonic() - began, well=False)
        raise
    ctx.measures.spoke(provider, ctx.wall.monotonic() - began, well=True)
    return made


def digest(told: object) -> str:
    """SHA-256 of it as JSON."""
    return hashlib.sha256(json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()).hexdigest()
