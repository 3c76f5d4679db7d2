"""The tally of an emergency: per pole reached, sounding, heard, late, not reached and why, silent again (R-069)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.domain import tally as rules
from broadcasts.domain.tally import Facts, Finding, Sums
from broadcasts.errors import Refused
from controller.db.tables import (
    Cluster,
    Emergency,
    EmergencyReach,
    ReachBefore,
    StandingAlert,
    Station,
    Unit,
    UnitStatus,
)
from controller.services.emergency_rules import EmergencyRules


@dataclass(frozen=True)
class Line:
    cluster: str
    name: str
    station: str
    unit: str | None
    found: Finding
    before: tuple[ReachBefore, ...] = ()
    """Units that hung there while it stood and were swapped, the last one first: what they told is theirs, and counts
    for nobody else."""


@dataclass(frozen=True)
class Tally:
    """`lines` by station and name; their seconds, and what is late, count from the end of the cancel interval, during
    which nothing may sound; `since_press`: seconds. `whys`: how many poles for each reason of `tally.Why`."""

    act: Emergency
    lines: tuple[Line, ...]
    sums: Sums
    whys: dict[str, int]
    since_press: float
    sounds: bool


def tally(session: Session, alert_id: str, now: datetime, late: timedelta = EmergencyRules.late) -> Tally:
    """Of any emergency: who may look at it is the caller's to ask. Raises Refused("not_yours") where there is none."""
    act = session.get(Emergency, alert_id)
    if act is None:
        raise Refused("not_yours")
    entries = session.scalars(select(StandingAlert).where(StandingAlert.id == alert_id)).all()
    lists = {row.scope: row for row in entries}
    files = {part["asset"]["sha256"] for row in entries for part in row.entry.get("content", [])}
    rows = session.execute(
        select(
            *(EmergencyReach, Cluster.name, Station.name.label("station"), Station.scope, Station.area_id),
            *(Unit.revoked_at, UnitStatus.connected, UnitStatus.last_sign, UnitStatus.alert_versions),
            *(UnitStatus.reported_at, UnitStatus.held, UnitStatus.reported),
        )
        .join(Cluster, EmergencyReach.cluster_id == Cluster.id)
        .join(Station, Cluster.station_id == Station.id)
        .outerjoin(Unit, EmergencyReach.unit_id == Unit.id)
        .outerjoin(UnitStatus, EmergencyReach.unit_id == UnitStatus.unit_id)
        .where(EmergencyReach.emergency_id == alert_id)
        .order_by(Station.name, Cluster.name, Cluster.id)
    )
    before: dict[str, list[ReachBefore]] = {}
    for each in session.scalars(_BEFORE.where(ReachBefore.emergency_id == alert_id)):
        before.setdefault(each.cluster_id, []).append(each)
    lines = []
    for row in rows:
        reach: EmergencyReach = row[0]
        knows, said = row.alert_versions or {}, row.reported or {}
        told = any(_applied(knows, each.scope, each.version) for each in lists.values())
        refusal = said.get("refused") or {}
        current = refusal.get("document") == "alert" and refusal.get("at", 0) >= act.issued_at.timestamp() * 1000
        facts = Facts(
            unit=reach.unit_id,
            revoked=row.revoked_at is not None,
            connected=row.connected,
            last_sign=row.last_sign,
            told=told,
            told_at=row.reported_at if told else None,
            told_end=_gone(knows, lists) if reach.silenced_at is not None else None,
            sounded_at=reach.sounded_at,
            ended_at=reach.ended_at,
            heard=reach.heard,
            skipped=reach.skipped,
            holds=bool(files & set(row.held or ())) or not files,
            refused=str(refusal.get("reason", "")) if current else "",
            silenced_at=reach.silenced_at,
            over=act.hard_end <= now,
        )
        finding = rules.find(facts, act.release_at, late)
        former = tuple(before.get(reach.cluster_id, ()))
        lines.append(Line(reach.cluster_id, row.name, row.station, reach.unit_id, finding, former))
    found = [line.found for line in lines]
    whys = Counter(str(one.why) for one in found if one.why is not None)
    sounds = act.state == "issued" and act.hard_end > now
    return Tally(act, tuple(lines), rules.sums(found), dict(whys), (now - act.pressed_at).total_seconds(), sounds)


_BEFORE = select(ReachBefore).order_by(ReachBefore.until.desc(), ReachBefore.unit_id)


def _applied(knows: dict[str, int], scope: str, version: int | None) -> bool:
    return version is not None and knows.get(scope, 0) >= version


def _gone(knows: dict[str, int], lists: dict[str, StandingAlert]) -> bool:
    """Of every list that it follows and that carried the alert it has one that does not."""
    followed = [row for scope, row in lists.items() if scope in knows]
    return bool(followed) and all(
        row.gone_version is not None and knows[row.scope] >= row.gone_version for row in followed
    )
