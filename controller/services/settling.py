"""The sweep: what ended without evidence is unknown, and stays so until the unit's journal is known to be complete."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from broadcasts.clock import from_unix_ms
from broadcasts.domain.delivery import State
from broadcasts.domain.verdict import GRACE, Verdict
from controller.db.tables import Delivery, JournalMark, UnitStatus
from controller.services.context import Context
from controller.services.deliveries import close

LOOK_AGAIN = timedelta(seconds=60)
UNKNOWN_FOR = timedelta(days=400)
"""How long an unknown is still looked at: longer than any unit keeps its journal."""


def step(ctx: Context, now: datetime) -> datetime:
    """Close what can be closed. Returns when to look again."""
    with ctx.db.read() as session:
        due = _due(session, now)
        names = [delivery.id for delivery in due]
    if names:
        with ctx.db.write() as session:
            complete = _complete_until(session)
            for delivery in session.scalars(select(Delivery).where(Delivery.id.in_(names))):
                _close(delivery, complete.get(delivery.unit_id or ""), now)
    return now + LOOK_AGAIN


def _due(session: Session, now: datetime) -> list[Delivery]:
    """Over, and not settled: without verdict, or unknown with a unit that has told all it knows since."""
    complete = _complete_until(session)
    open_or_unknown = or_(Delivery.verdict.is_(None), Delivery.verdict == Verdict.UNKNOWN)
    rows = session.scalars(
        select(Delivery).where(open_or_unknown, Delivery.end < now, Delivery.end > now - UNKNOWN_FOR)
    )
    return [row for row in rows if _finding(row, complete.get(row.unit_id or ""), now) != (row.verdict, row.reason)]


def _complete_until(session: Session) -> dict[str, tuple[datetime, int]]:
    """Unit to the instant up to which its journal is completely here, and the plan version it held then."""
    rows = session.execute(
        select(UnitStatus, JournalMark).join(
            JournalMark,
            (JournalMark.unit_id == UnitStatus.unit_id),
        )
    )
    found: dict[str, tuple[datetime, int]] = {}
    for status, mark in rows:
        told = status.reported
        if not told or status.reported_at is None or told.get("journal_id") != mark.journal_id:
            continue
        if mark.seq >= int(told.get("journal_seq", 0)):
            said = min(from_unix_ms(int(told["at"])), status.reported_at)
            found[status.unit_id] = (said, status.plan_version or 0)
    return found


def _finding(delivery: Delivery, complete: tuple[datetime, int] | None, now: datetime) -> tuple[str | None, str | None]:
    """Verdict and reason as of now for a delivery without evidence of an end."""
    over = max(delivery.end, delivery.not_after) if delivery.late != "drop" else delivery.end
    if complete is not None and complete[0] > over:
        return Verdict.NOT_PLAYED, _why(delivery)
    if now > delivery.end + GRACE:
        return Verdict.UNKNOWN, "cut_short" if delivery.state == State.PLAYING else None
    return delivery.verdict, delivery.reason


def _why(delivery: Delivery) -> str:
    match delivery.state:
        case State.WITHDRAWN:
            return "withdrawn"
        case State.PLANNED | State.PUBLISHED:
            return "plan_not_received"
        case State.PLAYING:
            return "cut_short"
        case _:
            return "no_trace"


def _close(delivery: Delivery, complete: tuple[datetime, int] | None, now: datetime) -> None:
    verdict, reason = _finding(delivery, complete, now)
    if verdict is not None:
        close(delivery, Verdict(verdict), reason, now)
