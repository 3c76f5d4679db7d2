"""Who may listen to which recording. Who may not must not get it into his own area either: there he could."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from controller.db.tables import (
    AuditEntry,
    Broadcast,
    Bulletin,
    EmergencyRecording,
    KeptSound,
    ProgrammePart,
    Rendition,
    Station,
)
from controller.services.rights import Actor
from controller.services.stations import lines


def within_reach(session: Session, areas: frozenset[str]) -> set[str]:
    """These areas and all above them: a province's chime is for its communes."""
    return {above for line in lines(session, areas).values() for above in line}


def may_listen(session: Session, actor: Actor, sha256: str) -> bool:
    """Whoever added it, and everybody in whose area something uses it. `actor` looks: as `Right.LOOK` narrows it."""
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
