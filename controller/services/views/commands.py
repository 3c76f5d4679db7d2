"""What a cluster's unit was asked for, and what came of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, case, func, select
from sqlalchemy.orm import Session

from broadcasts.domain.command_life import MOVES, OPEN, TROUBLE, Event, State, is_late
from broadcasts.domain.delivery import State as DeliveryState
from broadcasts.errors import Refused
from controller.db.tables import Broadcast, Bulletin, Cluster, Command, Delivery, Station, User
from controller.services.rights import Actor, Right

MOST = 20
BACK_AFTER = timedelta(minutes=2)
"""A unit that boots is deaf and dumb for no longer."""


@dataclass(frozen=True)
class CommandLine:
    command: Command
    state: State
    by: str
    """The full name of who asked, where the account still exists."""

    @property
    def open(self) -> bool:
        return self.state in OPEN

    @property
    def late(self) -> bool:
        """The answer came when nobody waited for it any more."""
        return is_late(self.state)

    @property
    def trouble(self) -> bool:
        return self.state in TROUBLE


def state_of(command: Command, now: datetime) -> State:
    """What has ended by the clock has, whether somebody wrote it down or not."""
    state = State(command.state)
    return MOVES[state, Event.TIME_OVER] if state in OPEN and command.expires_at <= now else state


def state_now(now: datetime) -> ColumnElement[str]:
    """The same in the database."""
    ended = [
        (and_(Command.state == state, Command.expires_at <= now), str(MOVES[state, Event.TIME_OVER])) for state in OPEN
    ]
    return case(*ended, else_=Command.state)


def history(session: Session, actor: Actor, cluster_id: str, now: datetime, most: int = MOST) -> list[CommandLine]:
    """Of a cluster, whichever unit served it, the newest first. Raises Refused("no_right", "cluster.unknown")."""
    actor = actor.need(Right.HEALTH)
    mine = select(Cluster.id).join(Station, Cluster.station_id == Station.id).where(Station.area_id.in_(actor.areas))
    if session.scalar(mine.where(Cluster.id == cluster_id, Cluster.removed_at.is_(None))) is None:
        raise Refused("cluster.unknown", cluster=cluster_id[:40])
    rows = session.execute(
        select(Command, User.full_name)
        .outerjoin(User, User.name == Command.issued_by)
        .where(Command.cluster_id == cluster_id)
        .order_by(Command.issued_at.desc(), Command.seq.desc())
        .limit(most)
    )
    return [CommandLine(row[0], state_of(row[0], now), row[1] or row[0].issued_by) for row in rows]


def counts(session: Session, now: datetime, within: timedelta) -> Counter[str]:
    """Commands issued within this time, by state. Counted by the database: an answer may bring a log along."""
    state = state_now(now)
    rows = session.execute(select(state, func.count()).where(Command.issued_at > now - within).group_by(state))
    return Counter({row[0]: row[1] for row in rows})


def cut_by_reboot(session: Session, cluster_id: str, now: datetime) -> list[str]:
    """Titles of what plays there, or begins before a unit that boots now would be back."""
    rows = session.scalars(
        select(Bulletin.title)
        .join(Broadcast, Broadcast.bulletin_id == Bulletin.id)
        .join(Delivery, Delivery.broadcast_id == Broadcast.id)
        .where(Delivery.cluster_id == cluster_id, Delivery.start < now + BACK_AFTER, Delivery.end > now)
        .where(Delivery.state != DeliveryState.WITHDRAWN, Delivery.verdict.is_(None))
        .order_by(Delivery.start)
    )
    return list(dict.fromkeys(rows))
