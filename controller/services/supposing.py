"""What would be planned if all that waits for approval had it now, in the order in which it was handed in: reckoned by
the same rules as what is planned, limits and routing among them, and nothing is written."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import and_, inspect, or_, select
from sqlalchemy.orm import Session

from broadcasts.domain.delivery import State
from broadcasts.domain.routing import Routing
from controller.db.tables import Broadcast, Delivery
from controller.services.around import Around
from controller.services.context import LOCK_WINDOW
from controller.services.laying import lay_out
from controller.services.previewing import SAVED_LATE
from controller.services.returning import ahead_of, as_made_now, routed, settled_again


@dataclass
class Supposed:
    """`new`: deliveries that the tables do not have; those that something keeps off the air are withdrawn, with the
    reason. Of those that the tables have, `off` would leave the air, or stay off it, for this reason, and `back` would
    come back, as it would be then."""

    new: list[Delivery] = field(default_factory=list)
    waiting: set[str] = field(default_factory=set)
    """Of `new`: nobody has approved it."""
    off: dict[str, str] = field(default_factory=dict)
    back: dict[str, Delivery] = field(default_factory=dict)


def suppose(
    session: Session, clusters: Collection[str], since: datetime, until: datetime, *, waiting: bool = False
) -> Supposed:
    """At these clusters, of what starts before `until`; `since`: now. Always: warnings beyond the few hours for which
    they are planned; with `waiting` what was handed in, and what that does to what is routed by who has the horn."""
    here = set(clusters)
    found, around = Supposed(), Around()
    going_on = and_(Broadcast.status == "approved", Broadcast.ahead_minutes.is_not(None))
    wanted = or_(going_on, Broadcast.status == "submitted") if waiting else going_on
    order = (Broadcast.status, Broadcast.created_at, Broadcast.id)
    every = session.scalars(select(Broadcast).where(wanted).order_by(*order)).all()
    again = routed(session, since, or_waiting=True) if waiting else ()
    # Also what waits elsewhere counts, where something that goes everywhere or nowhere is routed by it.
    reach = _reach(here, [each for each in {*every, *again} if each.routing == Routing.ALL_OR_NONE])
    several = [each for each in every if reach & _of(each)]
    for broadcast in several:
        approved = broadcast.status == "approved"
        first = max(since, broadcast.expanded_until or since) if approved else since + SAVED_LATE
        laid = lay_out(session, broadcast, sorted(_of(broadcast) & reach), first, until, since, around)
        for row in laid.rows:
            delivery = Delivery(**row)
            found.new.append(delivery)
            if not approved:
                found.waiting.add(delivery.id)
            if (why := laid.why_not.get(delivery.id)) is not None:
                delivery.state, delivery.reason = str(State.WITHDRAWN), why
            else:
                around.add(delivery)
    touched = {cluster for each in several if each.status == "submitted" for cluster in _of(each)} & reach
    _settle(session, [each for each in again if touched & _of(each)], found, around, since)
    return found


def _of(broadcast: Broadcast) -> set[str]:
    return {*broadcast.clusters, *broadcast.joined}


def _reach(here: Collection[str], everywhere_or_nowhere: Sequence[Broadcast]) -> set[str]:
    """What goes everywhere or nowhere depends on who has the horns at its other clusters."""
    reach = set(here)
    while True:
        wider = reach.union(*(_of(each) for each in everywhere_or_nowhere if reach & _of(each)))
        if wider == reach:
            return reach
        reach = wider


def _settle(session: Session, again: Iterable[Broadcast], found: Supposed, around: Around, since: datetime) -> None:
    """As the compiler does once the approvals are there."""
    mine: dict[str, list[Delivery]] = defaultdict(list)
    for each in found.new:
        if each.begin > since + LOCK_WINDOW:
            mine[each.broadcast_id].append(each)
    new = {each.id for each in found.new}
    for broadcast in again:
        there = ahead_of(session, broadcast, since) if broadcast.status == "approved" else ()
        rows = sorted([*there, *mine[broadcast.id]], key=lambda row: (row.start, row.id))
        settled = settled_again(session, broadcast, rows, since, around)
        for row, why in [*settled.gone, *settled.still]:
            around.drop(row)
            if row.id in new:
                row.state, row.reason = str(State.WITHDRAWN), why
            else:
                found.off[row.id] = why
        for row, unit, volume, rank in as_made_now(session, settled.back):
            back = row if row.id in new else _copy(row)
            back.state, back.reason = str(State.PLANNED), None
            back.unit_id, back.volume, back.rank = unit, volume, rank
            around.add(back)
            if back is not row:
                found.back[row.id] = back


def _copy(row: Delivery) -> Delivery:
    """That no session knows of."""
    return Delivery(**{each.key: getattr(row, each.key) for each in inspect(Delivery).column_attrs})
