"""Sounds that the project makes itself: chimes, the words around a drill, a standard warning for each kind of alert.

Nothing of it lies in the package: the first Vietnamese voice of the settings speaks it where it is asked for. What a
province or a commune has recorded is never replaced. Khmer is absent until a speaker records it (`emergency_set.put`).
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.audio.chime import TUNES
from broadcasts.audio.sample import write_chime
from broadcasts.audio.store import told_as_faults
from broadcasts.audio.voices import Sentence
from broadcasts.domain.reading.reader import read
from broadcasts.domain.reading.sentences import split
from broadcasts.errors import Conflict, Refused
from broadcasts.wire.alert import AlertKind
from controller.db.tables import Area, EmergencyRecording, KeptSound
from controller.services import emergency_set, sounds, speaking
from controller.services.context import Context
from controller.services.library import add_made
from controller.services.rights import Actor, Right
from controller.services.standard_texts import AFTER_DRILL, AROUND_A_DRILL, BEFORE_DRILL, standard_texts

LANGUAGE = "vi"
LANGUAGES = (LANGUAGE, "km")
"""What a set of this province should hold; the second has no voice."""
WARNINGS = {AlertKind(each.kind): each.text for each in standard_texts() if each.kind not in AROUND_A_DRILL}
DRILL_NAMES = {BEFORE_DRILL: "Diễn tập", AFTER_DRILL: "Hết diễn tập"}
_DRILL_KINDS = {BEFORE_DRILL: "intro", AFTER_DRILL: "outro"}
CHIME_NAMES = {"falling": "Nhạc hiệu bốn nốt xuống", "rising": "Nhạc hiệu bốn nốt lên", "gong": "Hai tiếng cồng"}
assert CHIME_NAMES.keys() == TUNES.keys()
assert WARNINGS.keys() == set(AlertKind)


@dataclass(frozen=True)
class Warned:
    """One kind of alert in one language; `there`: the province's set has a recording of it."""

    kind: AlertKind
    language: str
    there: bool
    text: str
    """"" where nobody wrote it in this language."""


def warnings(session: Session, area: str) -> list[Warned]:
    """All kinds in all languages, as the set of this area has them."""
    rows = session.execute(
        select(EmergencyRecording.kind, EmergencyRecording.language).where(EmergencyRecording.area_id == area)
    )
    there = {(kind, language) for kind, language in rows}
    return [
        Warned(kind, language, (kind, language) in there, text if language == LANGUAGE else "")
        for language in LANGUAGES
        for kind, text in WARNINGS.items()
    ]


def frame(session: Session, actor: Actor) -> dict[str, bool]:
    """By name of our chimes and of the words around a drill: whether the actor's area keeps it."""
    home = actor.need(Right.COMPOSE).area
    kept = set(session.scalars(select(KeptSound.name).where(KeptSound.area_id == home)))
    return {name: name in kept for name in (*CHIME_NAMES.values(), *DRILL_NAMES.values())}


def speak_warnings(ctx: Context, actor: Actor, area: str, folder: Path) -> int:
    """Warnings of this area's set that are missing, spoken in Vietnamese; how many. A set keeps what it has.

    Raises Refused: "no_right", "not_yours", "emergency.full"; Fault of the embedded voice."""
    actor = actor.need(Right.PRELOAD)
    if area not in actor.areas:
        raise Refused("not_yours")
    with ctx.db.read() as session:
        lacking = [each for each in warnings(session, area) if each.text and not each.there]
    for each in lacking:
        with _work(folder) as work:
            out = Path(work) / "warning.wav"
            _say(ctx, each.text, out)
            emergency_set.put(ctx, actor, area, each.kind, each.language, out, f"loa-{each.kind}.wav")
    return len(lacking)


def keep_frame(ctx: Context, actor: Actor, folder: Path) -> int:
    """Our chimes and the words around a drill that the actor's area does not keep yet; how many.

    Raises Refused("no_right"), Fault of the embedded voice."""
    actor = actor.need(Right.COMPOSE)
    with ctx.db.read() as session:
        lacking = [name for name, there in frame(session, actor).items() if not there]
    tunes = {name: tune for tune, name in CHIME_NAMES.items()}
    drills = {DRILL_NAMES[each.kind]: each for each in standard_texts() if each.kind in AROUND_A_DRILL}
    for name in lacking:
        if name in tunes:
            kind, write = "chime", partial(write_chime, name=tunes[name])
        else:
            kind, write = _DRILL_KINDS[drills[name].kind], partial(_say, ctx, drills[name].text)
        asset = add_made(ctx, actor, folder, write, f"{name}.wav")
        try:
            sounds.keep(ctx, actor, kind, name, asset.sha256, actor.area)
        except Conflict:
            continue  # somebody else was quicker
    return len(lacking)


def places(session: Session, actor: Actor) -> list[Area]:
    """The provinces whose set the actor may change, else the communes."""
    areas = actor.need(Right.PRELOAD).areas
    found = list(session.scalars(select(Area).where(Area.id.in_(areas)).order_by(Area.name)))
    tops = [area for area in found if area.kind == "province"]
    return tops or [area for area in found if area.kind in emergency_set.LEVELS]


def _say(ctx: Context, text: str, out: Path) -> Path:
    sentences = [Sentence(each.text, each.pause_ms) for each in split(read(text).spoken)]
    speaking.say(ctx, sentences, ctx.voices.first(LANGUAGE), 90, out, urgent=True)
    return out


def _work(folder: Path) -> tempfile.TemporaryDirectory[str]:
    with told_as_faults():
        folder.mkdir(parents=True, exist_ok=True)
        return tempfile.TemporaryDirectory(prefix="library-", dir=folder)
