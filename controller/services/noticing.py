"""Another process on our database decided something: `loa alert`, when the pages do not open.

Whoever decides wakes the publisher of his own process only. So once a second the running one looks for lists that were
signed, or are to be, and not said yet: one look into a small table.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import or_, select

from controller.db.tables import DrillList, ScopeDocument
from controller.services.context import Context

EVERY = timedelta(seconds=1)


_UNSAID = (DrillList.version > 0) & DrillList.published_at.is_(None)
_DRILLS = select(DrillList.scope, DrillList.version).where(or_(_UNSAID, DrillList.stale))


class Notice:
    """Wakes once for what it has not seen waiting before: a link that is down is no reason to try every second."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._seen: set[tuple[str, int, int]] = set()

    def step(self, now: datetime) -> datetime:
        unsaid = (ScopeDocument.version > 0) & ScopeDocument.published_at.is_(None)
        query = select(ScopeDocument.scope, ScopeDocument.version, ScopeDocument.dirty)
        with self._ctx.db.read() as session:
            rows = session.execute(query.where(or_(ScopeDocument.dirty > 0, unsaid)))
            waits = {(row[0], row[1], row[2]) for row in rows}
            waits |= {(f"drill {row[0]}", row[1], 0) for row in session.execute(_DRILLS)}
        if waits - self._seen:
            self._ctx.publish_soon()
        self._seen = waits
        return now + EVERY
