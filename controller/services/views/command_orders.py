"""Orders to many clusters, and what became of each execution."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from broadcasts.domain.command_life import State
from broadcasts.errors import Refused
from controller.db.tables import Cluster, Command, CommandOrder, Station, User
from controller.services.rights import Actor, Right
from controller.services.views.commands import state_now, state_of

MOST = 50
MOST_LINES = 500


@dataclass(frozen=True)
class OrderLine:
    order: CommandOrder
    counts: Counter[str]
    """Executions by state, of the clusters that this person may see."""
    by: str


@dataclass(frozen=True)
class Execution:
    command: Command
    state: State
    cluster: str


@dataclass(frozen=True)
class WholeOrder:
    line: OrderLine
    executions: Sequence[Execution]
    shown: str
    """The state that is shown; "" all."""
    may_cancel: bool


def lines(session: Session, actor: Actor, now: datetime) -> list[OrderLine]:
    """The newest. Raises Refused("no_right")."""
    actor = actor.need(Right.HEALTH)
    seen = (
        select(Command.order_id)
        .join(Cluster, Cluster.id == Command.cluster_id)
        .join(Station, Station.id == Cluster.station_id)
        .where(Station.area_id.in_(actor.areas), Command.order_id.is_not(None))
    )
    rows = session.execute(
        select(CommandOrder, User.full_name)
        .outerjoin(User, User.name == CommandOrder.issued_by)
        .where(CommandOrder.id.in_(seen))
        .order_by(CommandOrder.issued_at.desc(), CommandOrder.id)
        .limit(MOST)
    ).all()
    counts = _counts(session, actor, [row[0].id for row in rows], now)
    return [OrderLine(row[0], counts[row[0].id], row[1] or row[0].issued_by) for row in rows]


def one(
    session: Session, actor: Actor, name: str, now: datetime, shown: str = "", most: int = MOST_LINES
) -> WholeOrder:
    """Raises Refused("no_right", "not_yours", "choice.unknown")."""
    actor = actor.need(Right.HEALTH)
    if shown and shown not in set(State):
        raise Refused("choice.unknown", name="state", value=shown[:20])
    row = session.execute(
        select(CommandOrder, User.full_name)
        .outerjoin(User, User.name == CommandOrder.issued_by)
        .where(CommandOrder.id == name)
    ).first()
    counts = _counts(session, actor, [name], now)[name]
    if row is None or not counts:
        raise Refused("not_yours")
    query = (
        select(Command, Cluster.name)
        .join(Cluster, Cluster.id == Command.cluster_id)
        .join(Station, Station.id == Cluster.station_id)
        .where(Command.order_id == name, Station.area_id.in_(actor.areas))
        .order_by(Cluster.name, Command.id)
    )
    if shown:
        query = query.where(state_now(now) == shown)
    found = [Execution(told[0], state_of(told[0], now), told[1]) for told in session.execute(query.limit(most))]
    may = actor.may(Right.COMMAND) and counts[State.ASKED] > 0
    return WholeOrder(OrderLine(row[0], counts, row[1] or row[0].issued_by), found, shown, may)


def _counts(session: Session, actor: Actor, names: Sequence[str], now: datetime) -> defaultdict[str, Counter[str]]:
    state = state_now(now).label("state")
    rows = session.execute(
        select(Command.order_id, state, func.count())
        .select_from(Command)
        .join(Cluster, Cluster.id == Command.cluster_id)
        .join(Station, Station.id == Cluster.station_id)
        .where(Command.order_id.in_(names), Station.area_id.in_(actor.areas))
        .group_by(Command.order_id, state)
    )
    found: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for order, told, count in rows:
        found[order or ""][told] = count
    return found
