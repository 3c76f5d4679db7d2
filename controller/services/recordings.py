"""The sample that we make ourselves, and who may listen to what."""

from __future__ import annotations

import tempfile
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.audio.sample import write_sample
from broadcasts.audio.store import told_as_faults
from broadcasts.errors import Refused
from broadcasts.ids import SHA256
from controller.db.tables import (
    Asset,
    AuditEntry,
    Broadcast,
    Bulletin,
    EmergencyRecording,
    KeptSound,
    ProgrammePart,
    Rendition,
    Station,
)
from controller.services.context import Context
from controller.services.library import add_recording
from controller.services.rights import Actor, Right
from controller.services.sounds import within_reach

SAMPLE_NAME = "loa-sample.wav"


def add_sample(ctx: Context, actor: Actor, folder: Path) -> Asset:
    """A spoken test announcement, prepared like any upload. `folder` is for the work, on our own disk.

    Raises Refused("no_right") and the audio pipeline's faults.
    """
    actor = actor.need(Right.COMPOSE)
    with told_as_faults():
        folder.mkdir(parents=True, exist_ok=True)
        work = tempfile.TemporaryDirectory(prefix="sample-", dir=folder)
    with work as name:
        return add_recording(ctx, actor, write_sample(Path(name) / "sample.wav"), SAMPLE_NAME)


def heard_by(ctx: Context, actor: Actor, sha256: str) -> Path:
    """The file, for the ears of people: who added it, and everybody in whose area a bulletin or an
    emergency set uses it.

    Raises Refused("asset.unknown") for all others too: what lies elsewhere is nobody's business.
    """
    actor = actor.need(Right.LOOK)
    if not SHA256.fullmatch(sha256):
        raise Refused("asset.unknown", asset=sha256[:80])
    with ctx.db.read() as session:
        if not _may_listen(session, actor, sha256):
            raise Refused("asset.unknown", asset=sha256)
    return ctx.audio.path(sha256)


def _may_listen(session: Session, actor: Actor, sha256: str) -> bool:
    used = (
        select(Rendition.id)
        .join(Bulletin, Rendition.bulletin_id == Bulletin.id)
        .join(Station, Bulletin.station_id == Station.id)
        .where(Rendition.asset_sha256 == sha256, Station.area_id.in_(actor.areas))
    )
    in_programme = (
        select(ProgrammePart.position)
        .join(Broadcast, ProgrammePart.broadcast_id == Broadcast.id)
        .join(Station, Broadcast.station_id == Station.id)
        .where(ProgrammePart.asset_sha256 == sha256, Station.area_id.in_(actor.areas))
    )
    preloaded = select(EmergencyRecording.kind).where(
        EmergencyRecording.asset_sha256 == sha256, EmergencyRecording.area_id.in_(actor.areas)
    )
    kept = select(KeptSound.id).where(
        KeptSound.asset_sha256 == sha256, KeptSound.area_id.in_(within_reach(session, actor.areas))
    )
    mine = select(AuditEntry.id).where(
        AuditEntry.act == "recording.add", AuditEntry.about == sha256, AuditEntry.actor == actor.name
    )
    return any(session.scalar(query.limit(1)) is not None for query in (used, in_programme, preloaded, mine, kept))
