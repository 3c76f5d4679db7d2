"""The step that makes the encodings which units need: one after the other, outside of every transaction."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select, union
from sqlalchemy.orm import Session

from broadcasts.domain.delivery import OPEN
from broadcasts.errors import Fault, LoaError, Refused
from controller.db.tables import (
    Asset,
    Assignment,
    Cluster,
    Delivery,
    EmergencyRecording,
    Encoding,
    StandingAlert,
    Station,
    Unit,
    UnitStatus,
)
from controller.services import alerting, faults
from controller.services.context import HORIZON, Context
from controller.services.deliveries import mark_dirty
from controller.services.library import FIRMWARE, remember
from controller.services.other_codecs import PLAYS
from controller.services.slots import last_sound
from controller.services.stations import lines

LOOK_AGAIN = timedelta(minutes=10)
MADE = PLAYS
"""What we can make. A unit that decodes nothing of it gets the fault below."""
MISSING = "no_encoding"
"""The fault of a unit for which a recording could not be written in a codec that it decodes."""
_LOG = logging.getLogger("loa.recoding")
_SIMPLE = (
    select(Unit.id, UnitStatus.codecs, Cluster.id.label("cluster"), Station.area_id)
    .join(UnitStatus, UnitStatus.unit_id == Unit.id)
    .join(Assignment, Assignment.unit_id == Unit.id)
    .join(Cluster, Assignment.cluster_id == Cluster.id)
    .join(Station, Cluster.station_id == Station.id)
    .where(UnitStatus.codecs.is_not(None), Unit.revoked_at.is_(None), Assignment.until.is_(None))
)


class Encoder:
    """Remembers what failed, so that it is not tried again at every knock."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._failed: dict[tuple[str, str], tuple[datetime, str]] = {}

    def step(self, now: datetime) -> datetime:
        """Make what the units need and is not there, the most urgent first. Returns when to look again."""
        with self._ctx.db.read() as session:
            units = session.execute(_SIMPLE).all()
            wanted = _wanted(session, units, now) if units else {}
            before = faults.standing(session, MISSING)
        if not wanted and not before:
            self._failed.clear()
            return now + LOOK_AGAIN
        # What nobody wants any more, and codecs that a unit only named once, are forgotten.
        self._failed = {key: failed for key, failed in self._failed.items() if key in wanted}
        for sha256, codec in wanted:
            failed = self._failed.get((sha256, codec))
            if failed is None or failed[0] <= now - LOOK_AGAIN:
                self._make(sha256, codec, now)
        self._tell(wanted, before, now)
        return now + LOOK_AGAIN

    def _make(self, sha256: str, codec: str, now: datetime) -> None:
        self._failed.pop((sha256, codec), None)
        try:
            if codec not in MADE:
                raise Refused("audio.codec", codec=codec)
            prepared = self._ctx.audio.encode(sha256, codec)
        except LoaError as failure:
            self._failed[sha256, codec] = (now, str(failure))
            _LOG.error("%s cannot be written as %s: %s", sha256, codec, failure)
            if isinstance(failure, Fault):
                _LOG.warning("tried again in %s", LOOK_AGAIN)
            return
        with self._ctx.db.write() as session:
            if session.get(Asset, sha256) is None or session.get(Encoding, (sha256, codec)) is not None:
                return
            asset = remember(self._ctx, session, prepared)
            session.add(Encoding(asset_sha256=sha256, codec=codec, encoded_sha256=asset.sha256, made_at=now))
            session.flush()
            mark_dirty(session, [row.cluster for row in session.execute(_SIMPLE)], now)
            alerting.also(session, sha256, now)
        alerting.issue_pending(self._ctx, now)
        self._ctx.wake()

    def _tell(self, wanted: dict[tuple[str, str], list[str]], before: dict[str, str], now: datetime) -> None:
        found = {
            unit: f"{sha256[:12]}: {self._failed[sha256, codec][1]}"
            for (sha256, codec), units in wanted.items()
            if (sha256, codec) in self._failed
            for unit in units
        }
        if found or before:
            with self._ctx.db.write() as session:
                faults.settle(session, MISSING, found, [unit for unit in before if unit not in found], now)


def _wanted(session: Session, units: Sequence[Any], now: datetime) -> dict[tuple[str, str], list[str]]:
    """Recording and codec, with the units that need it: for alerts first, then for emergency sets, then by start."""
    above = lines(session, {unit.area_id for unit in units})
    sets = session.execute(select(EmergencyRecording.area_id, EmergencyRecording.asset_sha256)).all()
    alerted = {
        each["asset"]["sha256"]
        for standing in session.scalars(
            select(StandingAlert).where(StandingAlert.silenced_at.is_(None), StandingAlert.hard_end > now)
        )
        for each in standing.entry.get("content", [])
    }
    rows = session.scalars(
        select(Delivery)
        .where(
            Delivery.cluster_id.in_([unit.cluster for unit in units]),
            Delivery.state.in_([str(state) for state in OPEN]),
            Delivery.start < now + HORIZON,
        )
        .order_by(Delivery.start)
    )
    due: dict[str, list[str]] = {}
    for row in rows:
        if last_sound(row) > now:
            due.setdefault(row.cluster_id, []).append(row.asset_sha256)
    needs: dict[tuple[str, str], list[str]] = {}
    for unit in units:
        held = [sha256 for area, sha256 in sets if area in above[unit.area_id]]
        codec = next((each for each in unit.codecs if each in MADE), unit.codecs[0])
        for sha256 in dict.fromkeys([*alerted, *held, *due.get(unit.cluster, ())]):
            needs.setdefault((sha256, codec), []).append(unit.id)
    return _not_there(session, needs, {unit.id: unit.codecs for unit in units})


def _not_there(
    session: Session, needs: dict[tuple[str, str], list[str]], codecs: dict[str, list[str]]
) -> dict[tuple[str, str], list[str]]:
    names = {sha256 for sha256, _ in needs}
    there = union(
        select(Asset.sha256, Asset.codec).where(Asset.sha256.in_(names)),
        select(Encoding.asset_sha256, Encoding.codec).where(Encoding.asset_sha256.in_(names)),
    )
    written: dict[str, set[str]] = {}
    for sha256, codec in session.execute(there):
        written.setdefault(sha256, set()).add(codec)
    found: dict[tuple[str, str], list[str]] = {}
    for (sha256, codec), units in needs.items():
        have = written.get(sha256, {FIRMWARE})
        short = [unit for unit in units if FIRMWARE not in have and not have & set(codecs[unit])]
        if short:
            found[sha256, codec] = short
    return found
