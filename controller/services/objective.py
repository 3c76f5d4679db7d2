"""The objective "99.5 % of deliveries sounded", in numbers: which deliveries count, and which of them sounded.

A delivery counts once it has a verdict. *Heard* and *played* sounded; *failed to sound* and *not played* did not.
What was withdrawn, or gave way to something more important, is no promise any more and does not count. *Unknown* is no
failure yet, because a unit without a link tells later; after half a day of silence it counts as one, so that a fleet
that says nothing does not look perfect. A delivery lies in a window when some of its time does: an hour's programme,
whose verdict comes when it is over, would never be seen in a window of half an hour that counts beginnings.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, case, func, or_, select
from sqlalchemy.orm import Session

from broadcasts.domain.delivery import State
from broadcasts.domain.verdict import Verdict
from controller.db.tables import Delivery

WINDOWS: Mapping[str, timedelta] = {
    "30m": timedelta(minutes=30),
    "1h": timedelta(hours=1),
    "6h": timedelta(hours=6),
    "1d": timedelta(days=1),
    "3d": timedelta(days=3),
}
PATIENCE = timedelta(hours=12)
"""How long after its end an unknown one counts neither as sounded nor as silent. Less than the shorter window of the
slow alert (a day): in a window that is no longer than this an unknown one never counts."""
LONGEST = timedelta(days=1)
"""No delivery lasts longer: what started in a window ends at most so long after it."""


def due(now: datetime, window: timedelta) -> ColumnElement[bool]:
    """Deliveries that were due to start in the window that ends now, found by the index over verdict and end."""
    settled = or_(Delivery.verdict.in_([str(each) for each in Verdict]), Delivery.verdict.is_(None))
    recent = and_(Delivery.end > now - window, Delivery.end <= now + LONGEST)
    return and_(settled, recent, Delivery.start > now - window, Delivery.start <= now)


def told(now: datetime, window: timedelta) -> ColumnElement[bool]:
    """Deliveries with a verdict that were to sound at some time in the window that ends now; by the same index."""
    recent = and_(Delivery.end > now - window, Delivery.end <= now + LONGEST)
    return and_(Delivery.verdict.in_([str(each) for each in Verdict]), recent, Delivery.start <= now)


def unsounded(now: datetime) -> ColumnElement[bool]:
    """Of those that count: did not sound."""
    silent = Delivery.verdict.in_([str(Verdict.FAILED_TO_SOUND), str(Verdict.NOT_PLAYED)])
    return or_(silent, and_(Delivery.verdict == str(Verdict.UNKNOWN), Delivery.end <= now - PATIENCE))


def counted() -> ColumnElement[bool]:
    return Delivery.state.not_in([str(State.WITHDRAWN), str(State.PREEMPTED)])


def sounded(session: Session, now: datetime) -> dict[str, dict[str, int]]:
    """By window: how many sounded ("yes"), and how many did not ("no")."""
    well = Delivery.verdict.in_([str(Verdict.HEARD), str(Verdict.PLAYED)])
    sums = [
        func.coalesce(func.sum(case((and_(which, Delivery.end > now - window), 1), else_=0)), 0)
        for window in WINDOWS.values()
        for which in (well, unsounded(now))
    ]
    row = session.execute(select(*sums).where(told(now, max(WINDOWS.values())), counted())).one()
    return {name: {"yes": int(row[2 * n]), "no": int(row[2 * n + 1])} for n, name in enumerate(WINDOWS)}
