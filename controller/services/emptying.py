"""The plan of a unit that serves no cluster any more: nothing to sound, no hours, no list but its own."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from sqlalchemy import exists, or_, select
from sqlalchemy.orm import Session

from broadcasts.clock import unix_ms
from broadcasts.domain.versions import next_version
from broadcasts.wire.jws import SigningKey, Typ, digest
from broadcasts.wire.plan import MAX_AHEAD_MS
from broadcasts.wire.trust import Use
from controller.db.tables import Assignment, Cluster, Station, Unit, UnitPlan, UnitStatus
from controller.services import plan_document
from controller.services.context import HORIZON, Context

ROLL = timedelta(days=1)
MOST = 250
"""In one transaction: a day on which more units lose their places has not been seen."""
_SERVES = exists().where(Assignment.unit_id == UnitPlan.unit_id, Assignment.until.is_(None))


def step(ctx: Context, now: datetime) -> None:
    """Part of the compiler's step: whoever lost his place gets an empty plan, and a new one a day as everybody does, so
    that one that was away for weeks still finds a valid one."""
    with ctx.db.read() as session:
        units = _wanting(session, now)
    if not units:
        return
    signer = ctx.keys.signer(Use.PLAN)
    with ctx.db.write() as session:
        for unit in _wanting(session, now):
            _empty(session, unit, signer, now)
    ctx.publish_soon()


def _wanting(session: Session, now: datetime) -> list[str]:
    query = (
        select(UnitPlan.unit_id)
        .join(Unit, Unit.id == UnitPlan.unit_id)
        .where(
            Unit.revoked_at.is_(None),
            or_(UnitPlan.dirty_since.is_not(None), UnitPlan.due_again <= now),
            ~_SERVES,
        )
        .order_by(UnitPlan.unit_id)
        .limit(MOST)
    )
    return list(session.scalars(query))


def _empty(session: Session, unit: str, signer: SigningKey, now: datetime) -> None:
    """Raises nothing for a unit that never had a place: it has no plan that could be emptied."""
    row, last = session.get_one(UnitPlan, unit), _last(session, unit)
    status = session.get(UnitStatus, unit)
    latest = unix_ms(now) + MAX_AHEAD_MS
    known = (status.plan_version, status.seen_plan_version) if status is not None else (0, 0)
    seen = max(each if each and each <= latest else 0 for each in known)
    row.dirty_since = None
    if last is None:
        row.due_again = now + ROLL
        return
    assignment, station = last
    policy = plan_document.policy(station, [], now).model_copy(
        update={"hours": [], "weekend_hours": None, "ceilings": [], "emergency_volume": 0, "scopes": [unit]}
    )
    plan = plan_document.build(unit, (assignment.cluster_id, assignment.since), policy, [], {})
    said = plan_document.body(plan)
    body = hashlib.sha256(said).hexdigest()
    row.due_again = now + ROLL
    if body == row.body_sha256 and row.horizon_end > now + HORIZON - ROLL:
        return
    version = next_version(row.version, seen, unix_ms(now))
    row.document = signer.sign(Typ.PLAN, plan_document.dated(said, version, now, now + HORIZON))
    row.document_sha256, row.body_sha256, row.version = digest(row.document), body, version
    row.compiled_at, row.horizon_end, row.published_at = now, now + HORIZON, None


def _last(session: Session, unit: str) -> tuple[Assignment, Station] | None:
    found = session.execute(
        select(Assignment, Station)
        .join(Cluster, Assignment.cluster_id == Cluster.id)
        .join(Station, Cluster.station_id == Station.id)
        .where(Assignment.unit_id == unit)
        .order_by(Assignment.id.desc())
        .limit(1)
    ).first()
    return None if found is None else (found[0], found[1])
