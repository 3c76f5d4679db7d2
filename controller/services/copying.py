"""A day or a week of a schedule, once more on other days: new broadcasts that need approval, never an approved set."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.clock import VIETNAM
from broadcasts.domain.model import Pattern
from broadcasts.domain.recurrence import starts
from broadcasts.errors import LoaError, Refused
from controller.db.tables import Broadcast, Station
from controller.services import audit
from controller.services.approving import draft_of
from controller.services.composing import Draft, hand_in, look_ahead
from controller.services.context import Context
from controller.services.rights import Actor, Right, all_mine
from controller.services.schedules import schedule_of, stored

LENGTHS = (1, 7)


@dataclass(frozen=True)
class Copy:
    """All starts of one broadcast on the days that are copied."""

    of: str
    title: str
    draft: Draft
    starts: Sequence[datetime]
    """The new ones, those that are over already left out."""
    problems: Sequence[LoaError]
    there: bool
    """The same copy was made before, and waits or is approved."""


def preview_copy(ctx: Context, actor: Actor, first: date, days: int, to: date) -> list[Copy]:
    """Raises Refused: "no_right", "copy.days", "copy.past"."""
    actor = actor.need(Right.COMPOSE)
    with ctx.db.read() as session:
        return _copies(session, actor, first, days, to, ctx.clock.now())


@audit.decided("schedule.copy")
def copy(
    ctx: Context, actor: Actor, first: date, days: int, to: date, only: Collection[str] | None = None
) -> list[str]:
    """Hand in a copy of each broadcast of these days, or of `only` those; all of them or none. The new ids.

    Copying twice copies nothing more. Raises as `preview_copy`, Refused("copy.nothing"), and the first problem."""
    actor = actor.need(Right.COMPOSE)
    now = ctx.clock.now()
    with ctx.db.write() as session:
        found = _copies(session, actor, first, days, to, now)
        chosen = [each for each in found if not each.there and (only is None or each.of in only)]
        if not chosen:
            raise Refused("copy.nothing")
        made = [hand_in(ctx, session, actor, each.draft, now, replaces=each.of) for each in chosen]
        told = {"from": first.isoformat(), "days": days, "to": to.isoformat(), "made": len(made)}
        audit.record(session, now, actor.name, "schedule.copy", actor.area, told)
    ctx.wake()
    return made


def _copies(session: Session, actor: Actor, first: date, days: int, to: date, now: datetime) -> list[Copy]:
    if days not in LENGTHS:
        raise Refused("copy.days")
    if to + timedelta(days=days) <= now.astimezone(VIETNAM).date() or to == first:
        raise Refused("copy.past")
    since = datetime.combine(first, time(0), tzinfo=VIETNAM)
    until = since + timedelta(days=days)
    rows = session.scalars(
        select(Broadcast)
        .join(Station, Broadcast.station_id == Station.id)
        .where(Broadcast.status == "approved", Station.area_id.in_(actor.areas))
        .order_by(Broadcast.first_day, Broadcast.at_time, Broadcast.id)
    )
    found = []
    for broadcast in rows:
        there = [each + (to - first) for each in starts(schedule_of(broadcast), since, until, VIETNAM)]
        ahead = [each for each in there if each > now]
        if ahead and all_mine(session, actor, broadcast.clusters):
            found.append(_one(session, actor, broadcast, ahead, now))
    return sorted(found, key=lambda each: each.starts[0])


def _one(session: Session, actor: Actor, broadcast: Broadcast, ahead: Sequence[datetime], now: datetime) -> Copy:
    """Viet Nam has no clock changes: so many days later is the same time on the wall."""
    local = ahead[0].astimezone(VIETNAM)
    draft = replace(
        draft_of(session, broadcast, frozen=False),
        repeat="once",
        first_day=local.date(),
        at=local.time(),
        until_day=None,
        pattern=Pattern(extra=tuple(ahead[1:])),
        push_now=False,
        unusual="",  # confirmed for another day: whoever copies it there says so again, in the form of that one
    )
    return Copy(
        of=broadcast.id,
        title=draft.title,
        draft=draft,
        starts=ahead,
        problems=look_ahead(session, actor, draft, now).problems,
        there=_is_there(session, broadcast, draft),
    )


def _is_there(session: Session, broadcast: Broadcast, draft: Draft) -> bool:
    same = session.scalars(
        select(Broadcast).where(
            Broadcast.replaces == broadcast.id,
            Broadcast.first_day == draft.first_day,
            Broadcast.at_time == draft.at,
            Broadcast.status.in_(("submitted", "approved")),
        )
    )
    return any(each.pattern == stored(draft.pattern) for each in same)
