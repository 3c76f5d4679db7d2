"""The tally of a drill: which pole knows of it, who did it, and why not."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.clock import unix_ms
from broadcasts.domain.tally import Facts, Finding, find
from broadcasts.domain.versions import next_version
from broadcasts.errors import Refused
from controller.db.tables import Cluster, Drill, DrillBefore, DrillList, DrillReach, Unit, UnitStatus
from controller.services.emergency_rules import EmergencyRules


@dataclass(frozen=True)
class Line:
    cluster: str
    name: str
    unit: str | None
    found: Finding
    before: tuple[DrillBefore, ...] = ()
    """As of `alert_tally.Line`."""


def tally(session: Session, drill_id: str, now: datetime) -> list[Line]:
    """What the drill came to at each pole, seconds from its start; of a silent one "sounded" is that it would have.
    Raises Refused("not_yours") where there is none."""
    drill = session.get(Drill, drill_id)
    if drill is None:
        raise Refused("not_yours")
    scopes = [str(scope) for scope, _ in drill.places]
    least = _carrying(drill, session.scalars(select(DrillList).where(DrillList.scope.in_(scopes))).all())
    files = {str(sha256) for _, sha256 in [*drill.content, *([] if drill.silent else drill.prefix)]}
    rows = session.execute(
        select(DrillReach, Cluster.name, Unit.revoked_at, UnitStatus)
        .join(Cluster, DrillReach.cluster_id == Cluster.id)
        .outerjoin(Unit, DrillReach.unit_id == Unit.id)
        .outerjoin(UnitStatus, DrillReach.unit_id == UnitStatus.unit_id)
        .where(DrillReach.drill_id == drill_id)
        .order_by(Cluster.name, Cluster.id)
    )
    before: dict[str, list[DrillBefore]] = {}
    told = select(DrillBefore).where(DrillBefore.drill_id == drill_id)
    for each in session.scalars(told.order_by(DrillBefore.until.desc(), DrillBefore.unit_id)):
        before.setdefault(each.cluster_id, []).append(each)
    began = max(drill.starts_at, drill.issued_at or drill.asked_at)
    return [
        Line(
            reach.cluster_id,
            name,
            reach.unit_id,
            find(_facts(drill, reach, revoked is not None, status, least, files, now), began, EmergencyRules.late),
            tuple(before.get(reach.cluster_id, ())),
        )
        for reach, name, revoked, status in rows
    ]


def _carrying(drill: Drill, lists: Collection[DrillList]) -> dict[str, int]:
    """By scope: who has applied this version knows of the drill. Versions follow the clock; where they run ahead of it
    (a version out there was outranked), only the newest list is sure to carry it."""
    if drill.issued_at is None:
        return {}
    first = next_version(0, 0, unix_ms(drill.issued_at))
    kept = {row.scope: row.version <= next_version(0, 0, unix_ms(row.issued_at)) for row in lists}
    return {row.scope: first if kept[row.scope] else row.version for row in lists}


def _facts(
    drill: Drill,
    reach: DrillReach,
    revoked: bool,
    status: UnitStatus | None,
    least: Mapping[str, int],
    files: set[str],
    now: datetime,
) -> Facts:
    said: Mapping[str, Any] = status.reported or {} if status is not None else {}
    knows: Mapping[str, int] = said.get("drills") or {}
    # A list that names units names this one since it came; a list for all always meant it.
    since = 0 if reach.since is None else next_version(0, 0, unix_ms(reach.since))
    named = {scope for scope, units in drill.places if units is not None}
    told = any(knows.get(scope, 0) >= max(version, since if scope in named else 0) for scope, version in least.items())
    began_ms = unix_ms(drill.issued_at or drill.asked_at)
    refusal: Mapping[str, Any] = said.get("refused") or {}
    current = refusal.get("document") == "drill" and refusal.get("at", 0) >= began_ms
    return Facts(
        reach.unit_id,
        revoked=revoked,
        connected=status.connected if status is not None else None,
        last_sign=status.last_sign if status is not None else None,
        told=told,
        told_at=status.reported_at if told and status is not None else None,
        sounded_at=reach.sounded_at,
        ended_at=reach.ended_at,
        heard=reach.heard,
        skipped=reach.skipped,
        holds=status is None or not files or bool(files & set(status.held or ())),
        refused=str(refusal.get("reason", "")) if current else "",
        over=drill.hard_end <= now or drill.ended_at is not None,
    )
