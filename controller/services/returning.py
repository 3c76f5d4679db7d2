"""What a rule took off the air comes back when the rule no longer says so, as long as there is time.

Only what lies ahead beyond the lock window moves at all: nearer than that a pole keeps the plan it has. Approval and
schedule are asked again; what a person took off never comes back by itself.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from broadcasts.clock import VIETNAM
from broadcasts.domain.delivery import Actor, State
from broadcasts.domain.recurrence import starts
from broadcasts.domain.routing import Routing, Unreached, Want, route
from broadcasts.ids import DeliveryId
from controller.db.base import said
from controller.db.tables import Broadcast, Delivery
from controller.services.around import ALONE, Around
from controller.services.context import LOCK_WINDOW
from controller.services.deliveries import mark_dirty, move, newest_plans, take_back
from controller.services.laying import UNASKED, asked_at, ruled_at, stations_of
from controller.services.limiting import over_the_limit
from controller.services.ranking import rank_of, ranks_at
from controller.services.replaced import others
from controller.services.routing import besides
from controller.services.schedules import schedule_of
from controller.services.slots import last_sound, slot_of
from controller.services.stations import regulation, units_of
from controller.services.valid_approvals import end_of

NO_UNIT = "no_unit"
REGULATED = ("quiet_hours", "limit_session", "limit_day", "limit_week", UNASKED, NO_UNIT)
"""What a station's regulation takes off, and what nobody was there to play."""
ROUTED = tuple(str(why) for why in Unreached)
"""What the choice of routing keeps off."""
BACK = "allowed_again"
"""Why something is planned again."""
AHEAD = [str(state) for state in (State.PLANNED, State.PUBLISHED, State.READY)]
TICK = timedelta(milliseconds=1)
ANY_ROUTED = select(Broadcast.id).where(Broadcast.routing != said(""), Broadcast.status == "approved").limit(1)


def by_regulation(session: Session, clusters: Collection[str], now: datetime) -> int:
    """After the regulation of these clusters' station changed: plan again what it allows again; how many."""
    found = session.scalars(
        select(Delivery)
        .join(Broadcast, Delivery.broadcast_id == Broadcast.id)
        .where(
            Delivery.cluster_id.in_(clusters),
            Delivery.start > now + LOCK_WINDOW,
            Delivery.state == str(State.WITHDRAWN),
            Delivery.reason.in_(REGULATED),
            Delivery.revision == Broadcast.revision,
            Broadcast.status == "approved",
        )
        .order_by(Delivery.start, Delivery.priority, Delivery.id)
    ).all()
    by_broadcast: dict[str, list[Delivery]] = defaultdict(list)
    for delivery in found:
        by_broadcast[delivery.broadcast_id].append(delivery)
    may = [each for name, several in by_broadcast.items() for each in _allowed(session, name, several)]
    fits = _within_limits(session, sorted(may, key=lambda each: (each.start, each.priority, each.id)), now)
    _bring_back(session, fits, now)
    return len(fits)


def by_routing(session: Session, clusters: Collection[str], now: datetime) -> list[str]:
    """Priority broadcasts with a choice of routing at these clusters, settled once more: who has the horn there may be
    another than when they were approved. The clusters where something changed."""
    here, touched = set(clusters), list[str]()
    for broadcast in routed(session, now):
        if here & {*broadcast.clusters, *broadcast.joined}:
            touched += _settle_again(session, broadcast, now)
    if touched:
        mark_dirty(session, sorted(set(touched)), now)
    return touched


def routed(session: Session, now: datetime, *, or_waiting: bool = False) -> Sequence[Broadcast]:
    """Approved, with a choice of routing, and not over, in the order in which they are settled."""
    not_over = or_(Broadcast.last_day.is_(None), Broadcast.last_day >= now.astimezone(VIETNAM).date())
    status = ["approved", "submitted"] if or_waiting else ["approved"]
    return session.scalars(
        select(Broadcast)
        .where(Broadcast.routing != said(""), Broadcast.status.in_(status), not_over)
        .order_by(Broadcast.created_at, Broadcast.id)
    ).all()


def _settle_again(session: Session, broadcast: Broadcast, now: datetime) -> list[str]:
    found = settled_again(session, broadcast, ahead_of(session, broadcast, now), now)
    for row, why in found.still:
        row.reason = why
    take_off(session, found.gone, now)
    _bring_back(session, found.back, now)
    return [*(row.cluster_id for row, _ in found.gone), *(row.cluster_id for row in found.back)]


def ahead_of(session: Session, broadcast: Broadcast, now: datetime) -> Sequence[Delivery]:
    """Of this broadcast, what a rule may still move."""
    return session.scalars(
        select(Delivery)
        .where(
            Delivery.broadcast_id == broadcast.id,
            Delivery.revision == broadcast.revision,
            Delivery.begin > now + LOCK_WINDOW,
            Delivery.state.in_([*AHEAD, str(State.WITHDRAWN)]),
        )
        .order_by(Delivery.start, Delivery.id)
    ).all()


