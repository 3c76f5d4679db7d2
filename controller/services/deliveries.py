"""Deliveries come into being, move, and are taken off the air. Every move is a row."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, bindparam, func, insert, or_, select, update
from sqlalchemy.orm import Session

from broadcasts.domain.delivery import OPEN, Actor, State, check_move
from broadcasts.domain.verdict import Verdict
from controller.db.tables import Broadcast, Cluster, Delivery, DeliveryMove, UnitPlan, UnitStatus
from controller.services.context import HORIZON
from controller.services.laying import lay_out
from controller.services.slots import last_sound
from controller.services.stations import units_of

LONGEST = timedelta(hours=12)
"""No asset is longer (wire.DurationMs)."""
OLDEST = 2 * LONGEST + timedelta(hours=1)
"""So long after its start no delivery sounds: an hour after its slot it begins at the latest (`laying.manner`)."""
MARGIN = timedelta(days=1)
"""Deliveries are made a day further than plans reach, so that every plan finds its whole horizon."""
SHORT_MARGIN = timedelta(minutes=30)
"""The same for a warning, which units hold a few hours ahead and no further (R-064)."""


SLOW_CLOCK = timedelta(minutes=5)
"""How long a plan still names what is over by our clock: a unit whose clock is behind sounds it yet and would stop at a
plan without it. With a clock further off it plays nothing scheduled (CONTRACT.md, section 4)."""


def move(session: Session, delivery: Delivery, after: State, who: Actor, now: datetime, why: str) -> None:
    """Raises Conflict("illegal_move"). Staying where one is is no move."""
    session.add_all(DeliveryMove(**row) for row in moved(delivery, after, who, now, why))


def moved(delivery: Delivery, after: State, who: Actor, now: datetime, why: str) -> list[dict[str, Any]]:
    """`move`, for who writes the rows himself (`keep_moves`), those of many at once: its row, or none."""
    before = State(delivery.state)
    if before is after:
        return []
    check_move(before, after, who)
    delivery.state = after
    return [{"delivery_id": delivery.id, "before": str(before), "after": str(after), "at": now, "why": why}]


def keep_moves(session: Session, rows: list[dict[str, Any]]) -> None:
    if rows:
        session.connection().execute(_MOVE, rows)


def move_all(
    session: Session, found: Iterable[tuple[str, str]], after: State, who: Actor, now: datetime, why: str
) -> None:
    """`move` for many at once: (delivery, state it is in). Objects that were loaded before do not see it."""
    moving = [(name, State(before)) for name, before in found if before != after]
    for before in {before for _, before in moving}:
        check_move(before, after, who)
    if not moving:
        return
    core = session.connection()
    core.execute(_STATE, [{"name": name, "after": str(after)} for name, _ in moving])
    core.execute(
        _MOVE,
        [
            {"delivery_id": name, "before": str(before), "after": str(after), "at": now, "why": why}
            for name, before in moving
        ],
    )


# Of the tables, not of the objects: the way by the objects costs several times the statement.
_ROWS: Any = Delivery.__table__
_MOVES: Any = DeliveryMove.__table__
_STATE = update(_ROWS).where(_ROWS.c.id == bindparam("name")).values(state=bindparam("after"))
_MOVE = insert(_MOVES)


def may_sound_after(now: datetime) -> ColumnElement[bool]:
    """Finds all whose `last_sound` lies after `now`, and some others: ask that of each one found."""
    # The first condition follows from the second: years of history are not looked at.
    return and_(Delivery.start > now - OLDEST, or_(Delivery.end > now, Delivery.not_after > now - LONGEST))


def expand(session: Session, broadcast: Broadcast, now: datetime, first: datetime | None = None) -> int:
    """Make the deliveries of an approved broadcast up to the horizon; how many are new.

    Expanding twice is harmless: a delivery's name follows from what it is. What would have started before the approval
    never comes into being, nor what starts before `first`, the earliest that the approver was shown. An occurrence
    that the station's regulation no longer allows is made all the same and closed at once as not played, so that
    nobody has to guess.
    """
    horizon = now + _reach(broadcast)
    since = broadcast.expanded_until or first or now
    if since >= horizon:
        return 0
    made = _make(session, broadcast, [*broadcast.clusters, *broadcast.joined], since, horizon, now)
    broadcast.expanded_until = horizon
    return made


def join(session: Session, broadcast: Broadcast, clusters: list[str], since: datetime, now: datetime) -> int:
    """The deliveries from `since` on of clusters that came to an approved broadcast afterwards; how many."""
    until = broadcast.expanded_until
    return _make(session, broadcast, clusters, since, until, now) if until is not None and since < until else 0


def _make(
    session: Session, broadcast: Broadcast, clusters: list[str], since: datetime, horizon: datetime, now: datetime
) -> int:
    gone = set(session.scalars(select(Cluster.id).where(Cluster.removed_at.is_not(None))))
    clusters = [name for name in clusters if name not in gone]
    laid = lay_out(session, broadcast, clusters, since, horizon, now)
    rows, why_not = laid.rows, laid.why_not
    shut = {"state": str(State.WITHDRAWN), "verdict": str(Verdict.NOT_PLAYED), "verdict_at": now}
    for row in rows:
        if row["id"] in why_not:
            row |= shut | {"reason": why_not[row["id"]]}
    closed = [{"delivery_id": name, "why": why} for name, why in why_not.items()]
    if rows:
        session.connection().execute(insert(_ROWS), rows)
    if closed:
        check_move(State.PLANNED, State.WITHDRAWN, Actor.CONTROLLER)
        moved = {"before": str(State.PLANNED), "after": str(State.WITHDRAWN), "at": now}
        session.connection().execute(_MOVE, [{**each, **moved} for each in closed])
    mark_dirty(session, clusters, now)
    return len(rows)


def _reach(broadcast: Broadcast) -> timedelta:
    """How far ahead its deliveries are made. A unit that is cut off goes on by the plan it has: what may be cancelled
    any minute must not be in it for days."""
    if broadcast.ahead_minutes is None:
        return HORIZON + MARGIN
    return timedelta(minutes=broadcast.ahead_minutes) + SHORT_MARGIN


def close(delivery: Delivery, verdict: Verdict, reason: str | None, now: datetime) -> None:
    delivery.verdict, delivery.reason, delivery.verdict_at = verdict, reason, now


def withdraw_open(session: Session, broadcast_id: str, now: datetime, why: str, *which: ColumnElement[bool]) -> int:
    """Take everything of this broadcast off the air that has not ended, or only `which` of it; how many that were.
    Not counted is what is over by our clock alone: a unit whose clock is behind must not sound it yet.

    The verdict follows from evidence: a unit that the withdrawal did not reach in time may still sound it.
    """
    touched: list[str] = []
    stopped = 0
    newest = newest_plans(session, select(Delivery.unit_id).where(Delivery.broadcast_id == broadcast_id))
    for delivery in session.scalars(
        select(Delivery).where(
            Delivery.broadcast_id == broadcast_id,
            Delivery.state.in_([str(state) for state in OPEN]),
            may_sound_after(now - SLOW_CLOCK),
            *which,
        )
    ):
        if last_sound(delivery) <= now - SLOW_CLOCK:
            continue
        stopped += last_sound(delivery) > now
        take_back(session, delivery, newest, now, why)
        touched.append(delivery.cluster_id)
    mark_dirty(session, touched, now)
    return stopped


def take_back(session: Session, delivery: Delivery, newest: Mapping[str, int], now: datetime, why: str) -> None:
    """One of them; `newest` as of `newest_plans`. Whoever calls marks the cluster's plan."""
    if delivery.plan_version is not None and delivery.unit_id is not None:
        delivery.last_plan = newest.get(delivery.unit_id, delivery.plan_version)
    move(session, delivery, State.WITHDRAWN, Actor.CONTROLLER, now, why)
    if delivery.plan_version is None:
        close(delivery, Verdict.NOT_PLAYED, why, now)


def newest_plans(session: Session, theirs: Select[str | None] | Collection[str]) -> dict[str, int]:
    """By unit of these: the newest plan that it may have. The next one is made without what is taken off now: a
    compiler at work stores nothing that was changed meanwhile."""
    rows = session.execute(
        select(UnitPlan.unit_id, UnitPlan.version, UnitStatus.plan_version, UnitStatus.seen_plan_version)
        .outerjoin(UnitStatus, UnitStatus.unit_id == UnitPlan.unit_id)
        .where(UnitPlan.unit_id.in_(theirs))
    )
    return {row[0]: max(each or 0 for each in row[1:]) for row in rows}


def mark_dirty(session: Session, clusters: list[str], now: datetime) -> None:
    """The plans of the units that serve these clusters have to be looked at again.

    Always another instant than the marks that stand: a compiler that is at work only clears the mark it saw."""
    theirs = UnitPlan.unit_id.in_(list(units_of(session, set(clusters)).values()))
    newest = session.scalar(select(func.max(UnitPlan.dirty_since)).where(theirs))
    mark = now if newest is None else max(now, newest + timedelta(microseconds=1))
    session.execute(update(UnitPlan).where(theirs).values(dirty_since=mark))
