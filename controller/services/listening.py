"""Who may listen to which recording. Who may not must not get it into his own area either: there he could."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import CompoundSelect, select, union
from sqlalchemy.orm import Session

from controller.db.tables import (
    Asset,
    AuditEntry,
    Broadcast,
    Bulletin,
    EmergencyRecording,
    KeptSound,
    LiveSession,
    ProgrammePart,
    Rendition,
    Station,
)
from controller.services.live_rules import areas_of
from controller.services.rights import Actor
from controller.services.stations import lines


def within_reach(session: Session, areas: frozenset[str]) -> set[str]:
    """These areas and all above them: a province's chime is for its communes."""
    return {above for line in lines(session, areas).values() for above in line}


def may_listen(session: Session, actor: Actor, sha256: str) -> bool:
    """Whoever added it, and everybody in whose area something uses it. `actor` looks: as `Right.LOOK` narrows it."""
    return sha256 in heard_among(session, actor, {sha256})


def heard_among(session: Session, actor: Actor, names: Collection[str]) -> set[str]:
    """Those of these recordings that this person may listen to. One query where all are; for others the tree of areas
    is climbed too, in search of a sound that is kept above."""
    names = set(names) - {""}
    if not names:
        return set()
    heard = {str(row[0]) for row in session.execute(_used_or_added(actor, names))}
    if missing := names - heard:
        kept = select(KeptSound.asset_sha256).where(
            KeptSound.asset_sha256.in_(missing), KeptSound.area_id.in_(within_reach(session, actor.areas))
        )
        heard |= set(session.scalars(kept))
        heard |= _spoken_there(session, actor, missing - heard)
    return heard


def _spoken_there(session: Session, actor: Actor, names: set[str]) -> set[str]:
    """Of live voices: who spoke, and who works where any of it was heard."""
    rows = session.scalars(select(LiveSession).where(LiveSession.asset_sha256.in_(names)))
    return {
        row.asset_sha256
        for row in rows
        if row.asset_sha256 and (row.speaker_id == actor.id or areas_of(session, row) & actor.areas)
    }


def find_heard(session: Session, actor: Actor, sha256: str) -> Asset | None:
    """The recording, for a page that shows it; none where it is not there, or is none of this person's business."""
    return session.get(Asset, sha256) if sha256 and may_listen(session, actor, sha256) else None


def _used_or_added(actor: Actor, names: Collection[str]) -> CompoundSelect[Any]:
    used = (
        select(Rendition.asset_sha256)
        .join(Bulletin, Rendition.bulletin_id == Bulletin.id)
        .join(Station, Bulletin.station_id == Station.id)
        .where(Rendition.asset_sha256.in_(names), Station.area_id.in_(actor.areas))
    )
    in_programme = (
        select(ProgrammePart.asset_sha256)
        .join(Broadcast, ProgrammePart.broadcast_id == Broadcast.id)
        .join(Station, Broadcast.station_id == Station.id)
        .where(ProgrammePart.asset_sha256.in_(names), Station.area_id.in_(actor.areas))
    )
    preloaded = select(EmergencyRecording.asset_sha256).where(
        EmergencyRecording.asset_sha256.in_(names), EmergencyRecording.area_id.in_(actor.areas)
    )
    mine = select(AuditEntry.about).where(
        AuditEntry.act == "recording.add", AuditEntry.about.in_(names), AuditEntry.actor == actor.name
    )
    return union(used, in_programme, preloaded, mine)
