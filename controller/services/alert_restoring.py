"""After a backup was put back: what stood then may have been silenced since, and nobody here knows. So no alert and no
drill goes on by itself; whoever is on duty sounds anew what still holds."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from controller.db.tables import Drill, DrillList, Emergency, ScopeDocument, StandingAlert
from controller.services import alerting, audit
from controller.services.alerting import ISSUED, LAPSED, WAITING
from controller.services.drilling import ASKED, ENDED

BY = "restore"


def take_all_off(session: Session, now: datetime) -> int:
    """How many emergencies stood. Their lists are signed without them when the controller starts, above the versions
    that are out there, and everything that is out there is said again."""
    rows = session.scalars(
        select(StandingAlert).where(StandingAlert.silenced_at.is_(None), StandingAlert.hard_end > now)
    )
    found = list(rows)
    # Also those in no list: the only box they are for was away, and the next one that hangs there would sound them.
    stood = select(Emergency.id).where(Emergency.state == ISSUED, Emergency.hard_end > now)
    names = sorted({*(row.id for row in found), *session.scalars(stood)})
    alerting.take_off(session, found, BY, now, names)
    for act in session.scalars(select(Emergency).where(Emergency.state == WAITING)):
        act.state, act.ended_at, act.ended_by = LAPSED, now, BY
        audit.record(session, now, "loa", "alert.lapse", act.id, {"why": BY, "kind": act.kind}, "")
    for name in names:
        audit.record(session, now, "loa", "alert.silence", name, {"why": BY}, "")
    for drill in session.scalars(select(Drill).where(Drill.state.in_([ASKED, ISSUED]), Drill.hard_end > now)):
        drill.state, drill.ended_at, drill.ended_by = ENDED, now, BY
    for scope in session.scalars(select(ScopeDocument)):
        scope.published_at = None
    for lists in session.scalars(select(DrillList)):
        # Signed with what has ended: the next start signs it anew, above what it finds at the broker.
        lists.seen_version = max(lists.seen_version, lists.version + 1)
        lists.published_at = None
    return len(names)
