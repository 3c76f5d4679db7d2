"""What waits, and what the next hour holds: planner, officers, audio and database in numbers."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from broadcasts.domain.delivery import State
from controller.db.tables import Broadcast, Delivery, Unit, UnitFault, UnitPlan
from controller.db.uploads import Upload
from controller.services.compiling import REFUSED
from controller.services.uploads import UNFINISHED

SOON = timedelta(hours=1)
LONGEST = timedelta(days=1)
_UNREADY = (State.PLANNED, State.PUBLISHED)
_OVER = (State.WITHDRAWN, State.PREEMPTED, State.MISSED)


@dataclass(frozen=True)
class Backlog:
    plans_dirty: int
    """Plans that the planner still has to make; not those that it refused, nor those of revoked units."""
    plans_dirty_s: float
    broadcasts_waiting: int
    soon: dict[str, int]
    """Deliveries that start within `SOON`, by whether the unit holds plan and file: yes, no."""
    uploads: dict[str, int]


def backlog(session: Session, now: datetime) -> Backlog:
    # Nobody makes a plan for a revoked unit, and one that cannot be made keeps its mark and has a fault of its own:
    # neither of them says that the planner stands still.
    refused = select(UnitFault.unit_id).where(UnitFault.code == REFUSED, UnitFault.cleared_at.is_(None))
    count, oldest = session.execute(
        select(func.count(), func.min(UnitPlan.dirty_since))
        .join(Unit, Unit.id == UnitPlan.unit_id)
        .where(UnitPlan.dirty_since.is_not(None), Unit.revoked_at.is_(None), UnitPlan.unit_id.not_in(refused))
    ).one()
    waiting = session.scalar(select(func.count()).select_from(Broadcast).where(Broadcast.status == "submitted")) or 0
    return Backlog(
        plans_dirty=count,
        plans_dirty_s=max(0.0, (now - oldest).total_seconds()) if oldest is not None else 0.0,
        broadcasts_waiting=waiting,
        soon=_soon(session, now),
        uploads=_uploads(session),
    )


def _soon(session: Session, now: datetime) -> dict[str, int]:
    rows = session.execute(
        select(Delivery.state, func.count())
        .where(
            Delivery.verdict.is_(None),
            Delivery.end > now,
            Delivery.end <= now + SOON + LONGEST,
            Delivery.start > now,
            Delivery.start <= now + SOON,
            Delivery.state.not_in([str(state) for state in _OVER]),
        )
        .group_by(Delivery.state)
    )
    found: Counter[str] = Counter()
    for state, count in rows:
        found["no" if state in _UNREADY else "yes"] += count
    return dict(found)


def _uploads(session: Session) -> dict[str, int]:
    unfinished = Upload.state.in_([str(state) for state in UNFINISHED])
    rows = session.execute(select(Upload.state, func.count()).where(unfinished).group_by(Upload.state))
    return {row[0]: row[1] for row in rows}


def database_bytes(session: Session) -> int:
    """Of the whole database on its disk."""
    if session.get_bind().dialect.name == "sqlite":
        pages = session.scalar(text("SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"))
        return int(pages or 0)
    return int(session.scalar(text("SELECT pg_database_size(current_database())")) or 0)
