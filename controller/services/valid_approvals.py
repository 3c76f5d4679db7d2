"""What may be in a plan at all: only what was approved, and of a standing approval only what is over before it ends."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.clock import VIETNAM
from broadcasts.domain.model import Repeat, Schedule
from broadcasts.domain.recurrence import starts
from broadcasts.errors import Refused
from controller.db.tables import Approval, Broadcast, Bulletin, Station
from controller.services.rights import Actor
from controller.services.schedules import schedule_of

WARNED = timedelta(days=7)
"""How long before its end an approval is told of, and how long afterwards."""
LOOK_ON = timedelta(days=62)
"""A series that pauses for longer has no urgent next start."""
AT_ONCE = 500
"""Names in one query."""


def check_end(broadcast: Broadcast, until: datetime | None, now: datetime, most: timedelta) -> None:
    """Raises Refused: "approval.end_missing" (what relays, be it in one part, is only ever approved for a time),
    "approval.end"."""
    if until is None:
        if _relays(broadcast):
            raise Refused("approval.end_missing", days=most.days)
        return
    if not now < until <= now + most:
        raise Refused("approval.end", days=most.days)


def _relays(broadcast: Broadcast) -> bool:
    """Whether any of it is what nobody can hear beforehand (R-024), whatever its origin is called."""
    return broadcast.relay_source_id is not None


@dataclass(frozen=True)
class ProposedEnd:
    """`at`: the midnight that is proposed. `must`: it relays, which nobody approves for ever."""

    at: datetime
    must: bool


def proposed_end(broadcast: Broadcast, now: datetime, most: timedelta) -> ProposedEnd | None:
    """For what relays and for a series without an end: the last midnight that an approval may hold to. Otherwise none:
    what ends by itself needs no other end."""
    relay = _relays(broadcast)
    if not relay and not is_endless(schedule_of(broadcast)):
        return None
    last = (now + most).astimezone(VIETNAM)
    return ProposedEnd(last.replace(hour=0, minute=0, second=0, microsecond=0), relay)


def is_endless(schedule: Schedule) -> bool:
    pattern = schedule.pattern
    bounded = (schedule.until, pattern.count, pattern.before)
    return schedule.repeat is not Repeat.ONCE and all(each is None for each in bounded)


@dataclass(frozen=True)
class Ending:
    """An approval that ends, or ended, while its broadcast would go on: `next` is the next start without one."""

    broadcast: str
    title: str
    until: datetime
    next: datetime
    over: bool


def ending(session: Session, actor: Actor, now: datetime) -> list[Ending]:
    """In the actor's area: what ends within a week, and what ended within the last one; the soonest first."""
    rows = session.execute(
        select(Broadcast, Bulletin.title, Approval.valid_until)
        .join(Approval, (Approval.broadcast_id == Broadcast.id) & (Approval.revision == Broadcast.revision))
        .join(Bulletin, Broadcast.bulletin_id == Bulletin.id)
        .join(Station, Broadcast.station_id == Station.id)
        .where(Broadcast.status == "approved", Approval.approved, Station.area_id.in_(actor.areas))
        .where(Approval.valid_until > now - WARNED, Approval.valid_until <= now + WARNED)
        .order_by(Approval.valid_until, Broadcast.id)
    )
    found = []
    for broadcast, title, until in rows:
        assert until is not None  # the comparisons see to it
        since = max(until, now)
        following = next(starts(schedule_of(broadcast), since, since + LOOK_ON, VIETNAM), None)
        if following is not None:
            found.append(Ending(broadcast.id, title, until, following, until <= now))
    return found


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


def relays(session: Session, broadcasts: Collection[str]) -> dict[tuple[str, int], dict[str, Any]]:
    """Of each approved revision that is a relay: source, address and silence as they were approved
    (`relaying.facts`). A plan says nothing else, whatever the registry says meanwhile."""
    found: dict[tuple[str, int], dict[str, Any]] = {}
    names = sorted(broadcasts)
    for start in range(0, len(names), AT_ONCE):
        rows = session.execute(
            select(Approval.broadcast_id, Approval.revision, Approval.facts).where(
                Approval.broadcast_id.in_(names[start : start + AT_ONCE]), Approval.approved
            )
        )
        found |= {(row[0], row[1]): row[2]["relay"] for row in rows if row[2].get("relay")}
    return found


def end_of(session: Session, broadcast: Broadcast) -> datetime | None:
    """When the approval of the revision in force ends by itself; none where it does not, or there is none."""
    return ends(session, [broadcast.id]).get((broadcast.id, broadcast.revision))
