"""A text becomes the voice of an emergency: at once, as loud as alerts are, by the officer who is about to sound it.

Nobody approves it beforehand (design, section 5); who confirms the emergency afterwards reads what was said. The time
at which it was written is part of it, so that every repeat says how old the words are (R-061).
"""

from __future__ import annotations

import tempfile
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.audio.store import told_as_faults
from broadcasts.clock import VIETNAM
from broadcasts.domain.alert_rules import Rule
from broadcasts.errors import Refused
from broadcasts.wire.alert import AlertKind
from controller.db.tables import Asset, AuditEntry, Emergency, EmergencyRecording, SpokenText
from controller.services import alert_superseding, audit, emergencies, library, speaking
from controller.services.alert_calls import Call, Content
from controller.services.alerting import CANCELLED, LAPSED, WAITING, whose
from controller.services.context import Context
from controller.services.pronouncing import as_read
from controller.services.rights import Actor, Right
from controller.services.standard_texts import standard_texts
from controller.services.stations import clusters_in
from controller.services.targets import Target

LONGEST = 1_500
"""Characters: about a hundred seconds. Whoever has more to say repeats a short text sooner."""
PERCENT = 90
"""Of the voice's own pace: heard from afar, over wind and rain."""
LANGUAGE = "vi"
APOLOGY = "Bà con chú ý! Lệnh khẩn cấp vừa rồi là nhầm, không có nguy hiểm. Xin lỗi bà con."
APOLOGY_REASON = "Xin lỗi, lệnh nhầm"
APOLOGY_LASTS = timedelta(minutes=10)
"""In which it begins; a pole that comes back later says nothing."""
STALE = timedelta(minutes=10)
"""A recording that was listened to so long ago tells a time of issue that is none any more (R-061)."""
LOOK_BACK = 200
"""Lines of the log of one set that are looked through for what a recording is."""


def when_told(now: datetime) -> str:
    """The last sentence: the time at which the words were written."""
    local = now.astimezone(VIETNAM)
    minutes = f" {local.minute} phút" if local.minute else ""
    return f"Tin phát lúc {local.hour} giờ{minutes}, ngày {local.day} tháng {local.month}."


def _sentences(text: str, now: datetime) -> str:
    return f"{text}{'' if text[-1] in '.!?…' else '.'} {when_told(now)}"


def says(written: str, text: str, now: datetime) -> bool:
    """Whether a recording of `written` says just `text`, and was made no longer ago than `STALE`."""
    text = " ".join(text.split())
    minutes = range(int(STALE.total_seconds()) // 60 + 1)
    return bool(text) and any(written == _sentences(text, now - timedelta(minutes=ago)) for ago in minutes)


def speak(ctx: Context, actor: Actor, text: str, folder: Path) -> Asset:
    """The recording of it, in Vietnamese. `folder` is for the work, on our own disk.

    Raises Refused: "no_right", "second_factor.needed", "speech.empty", "speech.long", "speech.nothing"; Fault of the
    embedded voice and of the audio pipeline. Then nothing was kept.
    """
    actor = actor.need(Right.ALERT)
    text = " ".join(text.split())
    if not text:
        raise Refused("speech.empty")
    if len(text) > LONGEST:
        raise Refused("speech.long", length=len(text), most=LONGEST)
    written = _sentences(text, ctx.clock.now())
    with ctx.db.read() as session:
        said = as_read(session, actor.area, written)
    sentences = speaking.sentences_of(said.spoken)
    voice = ctx.voices.first(LANGUAGE)
    with told_as_faults():
        folder.mkdir(parents=True, exist_ok=True)
        work = tempfile.TemporaryDirectory(prefix="emergency-", dir=folder)
    with work as place:
        out = Path(place) / "spoken.wav"
        voice = speaking.say(ctx, sentences, voice, PERCENT, out, urgent=True)
        prepared = ctx.audio.prepare(out, emergency=True)
    provider, it = ctx.voices.find(voice)
    told = [LANGUAGE, [[each.text, each.pause_ms] for each in sentences], voice, PERCENT, "emergency"]
    heard = speaking.digest(told)
    now, row_id = ctx.clock.now(), speaking.digest([heard, written])
    with ctx.db.write() as session:
        asset = library.remember(ctx, session, prepared)
        audit.record(session, now, actor.name, "recording.add", asset.sha256, {"name": written[:120]})
        if session.get(SpokenText, row_id) is None:
            row = SpokenText(
                id=row_id,
                heard=heard,
                asset_sha256=asset.sha256,
                language=LANGUAGE,
                written=written,
                spoken=said.spoken,
                words=[],
                voice=voice,
                version=provider.version(it.name),
                percent=PERCENT,
                sent_out=provider.sends_text_out,
                made_at=now,
                made_by=actor.name,
            )
            session.add(row)
    return asset


def apologise(ctx: Context, actor: Actor, alert_id: str, folder: Path) -> str:
    """Silence this alert at once where it still stands; then say once, where it was meant to sound, that it was a
    mistake. The id of the act that says so.

    Raises Refused: "no_right", "second_factor.needed", "not_yours", "alert.unheard" (nothing sounded); and when it is
    silent, what `speak` and `emergencies.sound` raise, the fresh code's too.
    """
    officer = actor.need(Right.ALERT)
    with ctx.db.read() as session:
        act = session.get(Emergency, alert_id)
        if act is None or not whose(act, officer):
            raise Refused("not_yours")
        reach = alert_superseding.reach_of(session, alert_id)
        poles = tuple(cluster.id for cluster in clusters_in(session, officer.areas, reach))
    emergencies.silence(ctx, actor, alert_id)
    if act.state in (WAITING, CANCELLED, LAPSED):
        raise Refused("alert.unheard")
    officer.freshly(ctx.wall.now(), ctx.people.fresh_code)  # before the work of speaking
    made = speak(ctx, actor, APOLOGY, folder)
    call = Call(
        kind=AlertKind.ALL_CLEAR,
        target=Target(clusters=poles),
        content=Content(recordings=((LANGUAGE, made.sha256),)),
        reason=f"{APOLOGY_REASON} {alert_id}",
        lasts=APOLOGY_LASTS,
        rule=Rule.ONCE,
        confirmed=str(len(poles)),  # as wide as what they heard, and no wider
        ends=(alert_id,),
        press=f"apology {alert_id}",
        origin="apology",
    )
    return emergencies.sound(ctx, actor, call)


def words_of(session: Session, sha256: str) -> str:
    """What a recording says, where a voice of ours spoke it; "" where a person did."""
    query = select(SpokenText.written).where(SpokenText.asset_sha256 == sha256)
    written = session.scalar(query.order_by(SpokenText.made_at.desc()).limit(1))
    return written or _standard_words(session, sha256)


def _standard_words(session: Session, sha256: str) -> str:
    """Of a standard warning that `services.sound_library` had spoken."""
    kept = select(EmergencyRecording.area_id, EmergencyRecording.kind, EmergencyRecording.language)
    row = session.execute(kept.where(EmergencyRecording.asset_sha256 == sha256).limit(1)).first()
    if row is None or row.language != LANGUAGE:
        return ""
    lines = session.scalars(
        select(AuditEntry.detail)
        .where(AuditEntry.act == "emergency_set.put", AuditEntry.about == row.area_id)
        .order_by(AuditEntry.id.desc())
        .limit(LOOK_BACK)
    )
    ours = any(told.get("asset") == sha256 and told.get("name") == f"loa-{row.kind}.wav" for told in lines)
    return next((each.text for each in standard_texts() if ours and each.kind == row.kind), "")
