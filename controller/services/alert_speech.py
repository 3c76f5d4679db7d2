"""Words typed in an emergency, read aloud at once as loud as alerts are, the time of issue before them (R-061)."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from sqlalchemy.orm import Session

from broadcasts.errors import Refused
from controller.db.tables import Asset, SpokenText
from controller.services import audit, issue_time, library, speaking
from controller.services.context import Context
from controller.services.pronouncing import as_read
from controller.services.rights import Actor, Right
from controller.services.speaking import OWN_LANGUAGE, Wish

LONGEST = 1_200
"""Characters: about a minute and a half. A warning is short, because it is repeated."""


def words(text: str, language: str, issued_at: datetime) -> str:
    """What is read aloud, as a page shows it. Raises Refused: "speech.empty", "speech.long"."""
    text = text.strip()
    if not text:
        raise Refused("speech.empty")
    if len(text) > LONGEST:
        raise Refused("speech.long", length=len(text), most=LONGEST)
    return f"{issue_time.told(issued_at)} {text}" if language == OWN_LANGUAGE else text


def speak(
    ctx: Context, actor: Actor, text: str, issued_at: datetime, *, language: str = "vi", voice: str = ""
) -> Asset:
    """The recording of it. Where the voice fails the embedded one speaks: nobody is asked while the water rises.

    Raises Refused: "no_right", "second_factor.needed", "speech.empty", "speech.long", "speech.nothing",
    "speech.no_voice", "audio.voice_unknown", and those of the audio pipeline; Fault: "audio.voice_failed" and such.
    """
    actor = actor.need(Right.ALERT)
    told = words(text, language, issued_at)
    with ctx.db.read() as session:
        spoken = _read(session, actor, told, language)
    sentences = speaking.sentences_of(spoken)
    chosen = speaking.voice_for(ctx, Wish(told, language, voice))
    with ctx.audio.store.work_folder() as folder:
        out = Path(folder) / "spoken.wav"
        by = speaking.say(ctx, sentences, chosen, 100, out, urgent=True)
        prepared = ctx.audio.prepare(out, emergency=True)
    provider, it = ctx.voices.find(by)
    version, now = provider.version(it.name), ctx.clock.now()
    heard = speaking.digest(["emergency", language, spoken, by, version])
    row_id = speaking.digest([heard, told])
    with ctx.db.write() as session:
        asset = library.remember(ctx, session, prepared)
        if session.get(SpokenText, row_id) is None:
            session.add(
                SpokenText(
                    id=row_id, heard=heard, asset_sha256=asset.sha256, language=language, written=told, spoken=spoken,
                    words=[], voice=by, version=version, percent=100, sent_out=provider.sends_text_out, made_at=now,
                    made_by=actor.name,
                )
            )  # fmt: skip
        detail = {"voice": by, "letters": len(told), "sent_out": provider.sends_text_out, "sha256": asset.sha256}
        audit.record(session, now, actor.name, "speech.make", row_id[:16], detail, actor.area)
    return asset


def _read(session: Session, actor: Actor, text: str, language: str) -> str:
    """As officers' texts are read, without asking about doubts: who typed it hears it."""
    if language != OWN_LANGUAGE:
        return "".join(one if one.isprintable() or one == "\n" else " " for one in text)
    return as_read(session, actor.area, text).spoken
