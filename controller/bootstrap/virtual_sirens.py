"""What the virtual controller answers for its emergencies and drills, as the simulator asks it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.clock import unix_ms
from controller.db.tables import Asset, Drill, DrillReach, Emergency, EmergencyReach, Encoding, StandingAlert
from controller.services.alerting import ISSUED, SILENCED


def sirens(session: Session) -> list[dict[str, Any]]:
    """Every emergency and every drill that anybody decided on, whatever became of it."""
    return [*_emergencies(session), *_drills(session)]


def drilled(session: Session) -> set[tuple[str, str]]:
    """(unit, sound) of the drills that went out and are heard."""
    return {
        (unit, asset)
        for told in _drills(session)
        if told["released"] is not None and not told["silent"]
        for unit in told["units"]
        for asset in told["lengths"]
    }


def _emergencies(session: Session) -> Iterable[dict[str, Any]]:
    units: dict[str, list[str]] = defaultdict(list)
    for reach in session.scalars(select(EmergencyReach).where(EmergencyReach.unit_id.is_not(None))):
        units[reach.emergency_id].append(str(reach.unit_id))
    said: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in session.scalars(select(StandingAlert)):
        said[row.id].append(row.entry)
    for act in session.scalars(select(Emergency).order_by(Emergency.pressed_at, Emergency.id)).all():
        out = act.state in (ISSUED, SILENCED)
        files = {part["asset"]["sha256"] for entry in said[act.id] for part in entry["content"]}
        yield {
            "id": act.id,
            "drill": False,
            "silent": False,
            "units": units[act.id],
            "released": unix_ms(act.release_at) if out else None,
            "begins": unix_ms(act.issued_at),
            "hard_end": unix_ms(act.hard_end),
            "times": 1 if act.repeat is None else act.repeat.get("times"),
            "blind_ms": max((entry["max_blind_s"] * 1000 for entry in said[act.id]), default=0),
            "lengths": _lengths(session, files),
        }


def _drills(session: Session) -> Iterable[dict[str, Any]]:
    units: dict[str, list[str]] = defaultdict(list)
    for reach in session.scalars(select(DrillReach).where(DrillReach.unit_id.is_not(None))):
        units[reach.drill_id].append(str(reach.unit_id))
    for drill in session.scalars(select(Drill).order_by(Drill.asked_at, Drill.id)).all():
        yield {
            "id": drill.id,
            "drill": True,
            "silent": drill.silent,
            "units": units[drill.id],
            "released": None if drill.issued_at is None else unix_ms(drill.issued_at),
            "begins": unix_ms(drill.starts_at),
            "hard_end": unix_ms(drill.hard_end),
            "times": 1,
            "blind_ms": 0,
            "lengths": _lengths(session, {sha256 for _, sha256 in [*drill.prefix, *drill.content]}),
        }


def _lengths(session: Session, files: set[str]) -> dict[str, int]:
    """ms of each sound, in whatever encoding."""
    found = {row.sha256: row.duration_ms for row in session.scalars(select(Asset).where(Asset.sha256.in_(files)))}
    others: Sequence[Encoding] = session.scalars(select(Encoding).where(Encoding.asset_sha256.in_(files))).all()
    return found | {row.encoded_sha256: found[row.asset_sha256] for row in others if row.asset_sha256 in found}
