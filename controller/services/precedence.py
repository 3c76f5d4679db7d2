"""Two priority broadcasts want the same horn: an approver of the commune says which goes first, and why (R-016).

What was approved stays approved: bytes, target, times and class are the same, only who yields at the commune's own
horns is decided here. The decision goes into every plan as the rank of the items.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.domain import priority as rules
from broadcasts.domain.delivery import OPEN
from broadcasts.domain.model import Priority
from broadcasts.errors import Refused
from controller.db.tables import Broadcast, Bulletin, Cluster, Delivery, PriorityDecision, Station, User
from controller.services import audit
from controller.services.context import HORIZON, LOCK_WINDOW, Context
from controller.services.deliveries import mark_dirty
from controller.services.ranking import rank_of, ranks_at
from controller.services.rights import Actor, Right
from controller.services.slots import slot_of

LONGEST_REASON = 500


@dataclass(frozen=True)
class Side:
    """One of the two. `above`: it comes from a station that is not the one whose horns these are."""

    broadcast: str
    title: str
    station: str
    above: bool


@dataclass(frozen=True)
class Decided:
    first: str
    by: str
    at: datetime
    reason: str


@dataclass(frozen=True)
class PriorityClash:
    """Two broadcasts that want the horns of one station at the same time, in the days that plans reach.

    `winner` goes first as things stand; `since`: the first time; `times`: at how many instants in all."""

    station: str
    station_name: str
    winner: Side
    loser: Side
    since: datetime
    times: int
    clusters: tuple[str, ...]
    decided: Decided | None


def priority_clashes(ctx: Context, actor: Actor) -> list[PriorityClash]:
    """Those that the actor may decide, the next one first. Raises Refused("no_right", "second_factor.needed")."""
    actor = actor.need(Right.APPROVE)
    with ctx.db.read() as session:
        return _open(session, actor, ctx.clock.now())


@audit.decided("priority.decide")
def decide(
    ctx: Context, actor: Actor, station_id: str, first: str, second: str, reason: str, push_now: bool = False
) -> int:
    """`first` goes before `second` at the horns of this station from now on; in how many deliveries that changes
    something.

    Raises Refused: "no_right", "second_factor.needed", "clash.reason" (none was given), "text.long", "not_yours",
    "clash.none" (they do not meet there), "time.locked" (the next time is so near that it needs `push_now`).
    """
    actor = actor.need(Right.APPROVE)
    reason = reason.strip()
    if not reason:
        raise Refused("clash.reason")
    if len(reason) > LONGEST_REASON or "\x00" in reason:
        raise Refused("text.long", most=LONGEST_REASON, length=len(reason))
    now = ctx.clock.now()
    with ctx.db.write() as session:
        station = session.get(Station, station_id)
        if station is None or station.area_id not in actor.areas:
            raise Refused("not_yours")
        meant = [
            clash
            for clash in _open(session, actor, now)
            if clash.station == station_id and {clash.winner.broadcast, clash.loser.broadcast} == {first, second}
        ]
        if not meant:
            raise Refused("clash.none")
        if meant[0].since - now < LOCK_WINDOW and not push_now:
            raise Refused("time.locked", minutes=int(LOCK_WINDOW.total_seconds() // 60))
        row = PriorityDecision(
            station_id=station_id, first_id=first, second_id=second, reason=reason, by_id=actor.id, at=now
        )
        session.add(row)
        session.flush()
        changed = _apply(session, station_id, now)
        told = {"station": station_id, "first": first, "second": second, "reason": reason, "deliveries": changed}
        for about in (first, second):
            audit.record(session, now, actor.name, "priority.decide", about, told, area=station.area_id)
    ctx.wake()
    return changed


def _apply(session: Session, station_id: str, now: datetime) -> int:
    """Bring what is still to come at the station to the ranks that hold."""
    ranked = ranks_at(session, [station_id])
    rows = session.execute(
        select(Delivery, Broadcast.rank)
        .join(Cluster, Delivery.cluster_id == Cluster.id)
        .join(Broadcast, Delivery.broadcast_id == Broadcast.id)
        .where(
            Cluster.station_id == station_id,
            Delivery.broadcast_id.in_([str(name) for name in ranked.get(station_id, {})]),
            Delivery.state.in_([str(state) for state in OPEN]),
            Delivery.end > now,
        )
    )
    touched: list[str] = []
    for delivery, own in rows:
        rank = own + rank_of(ranked, station_id, delivery.broadcast_id)
        if delivery.rank != rank:
            delivery.rank = rank
            touched.append(delivery.cluster_id)
    if touched:
        mark_dirty(session, sorted(set(touched)), now)
    return len(touched)


def _open(session: Session, actor: Actor, now: datetime) -> list[PriorityClash]:
    found = session.execute(
        select(Delivery, Cluster.station_id)
        .join(Cluster, Delivery.cluster_id == Cluster.id)
        .join(Station, Cluster.station_id == Station.id)
        .where(
            Station.area_id.in_(actor.areas),
            Delivery.priority == int(Priority.PRIORITY),
            Delivery.state.in_([str(state) for state in OPEN]),
            Delivery.end > now,
            Delivery.start < now + HORIZON,
        )
    ).all()
    at = {delivery.cluster_id: station for delivery, station in found}
    met: dict[tuple[str, frozenset[str]], list[rules.Clash]] = {}
    for clash in rules.clashes(slot_of(delivery) for delivery, _ in found):
        pair = frozenset[str]({clash.winner.broadcast, clash.loser.broadcast})
        if len(pair) == 2:
            met.setdefault((at[clash.winner.cluster], pair), []).append(clash)
    names = {name for _, pair in met for name in pair}
    sides = _sides(session, names)
    stations = {row.id: row.name for row in session.scalars(select(Station).where(Station.id.in_(set(at.values()))))}
    decided = _decided(session, {station for station, _ in met})
    return [
        PriorityClash(
            station=station,
            station_name=stations[station],
            winner=_side(sides, clashes[0].winner.broadcast, station),
            loser=_side(sides, clashes[0].loser.broadcast, station),
            since=clashes[0].since,
            times=len({clash.since for clash in clashes}),
            clusters=tuple(sorted({str(clash.winner.cluster) for clash in clashes})),
            decided=decided.get((station, pair)),
        )
        for (station, pair), clashes in met.items()
    ]


def _sides(session: Session, names: set[str]) -> dict[str, tuple[str, str, str]]:
    """By broadcast: title, id and name of its station."""
    rows = session.execute(
        select(Broadcast.id, Bulletin.title, Station.id, Station.name)
        .join(Bulletin, Broadcast.bulletin_id == Bulletin.id)
        .join(Station, Broadcast.station_id == Station.id)
        .where(Broadcast.id.in_(names))
    )
    return {row[0]: (row[1], row[2], row[3]) for row in rows}


def _side(sides: dict[str, tuple[str, str, str]], name: str, station: str) -> Side:
    title, home, home_name = sides[name]
    return Side(name, title, home_name, home != station)


def _decided(session: Session, stations: Sequence[str] | set[str]) -> dict[tuple[str, frozenset[str]], Decided]:
    """The newest decision about each pair."""
    rows = session.execute(
        select(PriorityDecision, User.full_name)
        .join(User, PriorityDecision.by_id == User.id)
        .where(PriorityDecision.station_id.in_(list(stations)))
        .order_by(PriorityDecision.id)
    )
    return {
        (row.station_id, frozenset[str]({row.first_id, row.second_id})): Decided(row.first_id, name, row.at, row.reason)
        for row, name in rows
    }