@dataclass(frozen=True)
class Settled:
    """What leaves the air, what stays off it for this reason now, what comes back."""

    gone: Sequence[tuple[Delivery, str]] = ()
    still: Sequence[tuple[Delivery, str]] = ()
    back: Sequence[Delivery] = ()


def settled_again(
    session: Session, broadcast: Broadcast, rows: Sequence[Delivery], now: datetime, around: Around = ALONE
) -> Settled:
    """What the choice of routing says of `rows`, all of one broadcast, beside what is planned and what is `around`.
    Nothing is changed."""
    away = [row for row in rows if row.state == State.WITHDRAWN and row.reason in ROUTED]
    if not away and all(row.state == State.WITHDRAWN for row in rows):
        return Settled()
    may = {row.id for row in _within_limits(session, _allowed(session, broadcast.id, away), now, around)}
    shut = {row.id for row in rows if row.state == State.WITHDRAWN and row.id not in may}
    wants = [Want(slot_of(row), row.begin, row.id in shut) for row in rows]
    most = timedelta(minutes=broadcast.stack_minutes or 0)
    found = route(Routing(broadcast.routing), wants, besides(session, wants, others(broadcast.id, None), around), most)
    why = {row.id: found.get(DeliveryId(row.id)) for row in rows}
    told = [(row, str(why[row.id])) for row in rows if why[row.id] is not None]
    return Settled(
        gone=[each for each in told if each[0].state != State.WITHDRAWN],
        still=[each for each in told if each[0].id in may],
        back=[row for row in rows if row.id in may and why[row.id] is None],
    )


def take_off(session: Session, rows: Collection[tuple[Delivery, str]], now: datetime) -> None:
    """By a rule, each with its reason."""
    newest = newest_plans(session, {row.unit_id for row, _ in rows if row.unit_id is not None})
    for row, why in rows:
        take_back(session, row, newest, now, why)
        row.reason = why


def _allowed(session: Session, broadcast_id: str, rows: Sequence[Delivery]) -> list[Delivery]:
    """Those that schedule, hours and approval would let be made now, and that have a unit."""
    if not rows:
        return []
    broadcast = session.get_one(Broadcast, broadcast_id)
    clusters = sorted({row.cluster_id for row in rows})
    stations, units = stations_of(session, clusters), units_of(session, clusters)
    asked, end = asked_at(session, broadcast, stations), end_of(session, broadcast)
    first, last = min(row.begin for row in rows), max(row.begin for row in rows)
    begins = set(starts(schedule_of(broadcast), first, last + TICK, VIETNAM))
    found = []
    for row in rows:
        station, site = stations[row.cluster_id]
        why, _ = ruled_at(regulation(station, site), row.start, row.end - row.start, station.id in asked)
        over = end is not None and last_sound(row) > end
        if not why and not over and row.begin in begins and row.cluster_id in units:
            found.append(row)
    return found


def _within_limits(session: Session, rows: Sequence[Delivery], now: datetime, around: Around = ALONE) -> list[Delivery]:
    if not rows:
        return []
    stations = stations_of(session, sorted({row.cluster_id for row in rows}))
    limits = {cluster: regulation(station, site).limits for cluster, (station, site) in stations.items()}
    told = [{"id": row.id, "cluster_id": row.cluster_id, "start": row.start, "end": row.end} for row in rows]
    over = over_the_limit(session, limits, told, now, around)
    return [row for row in rows if row.id not in over]


def _bring_back(session: Session, rows: Iterable[Delivery], now: datetime) -> None:
    """As if it had just been made: whichever unit serves there now, as loud as is allowed now, in no plan yet."""
    for row, unit, volume, rank in as_made_now(session, list(rows)):
        move(session, row, State.PLANNED, Actor.CONTROLLER, now, BACK)
        row.verdict = row.reason = row.verdict_at = row.plan_version = row.last_plan = None
        row.unit_id, row.volume, row.rank = unit, volume, rank
    session.flush()


def as_made_now(session: Session, rows: Sequence[Delivery]) -> Iterator[tuple[Delivery, str, int, int]]:
    """Each with the unit, volume and rank that it would have. Each has a unit."""
    clusters = sorted({row.cluster_id for row in rows})
    stations, units = stations_of(session, clusters), units_of(session, clusters)
    ranked = ranks_at(session, {station.id for station, _ in stations.values()})
    for row in rows:
        (station, site), broadcast = stations[row.cluster_id], session.get_one(Broadcast, row.broadcast_id)
        _, ceiling = ruled_at(regulation(station, site), row.start, row.end - row.start, True)
        volume = min(station.volume if broadcast.volume is None else broadcast.volume, ceiling)
        yield row, units[row.cluster_id], volume, broadcast.rank + rank_of(ranked, station.id, broadcast.id)
