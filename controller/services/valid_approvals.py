"""What may be in a plan at all: only what was approved, and of a standing approval only what is over before it ends."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.errors import Refused
from controller.db.tables import Approval, Broadcast, Bulletin

AT_ONCE = 500
"""Names in one query."""
RELAY = "relay"
"""The origin of a bulletin whose bytes nobody can hear beforehand (R-024)."""


def check_end(session: Session, broadcast: Broadcast, until: datetime | None, now: datetime, most: timedelta) -> None:
    """Raises Refused: "approval.end_missing" (a relay is only ever approved for a time), "approval.end"."""
    if until is None:
        if session.get_one(Bulletin, broadcast.bulletin_id).origin == RELAY:
            raise Refused("approval.end_missing", days=most.days)
        return
    if not now < until <= now + most:
        raise Refused("approval.end", days=most.days)


def ends(session: Session, broadcasts: Collection[str]) -> dict[tuple[str, int], datetime | None]:
    """Each approved revision of these broadcasts, and when its approval ends, if it does."""
    found: dict[tuple[str, int], datetime | None] = {}
    names = sorted(broadcasts)
    for start in range(0, len(names), AT_ONCE):
        rows = session.execute(
            select(Approval.broadcast_id, Approval.revision, Approval.valid_until).where(
                Approval.broadcast_id.in_(names[start : start + AT_ONCE]), Approval.approved
            )
        )
        found |= {(row[0], row[1]): row[2] for row in rows}
    return found


def end_of(session: Session, broadcast: Broadcast) -> datetime | None:
    """When the approval of the revision in force ends by itself; none where it does not, or there is none."""
    return ends(session, [broadcast.id]).get((broadcast.id, broadcast.revision))
