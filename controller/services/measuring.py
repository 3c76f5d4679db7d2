"""The state of the fleet in numbers, counted when Prometheus asks."""

from __future__ import annotations

import shutil
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from broadcasts.domain.delivery import State
from broadcasts.domain.presence import presence
from controller.db.tables import Delivery, StandingAlert, Unit, UnitFault, UnitPlan, UnitStatus
from controller.services import audit, collecting, objective
from controller.services.context import Context
from controller.services.plan_document import TELEMETRY_IDLE_S
from controller.services.views import commands
from monitoring.snapshot import FleetSnapshot

SIGN_OF_LIFE = timedelta(seconds=2 * TELEMETRY_IDLE_S)
"""A connected unit that says nothing for two telemetry periods is silent."""


def snapshot(
    ctx: Context,
    folder: Path,
    *,
    queue: int,
    dropped: int,
    thread_alive: bool,
    connected: bool,
    chain_ok: bool | None,
) -> FleetSnapshot:
    """`folder` lies on the disk whose free part is told; `dropped` messages found the `queue` full."""
    now, files = ctx.clock.now(), collecting.last_found(ctx)
    with ctx.db.read() as session:
        behind, lag = _behind(session, now)
        disk = shutil.disk_usage(folder)
        return FleetSnapshot(
            units=_presences(session, now),
            states=_recent(session, now, Delivery.state),
            verdicts=_recent(session, now, func.coalesce(Delivery.verdict, "open"), Delivery.state != State.WITHDRAWN),
            sounded=objective.sounded(session, now),
            commands=commands.counts(session, now, timedelta(days=1)),
            faults=_faults(session),
            plans_behind=behind,
            plan_lag_s=lag,
            alerts_active=session.scalar(
                select(func.count(StandingAlert.id.distinct())).where(
                    StandingAlert.silenced_at.is_(None), StandingAlert.hard_end > now
                )
            )
            or 0,
            ingest_queue=queue,
            ingest_dropped=dropped,
            broker_thread_alive=thread_alive,
            broker_connected=connected,
            audit_chain_ok=chain_ok,
            storage_free_ratio=disk.free / disk.total,
            **_files(files),
        )


def _presences(session: Session, now: datetime) -> Counter[str]:
    lately = UnitStatus.last_sign >= now - SIGN_OF_LIFE
    rows = session.execute(
        select(UnitStatus.connected, func.max(UnitStatus.last_sign), func.count())
        .select_from(Unit)
        .outerjoin(UnitStatus, UnitStatus.unit_id == Unit.id)
        .where(Unit.revoked_at.is_(None))
        .group_by(UnitStatus.connected, UnitStatus.last_sign.is_(None), lately)
    )
    found: Counter[str] = Counter()
    for connected, sign, count in rows:
        found[str(presence(connected, sign, now, SIGN_OF_LIFE))] += count
    return found


def _files(found: collecting.Found | None) -> dict[str, Any]:
    if found is None:
        return {}
    bad = len(found.missing) + len(found.damaged)
    return {
        "files": found.objects,
        "file_bytes": found.bytes,
        "files_missing": bad,
        "files_looked_at": found.at / 1000,
    }


def _faults(session: Session) -> dict[str, int]:
    rows = session.execute(
        select(UnitFault.code, func.count()).where(UnitFault.cleared_at.is_(None)).group_by(UnitFault.code)
    )
    return {row[0]: row[1] for row in rows}


def _recent(session: Session, now: datetime, by: Any, *only: ColumnElement[bool]) -> dict[str, int]:
    rows = session.execute(select(by, func.count()).where(objective.due(now, timedelta(days=1)), *only).group_by(by))
    return {row[0]: row[1] for row in rows}


def _behind(session: Session, now: datetime) -> tuple[int, float]:
    lacking = or_(UnitStatus.plan_version.is_(None), UnitStatus.plan_version < UnitPlan.version)
    count, oldest = session.execute(
        select(func.count(), func.min(UnitPlan.compiled_at))
        .join(UnitStatus, UnitStatus.unit_id == UnitPlan.unit_id)
        .where(UnitStatus.connected.is_(True), lacking)
    ).one()
    return count, 0.0 if oldest is None else (now - oldest).total_seconds()


def chain_ok(ctx: Context) -> bool:
    """Whether the audit log still follows from its first line; slow, so asked now and then."""
    with ctx.db.read() as session:
        return audit.first_broken(session) is None
