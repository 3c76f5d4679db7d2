"""A technician's round: proposed from what is wrong and from where nobody was for long, in the order of the way; begun,
and ended. What is written down under the poles: `round_entries.py`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from broadcasts.clock import VIETNAM
from broadcasts.domain import route
from broadcasts.domain.fault_classes import severity
from broadcasts.domain.fault_life import OPEN
from broadcasts.domain.round_rules import MOST_STOPS, ROUTINE_EVERY, RoundState, StopState
from broadcasts.errors import Conflict, Refused
from controller.db.tables import Area, Cluster, FaultCase, Round, RoundStop, Station
from controller.services import audit
from controller.services.context import Context
from controller.services.rights import Actor, Right, below

CLIENT_ID = re.compile(r"[0-9A-Za-z-]{8,40}\Z")
AHEAD_DAYS = 31


@dataclass(frozen=True)
class Wanted:
    """One pole that somebody should go to."""

    cluster: Cluster
    faults: tuple[FaultCase, ...]


def wanted(session: Session, area: str, now: datetime, routine: bool) -> list[Wanted]:
    """Of the area and below: poles with faults of their own, the most urgent first; then those where nobody was for 90
    days, the longest first; at most 40. What many poles have in common is no one pole's matter."""
    within = below(session, area)
    found = session.execute(
        select(FaultCase, Cluster)
        .join(Cluster, Cluster.id == FaultCase.cluster_id)
        .where(
            FaultCase.area_id.in_(within), FaultCase.group_id.is_(None), Cluster.removed_at.is_(None),
            FaultCase.state.in_([str(state) for state in OPEN]),
        )
        .order_by(FaultCase.since, FaultCase.id)
    )  # fmt: skip
    clusters: dict[str, Cluster] = {}
    faults: dict[str, list[FaultCase]] = {}
    for case, cluster in found:
        clusters[cluster.id] = cluster
        faults.setdefault(cluster.id, []).append(case)
    worst = sorted(faults, key=lambda name: (min(severity(case.code) for case in faults[name]), name))
    chosen = [Wanted(clusters[name], tuple(faults[name])) for name in worst[:MOST_STOPS]]
    if routine and len(chosen) < MOST_STOPS:
        chosen += [Wanted(cluster, ()) for cluster in _long_unseen(session, within, now) if cluster.id not in faults]
    return chosen[:MOST_STOPS]


def _long_unseen(session: Session, within: frozenset[str], now: datetime) -> list[Cluster]:
    last = (
        select(RoundStop.cluster_id, func.max(RoundStop.finished_at).label("at"))
        .where(RoundStop.state == StopState.DONE)
        .group_by(RoundStop.cluster_id)
        .subquery()
    )
    rows = session.execute(
        select(Cluster, last.c.at)
        .join(Station, Station.id == Cluster.station_id)
        .outerjoin(last, last.c.cluster_id == Cluster.id)
        .where(Station.area_id.in_(within), Cluster.removed_at.is_(None))
    )
    waits = [(row[1] or row[0].added_at, row[0].id, row[0]) for row in rows]
    return [row[2] for row in sorted(waits, key=lambda row: row[:2]) if row[0] <= now - ROUTINE_EVERY]


def in_order(chosen: Sequence[Wanted]) -> list[tuple[Wanted, int | None]]:
    """As they are visited, each with the metres from the one before."""
    by_name = {each.cluster.id: each for each in chosen}
    points = [route.Stop(each.cluster.id, each.cluster.latitude, each.cluster.longitude) for each in chosen]
    found: list[tuple[Wanted, int | None]] = []
    before: route.Stop | None = None
    for stop in route.order(points):
        leg = route.distance_m(before, stop) if before is not None else None
        found.append((by_name[stop.name], None if leg is None else round(leg)))
        before = stop
    return found


@audit.decided("round.make")
def make(ctx: Context, actor: Actor, area: str, day: date, key: str, routine: bool = True) -> str:
    """A round of this person in the area; its id. The same `key` again gives the same round.

    Raises Refused: "no_right", "not_yours" (the area), "round.key", "round.day" (gone by, or over a month ahead),
    "round.nothing" (nowhere is anything to do).
    """
    actor = actor.need(Right.COMMAND)
    if not CLIENT_ID.match(key):
        raise Refused("round.key")
    now = ctx.clock.now()
    with ctx.db.read() as session:
        # Looked for before anybody has to wait for us: a province has many poles.
        chosen = in_order(wanted(session, area, now, routine)) if area in actor.areas else []
    with ctx.db.write() as session:
        made = session.scalar(select(Round.id).where(Round.technician_id == actor.id, Round.made_key == key))
        if made is not None:
            return made
        if session.get(Area, area) is None or area not in actor.areas:
            raise Refused("not_yours")
        if not 0 <= (day - now.astimezone(VIETNAM).date()).days <= AHEAD_DAYS:
            raise Refused("round.day", days=AHEAD_DAYS)
        if not chosen:
            raise Refused("round.nothing")
        name = ctx.ids.new("r")
        session.add(Round(id=name, technician_id=actor.id, area_id=area, day=day, made_key=key, made_at=now))
        session.flush()
        for place, (each, leg) in enumerate(chosen, 1):
            session.add(
                RoundStop(
                    id=f"{name}-{place}", round_id=name, cluster_id=each.cluster.id, place=place, leg_m=leg,
                    faults=[case.id for case in each.faults],
                )
            )  # fmt: skip
        about = {"day": day.isoformat(), "stops": len(chosen), "routine": routine}
        audit.record(session, now, actor.name, "round.make", name, about, area=area)
    return name


@audit.decided("round.start")
def start(ctx: Context, actor: Actor, name: str) -> None:
    """Raises Refused: "no_right", "not_yours"; Conflict("round.over")."""
    _turn(ctx, actor, name, RoundState.UNDER_WAY)


@audit.decided("round.finish")
def finish(ctx: Context, actor: Actor, name: str) -> None:
    """Home again. What was not visited stays open there, and its faults are in the next round. What still waits on the
    phone is taken afterwards too. Raises as `start`."""
    _turn(ctx, actor, name, RoundState.OVER)


def _turn(ctx: Context, actor: Actor, name: str, after: RoundState) -> None:
    actor = actor.need(Right.COMMAND)
    now = ctx.clock.now()
    with ctx.db.write() as session:
        row = own(session, actor, name)
        if row.state == after:
            return
        if row.state == RoundState.OVER:
            raise Conflict("round.over")
        row.state = after
        row.started_at = row.started_at or now
        if after is RoundState.OVER:
            row.finished_at = now
        act = "round.start" if after is RoundState.UNDER_WAY else "round.finish"
        audit.record(session, now, actor.name, act, name, {}, area=row.area_id)


def own(session: Session, actor: Actor, name: str) -> Round:
    """The technician's own: nobody writes in another one's. Raises Refused("not_yours")."""
    row = session.get(Round, name)
    if row is None or row.technician_id != actor.id or row.area_id not in actor.areas:
        raise Refused("not_yours")
    return row
