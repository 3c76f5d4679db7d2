"""Recordings whose file is not there, or is not what its name says, and what would be silent for it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.clock import from_unix_ms
from broadcasts.domain.delivery import OPEN
from controller.db.tables import (
    Area,
    Asset,
    Assignment,
    Broadcast,
    Bulletin,
    Cluster,
    Delivery,
    EmergencyRecording,
    KeptSound,
    Station,
    UnitStatus,
)
from controller.services import other_codecs
from controller.services.collecting import Found
from controller.services.rights import Actor, Right
from controller.services.views.missing_ahead import ahead


@dataclass(frozen=True)
class Touched:
    """A broadcast that will sound it, or would once somebody says yes to it (`waiting`). `without`: clusters that do
    not hold it and cannot fetch it."""

    broadcast: str
    title: str
    first: datetime
    clusters: int
    without: int
    waiting: bool = False


@dataclass(frozen=True)
class Gone:
    """`original`: only what was uploaded is missing; nothing falls silent, but it cannot be cut any more."""

    sha256: str
    damaged: bool
    original: bool
    broadcasts: Sequence[Touched] = ()
    sounds: Sequence[str] = ()
    sets: Sequence[tuple[str, str]] = ()
    """Emergency sets: (kind, area)."""


@dataclass(frozen=True)
class Looked:
    at: datetime
    gone: Sequence[Gone]


def missing(session: Session, actor: Actor, found: Found, now: datetime) -> Looked:
    """As far as it is this person's business. Raises Refused: "no_right", "second_factor.needed"."""
    areas = actor.need(Right.UPKEEP).areas
    names = [*((name, False) for name in dict.fromkeys(found.missing)), *((name, True) for name in found.damaged)]
    statuses = {row.unit_id: row for row in session.scalars(select(UnitStatus))} if names else {}
    poles = _Poles(now, areas, statuses, other_codecs.held(session, statuses))
    return Looked(from_unix_ms(found.at), [_gone(session, name, bad, poles) for name, bad in names])


@dataclass(frozen=True)
class _Poles:
    now: datetime
    areas: Collection[str]
    statuses: Mapping[str, UnitStatus]
    held: Mapping[str, set[str]]

    def lacks(self, unit: str | None, first: Asset, given: Asset) -> bool:
        """Whether this unit would fetch `given` for `first`, and has not."""
        status = self.statuses.get(unit or "")
        codecs = (status.codecs if status is not None else None) or other_codecs.PLAYS
        if given is not first and (first.codec in codecs or given.codec not in codecs):
            return False
        return first.sha256 not in self.held.get(unit or "", ())


def _gone(session: Session, name: str, damaged: bool, poles: _Poles) -> Gone:
    asset = session.get(Asset, name)
    if asset is None:
        return Gone(name, damaged, original=True)
    # Deliveries, sounds and sets name the first file, also where units are given an encoding of it.
    firsts = other_codecs.same_sound(session, name)
    sounds = session.scalars(
        select(KeptSound.name)
        .where(KeptSound.asset_sha256.in_(firsts), KeptSound.area_id.in_(poles.areas))
        .order_by(KeptSound.name)
    )
    sets = session.execute(
        select(EmergencyRecording.kind, Area.name)
        .join(Area, EmergencyRecording.area_id == Area.id)
        .where(EmergencyRecording.asset_sha256.in_(firsts), Area.id.in_(poles.areas))
        .order_by(Area.name, EmergencyRecording.kind)
    )
    touched = [one for first in firsts for one in _touched(session, session.get_one(Asset, first), asset, poles)]
    return Gone(name, damaged, False, touched, list(sounds), [(row.kind, row.name) for row in sets])


def _touched(session: Session, first: Asset, given: Asset, poles: _Poles) -> list[Touched]:
    rows = session.execute(
        select(Delivery.broadcast_id, Bulletin.title, Delivery.start, Delivery.cluster_id, Assignment.unit_id)
        .join(Broadcast, Delivery.broadcast_id == Broadcast.id)
        .join(Bulletin, Broadcast.bulletin_id == Bulletin.id)
        .join(Cluster, Delivery.cluster_id == Cluster.id)
        .join(Station, Cluster.station_id == Station.id)
        .outerjoin(Assignment, (Assignment.cluster_id == Delivery.cluster_id) & Assignment.until.is_(None))
        .where(
            Delivery.asset_sha256 == first.sha256,
            Delivery.state.in_([str(each) for each in OPEN]),
            Delivery.start > poles.now,
            Station.area_id.in_(poles.areas),
        )
        .order_by(Delivery.start)
    ).all()
    by_broadcast: dict[str, list[int]] = {}
    for place, row in enumerate(rows):
        by_broadcast.setdefault(row.broadcast_id, []).append(place)
    found = []
    for broadcast, places in by_broadcast.items():
        mine = [rows[place] for place in places]
        without = {row.cluster_id for row in mine if poles.lacks(row.unit_id, first, given)}
        clusters = {row.cluster_id for row in mine}
        found.append(Touched(broadcast, mine[0].title, mine[0].start, len(clusters), len(without)))
    for each in ahead(session, first.sha256, poles.areas, poles.now, by_broadcast):
        lacking = sum(poles.lacks(unit, first, given) for unit in each.units.values())
        found.append(Touched(each.broadcast, each.title, each.first, len(each.units), lacking, each.waiting))
    return found
