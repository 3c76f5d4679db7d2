"""Edits of a series: this one, this and following, all. What has sounded stays as it was, under its own broadcast.

The part of a series that is edited becomes a broadcast of its own and needs approval, as any edit does (R-029); what
is left of the old one goes on under the approval it has, because taking something off never needed one.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import ColumnElement
from sqlalchemy.orm import Session

from broadcasts.clock import VIETNAM
from broadcasts.domain.model import PLAIN, Pattern, Repeat, Schedule
from broadcasts.domain.recurrence import starts
from broadcasts.domain.schedule_check import FAR, first_start
from broadcasts.errors import Refused
from controller.db.tables import Broadcast, Delivery
from controller.services import audit, facts
from controller.services.approving import draft_of
from controller.services.composing import Draft, editable, hand_in
from controller.services.context import LOCK_WINDOW, Context
from controller.services.deliveries import withdraw_open
from controller.services.replaced import TICK, Span, begun_at
from controller.services.rights import Actor, Right
from controller.services.schedules import last_day, schedule_of, stored, take_off, without


class Extent(StrEnum):
    ONE = "this"
    FOLLOWING = "following"
    ALL = "all"


def span_of(extent: Extent, start: datetime | None) -> Span | None:
    """Which starts such an edit takes the place of; none: all."""
    if start is None or extent is Extent.ALL:
        return None
    return start, start + timedelta(seconds=1) if extent is Extent.ONE else start + FAR


def is_series(broadcast: Broadcast) -> bool:
    return broadcast.repeat != Repeat.ONCE or bool(broadcast.pattern)


def draft_for(
    session: Session, actor: Actor, broadcast_id: str, extent: Extent, start: datetime | None, now: datetime
) -> Draft:
    """The form as it opens for such an edit. Raises as `change`."""
    broadcast = editable(session, actor, broadcast_id, None)
    draft = draft_of(session, broadcast, frozen=False)
    schedule = schedule_of(broadcast)
    if extent is Extent.ALL:
        return draft
    chosen = _chosen(schedule, start, now)
    local = chosen.astimezone(VIETNAM)
    if extent is Extent.ONE:
        at = local.time()
        return replace(draft, repeat="once", first_day=local.date(), at=at, until_day=None, pattern=PLAIN)
    if schedule.repeat is Repeat.ONCE:
        later = [each for each in starts(schedule, chosen, chosen + timedelta(days=4000), VIETNAM) if each > chosen]
        at = local.time()
        return replace(draft, first_day=local.date(), at=at, until_day=None, pattern=Pattern(extra=tuple(later)))
    return replace(draft, first_day=local.date(), pattern=_rest(schedule, chosen))


@audit.decided("broadcast.change")
def change(
    ctx: Context,
    actor: Actor,
    broadcast_id: str,
    draft: Draft,
    extent: Extent,
    start: datetime | None = None,
    revision: int | None = None,
) -> str:
    """Hand in `draft` for that part of the series; the id of the broadcast that waits for approval now.

    `start` names the occurrence for ONE and FOLLOWING; an edit of ONE becomes a single start whatever the draft says.
    Raises as `submit`, and Refused: "schedule.no_such_start", "schedule.begun" (it sounds or has sounded).
    """
    actor = actor.need(Right.COMPOSE)
    now = ctx.clock.now()
    with ctx.db.write() as session:
        broadcast = editable(session, actor, broadcast_id, revision)
        extent = widened(broadcast, extent, start, now)
        if in_place(session, broadcast, extent, now):
            found = hand_in(ctx, session, actor, draft, now, editing=broadcast.id)
        else:
            found = _part(ctx, session, actor, broadcast, draft, extent, start, now)
    ctx.wake()
    return found


def widened(broadcast: Broadcast, extent: Extent, start: datetime | None, now: datetime) -> Extent:
    """From the first start on is all of it. Raises as `change`."""
    if extent is Extent.ALL:
        return extent
    schedule = schedule_of(broadcast)
    is_first = first_start(schedule, VIETNAM) == _chosen(schedule, start, now)
    return Extent.ALL if is_first and (extent is Extent.FOLLOWING or not is_series(broadcast)) else extent


def in_place(session: Session, broadcast: Broadcast, extent: Extent, now: datetime) -> bool:
    """Whether such an edit is a new revision of the same broadcast: nothing of it has sounded."""
    return extent is Extent.ALL and begun_at(session, broadcast.id, now) is None


@audit.decided("broadcast.leave_out")
def leave_out(ctx: Context, actor: Actor, broadcast_id: str, extent: Extent, start: datetime, push_now: bool) -> int:
    """Take one start, or all from it on, off the air without a replacement; how many deliveries that stopped. Approver
    or author, as for a withdrawal. Raises as `change`; ALL is `approving.withdraw`."""
    actor = actor.need(Right.APPROVE, Right.COMPOSE)
    now = ctx.clock.now()
    with ctx.db.write() as session:
        broadcast = editable(session, actor, broadcast_id, None)
        chosen = _chosen(schedule_of(broadcast), start, now)
        _needs_push(chosen, now, push_now)
        stopped = _cut(session, broadcast, extent, chosen, now, "withdrawn")
        told = {"extent": extent, "start": chosen.isoformat(), "stopped": stopped}
        audit.record(session, now, actor.name, "broadcast.leave_out", broadcast.id, told)
    ctx.wake()
    return stopped


def _part(
    ctx: Context,
    session: Session,
    actor: Actor,
    broadcast: Broadcast,
    draft: Draft,
    extent: Extent,
    start: datetime | None,
    now: datetime,
) -> str:
    """The old one loses the part, a new one takes it over."""
    # What begins this very instant has begun.
    chosen = now + TICK if extent is Extent.ALL else _chosen(schedule_of(broadcast), start, now)
    if extent is Extent.ONE:
        draft = replace(draft, repeat="once", until_day=None, pattern=PLAIN)
    elif extent is Extent.FOLLOWING and draft.first_day is not None:
        draft = replace(draft, first_day=max(draft.first_day, chosen.astimezone(VIETNAM).date()))
    ahead = next(starts(schedule_of(broadcast), chosen, chosen + LOCK_WINDOW, VIETNAM), None)
    if ahead is not None:
        _needs_push(ahead, now, draft.push_now)
    _cut(session, broadcast, extent, chosen, now, "edited")
    session.flush()
    found = hand_in(ctx, session, actor, draft, now, replaces=broadcast.id)
    told = {"extent": extent, "start": chosen.isoformat(), "by": found}
    audit.record(session, now, actor.name, "broadcast.reschedule", broadcast.id, told)
    return found


def _cut(session: Session, broadcast: Broadcast, extent: Extent, chosen: datetime, now: datetime, why: str) -> int:
    one, schedule = extent is Extent.ONE, schedule_of(broadcast)
    gone = Pattern(skip=(chosen,)) if one else Pattern(before=chosen)
    if broadcast.status == "approved":
        take_off(broadcast, skip=gone.skip[0] if one else None, before=gone.before)
    else:
        # Nobody has said yes to it yet: whoever looks at it decides on what is left.
        left = without(schedule_of(broadcast), gone)
        broadcast.pattern, broadcast.last_day = stored(left.pattern), last_day(left)
        broadcast.revision += 1
        facts.keep(session, broadcast, None, now)
    broadcast.changed_at = now
    which = _deliveries(one, chosen, schedule)
    return withdraw_open(session, broadcast.id, now, why, which)


def _deliveries(one: bool, chosen: datetime, schedule: Schedule) -> ColumnElement[bool]:
    """Of one start, with all parts of a programme; or of each start from there on: what has begun sounds to its end."""
    if one:
        return Delivery.begin == chosen
    first = next(starts(schedule, chosen, chosen + FAR, VIETNAM), None)
    return Delivery.begin >= (first or chosen + FAR)


def _chosen(schedule: Schedule, start: datetime | None, now: datetime) -> datetime:
    if start is None or next(starts(schedule, start, start + timedelta(seconds=1), VIETNAM), None) != start:
        raise Refused("schedule.no_such_start")
    if start <= now:
        raise Refused("schedule.begun", at=start)
    return start


def _needs_push(start: datetime, now: datetime, push_now: bool) -> None:
    if start - now < LOCK_WINDOW and not push_now:
        raise Refused("time.locked", minutes=int(LOCK_WINDOW.total_seconds() // 60))


def _rest(schedule: Schedule, chosen: datetime) -> Pattern:
    """The pattern of what is left from `chosen` on, for a series that begins on that day."""
    pattern = schedule.pattern
    day = datetime.combine(chosen.astimezone(VIETNAM).date(), datetime.min.time(), tzinfo=VIETNAM)
    begin = datetime.combine(schedule.first, schedule.at, tzinfo=VIETNAM) - timedelta(days=2)
    weekdays, month_days = pattern.weekdays, pattern.month_days
    if schedule.repeat is Repeat.WEEKLY and not weekdays:
        weekdays = (schedule.first.weekday(),)
    if schedule.repeat is Repeat.MONTHLY and not month_days and pattern.nth_weekday is None:
        month_days = (schedule.first.day,)
    count = pattern.count
    if count is not None:
        by_rule = replace(pattern, skip=(), skip_days=(), not_on=(), extra=(), before=None)
        count -= sum(1 for _ in starts(replace(schedule, pattern=by_rule), begin, day, VIETNAM))
    earlier = tuple(starts(schedule, day, chosen, VIETNAM))
    return replace(
        pattern,
        weekdays=weekdays,
        month_days=month_days,
        count=None if count is None else max(1, count),
        skip=tuple(sorted({*(each for each in pattern.skip if each >= day), *earlier})),
        skip_days=tuple(each for each in pattern.skip_days if each >= chosen.astimezone(VIETNAM).date()),
        extra=tuple(each for each in pattern.extra if each >= chosen),
    )
