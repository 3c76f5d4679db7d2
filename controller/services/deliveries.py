"""Deliveries come into being, move, and are taken off the air. Every move is a row."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, bindparam, func, insert, or_, select, update
from sqlalchemy.orm import Session

from broadcasts.clock import VIETNAM, unix_ms
from broadcasts.domain.delivery import OPEN, Actor, State, check_move
from broadcasts.domain.model import Late, OnPreempt, Priority, Slot
from broadcasts.domain.programme import FRAME
from broadcasts.domain.recurrence import starts
from broadcasts.domain.regulation import Regulation
from broadcasts.domain.routing import Routing
from broadcasts.domain.verdict import Verdict
from broadcasts.ids import AssetId, BroadcastId, ClusterId, DeliveryId, delivery_id
from controller.db.tables import Broadcast, Cluster, Delivery, DeliveryMove, Station, UnitPlan, UnitStatus
from controller.services.context import HORIZON
from controller.services.limiting import over_the_limit
from controller.services.programmes import laid_out
from controller.services.ranking import rank_of, ranks_at
from controller.services.relaying import name_of
from controller.services.renditions import Said
from controller.services.routing import settle
from controller.services.schedules import schedule_of
from controller.services.stations import regulation, units_of
from controller.services.valid_approvals import end_of

LONGEST = timedelta(hours=12)
"""No asset is longer (wire.DurationMs)."""
OLDEST = 2 * LONGEST + timedelta(hours=1)
"""So long after its start no delivery sounds: it begins an hour after its slot at the latest (`_row`), then whole."""
MARGIN = timedelta(days=1)
"""Deliveries are made a day further than plans reach, so that every plan finds its whole horizon."""
SHORT_MARGIN = timedelta(minutes=30)
"""The same for a warning, which units hold a few hours ahead and no further (R-064)."""


APPROVAL_OVER = "approval_over"
"""Why nothing comes into being that would sound after a standing approval has ended."""
UNASKED = "unusual_hours"
"""Why a cluster that joined in later does not sound at an hour that surprises its people: it was confirmed for other
stations only (R-053)."""
SLOW_CLOCK = timedelta(minutes=5)
"""How long a plan still names what is over by our clock: a unit whose clock is behind sounds it yet and would stop at a
plan without it. With a clock further off it plays nothing scheduled (CONTRACT.md, section 4)."""


def move(session: Session, delivery: Delivery, after: State, who: Actor, now: datetime, why: str) -> None:
    """Raises Conflict("illegal_move"). Staying where one is is no move."""
    before = State(delivery.state)
    if before is after:
        return
    check_move(before, after, who)
    delivery.state = after
    session.add(DeliveryMove(delivery_id=delivery.id, before=before, after=after, at=now, why=why))


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


def last_sound(delivery: Delivery) -> datetime:
    """Nothing of it sounds at or after this instant, even where it may begin late or again, and then whole."""
    whole_later = delivery.late != Late.DROP or delivery.on_preempt in (OnPreempt.RESTART, OnPreempt.NEXT_SLOT)
    return max(delivery.end, delivery.not_after + (delivery.end - delivery.start)) if whole_later else delivery.end


def may_sound_after(now: datetime) -> ColumnElement[bool]:
    """Finds all whose `last_sound` lies after `now`, and some others: ask that of each one found."""
    # The first condition follows from the second: years of history are not looked at.
    return and_(Delivery.start > now - OLDEST, or_(Delivery.end > now, Delivery.not_after > now - LONGEST))


def slot_of(delivery: Delivery) -> Slot:
    return Slot(
        delivery=DeliveryId(delivery.id),
        broadcast=BroadcastId(delivery.broadcast_id),
        cluster=ClusterId(delivery.cluster_id),
        asset=AssetId(delivery.asset_sha256),
        start=delivery.start,
        duration=delivery.end - delivery.start,
        priority=Priority(delivery.priority),
        rank=delivery.rank,
        on_preempt=OnPreempt(delivery.on_preempt),
        late=Late(delivery.late),
        not_after=delivery.not_after,
        volume=delivery.volume,
    )


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
    unit_of = units_of(session, clusters)
    stations = stations_of(session, clusters)
    places = {(station.id, site): (station, site) for station, site in stations.values()}
    rules = {place: regulation(*there) for place, there in places.items()}
    asked = asked_at(session, broadcast, stations)
    ranked = ranks_at(session, {station.id for station, _ in stations.values()})
    same = (Delivery.broadcast_id == broadcast.id, Delivery.revision == broadcast.revision, Delivery.start >= since)
    known = set(session.scalars(select(Delivery.id).where(*same)))
    rows: list[dict[str, Any]] = []
    begins: dict[str, datetime] = {}
    why_not: dict[str, str] = {}
    # Plain rows: a thousand poles are one approval that somebody waits for.
    layouts, relayed = laid_out(session, broadcast, clusters), name_of(session, broadcast)
    sounding = (
        (begin, begin + after, said, here)
        for begin in starts(schedule_of(broadcast), since, horizon, VIETNAM)
        for layout, here in layouts
        for after, said in layout.pieces
    )
    for begin, start, said, here in sounding:
        duration = said.length
        at = unix_ms(start)
        ruled = {name: ruled_at(rule, start, duration, name[0] in asked) for name, rule in rules.items()}
        for cluster in here:
            name = delivery_id(BroadcastId(broadcast.id), broadcast.revision, at, ClusterId(cluster))
            if name in known:
                continue
            known.add(name)
            begins[name] = begin
            station, site = stations[cluster]
            unit, (why, ceiling) = unit_of.get(cluster), ruled[station.id, site]
            row = _row(broadcast, name, begin, start, said, cluster, unit)
            row["relayed"] = relayed if said.slot is not None else None
            row["rank"] += rank_of(ranked, station.id, broadcast.id)
            row["volume"] = min(station.volume if broadcast.volume is None else broadcast.volume, ceiling)
            if why or unit is None:
                why_not[name] = why or "no_unit"
            rows.append(row)
    if (end := end_of(session, broadcast)) is not None:
        why_not |= {row["id"]: APPROVAL_OVER for row in rows if _may_sound_until(row) > end}
    limits = {cluster: rules[station.id, site].limits for cluster, (station, site) in stations.items()}
    why_not |= over_the_limit(session, limits, [row for row in rows if row["id"] not in why_not])
    why_not |= settle(session, broadcast, rows, begins, set(why_not))
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


def asked_at(session: Session, broadcast: Broadcast, stations: dict[str, tuple[Station, str]]) -> set[str]:
    """The stations at whose clusters author and approver saw it sound, and confirmed the hours that are unusual."""
    everywhere = {station.id for station, _ in stations.values()}
    if stations.keys() <= set(broadcast.clusters):
        return everywhere
    rows = session.scalars(select(Cluster.station_id).where(Cluster.id.in_(broadcast.clusters)).distinct())
    return everywhere & set(rows)


def ruled_at(rule: Regulation, start: datetime, duration: timedelta, asked: bool) -> tuple[str, int]:
    """Why it may not sound then, or nothing; and how loud at most."""
    why = "" if asked or rule.is_usual(start, duration, VIETNAM) else UNASKED
    if not rule.allows(start, duration, VIETNAM):
        why = "quiet_hours"
    return why, rule.ceiling(start, duration, VIETNAM)


def manner(broadcast: Broadcast, start: datetime, length: timedelta) -> tuple[Late, OnPreempt, datetime]:
    """What it does when it is late or loses the horn, and until when it may begin. What waits in line does so on the
    unit, and sounds whole then."""
    if broadcast.routing == Routing.STACKED:
        return Late.SHIFT, OnPreempt.NEXT_SLOT, start + timedelta(minutes=broadcast.stack_minutes or 0)
    late = Late(broadcast.late)
    patience = timedelta(0) if late is Late.DROP else timedelta(hours=1)
    return late, OnPreempt(broadcast.on_preempt), start + length + patience


def _row(
    broadcast: Broadcast, name: str, begin: datetime, start: datetime, said: Said, cluster: str, unit: str | None
) -> dict[str, Any]:
    """Planned, and no volume yet."""
    late, on_preempt, not_after = manner(broadcast, start, said.length)
    return {
        "id": name,
        "broadcast_id": broadcast.id,
        "revision": broadcast.revision,
        "cluster_id": cluster,
        "unit_id": unit,
        "asset_sha256": said.asset.sha256,
        "language": said.language,
        "part": said.place,
        "frame": said.part is not None and said.part.kind in FRAME,
        "begin": begin,
        "start": start,
        "end": start + said.length,
        "not_after": not_after,
        "priority": broadcast.priority,
        "rank": broadcast.rank,
        "on_preempt": str(on_preempt),
        "late": str(late),
        "state": str(State.PLANNED),
        "verdict": None,
        "reason": None,
        "verdict_at": None,
    }


def _may_sound_until(row: dict[str, Any]) -> datetime:
    """`last_sound` of a delivery that is still a row to insert."""
    return last_sound(Delivery(**{name: row[name] for name in ("start", "end", "not_after", "late", "on_preempt")}))


def stations_of(session: Session, clusters: list[str]) -> dict[str, tuple[Station, str]]:
    """By cluster: its station, its kind of site."""
    rows = session.execute(select(Cluster.id, Cluster.station_id, Cluster.site).where(Cluster.id.in_(clusters))).all()
    theirs = select(Station).where(Station.id.in_({row.station_id for row in rows}))
    stations = {station.id: station for station in session.scalars(theirs)}
    return {row.id: (stations[row.station_id], row.site) for row in rows}


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
