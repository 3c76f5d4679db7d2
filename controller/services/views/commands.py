"""What a cluster's unit was asked for, and what came of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.domain.delivery import State
from broadcasts.errors import Refused
from controller.db.tables import Broadcast, Bulletin, Cluster, Command, Delivery, Station, User
from controller.services.rights import Actor, Right

MOST = 20
BACK_AFTER = timedelta(minutes=2)
"""A unit that boots is deaf and dumb for no longer."""


class CommandState(StrEnum):
    WAITING = "waiting"
    """Not sent yet: no link, or an older one is on its way."""
    SENT = "sent"
    """It left, perhaps several times, and nobody knows whether it arrived."""
    DONE = "done"
    NOT_DONE = "not_done"
    """The unit answered that it could not."""
    EXPIRED = "expired"


@dataclass(frozen=True)
class CommandLine:
    command: Command
    state: CommandState
    by: str
    """The full name of who asked, where the account still exists."""

    @property
    def open(self) -> bool:
        return self.state in (CommandState.WAITING, CommandState.SENT)

    @property
    def late(self) -> bool:
        """The answer came when nobody waited for it any more."""
        it = self.command
        return it.answered_at is not None and it.answered_at >= it.expires_at


def state_of(command: Command, now: datetime) -> CommandState:
    if command.answered_at is not None:
        return CommandState.DONE if command.done else CommandState.NOT_DONE
    if command.expired_at is not None or command.expires_at <= now:
        return CommandState.EXPIRED
    return CommandState.SENT if command.sent else CommandState.WAITING


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
    """Commands issued within this time, by state."""
    rows = session.scalars(select(Command).where(Command.issued_at > now - within))
    return Counter(str(state_of(row, now)) for row in rows)


def cut_by_reboot(session: Session, cluster_id: str, now: datetime) -> list[str]:
    """Titles of what plays there, or begins before a unit that boots now would be back."""
    rows = session.scalars(
        select(Bulletin.title)
        .join(Broadcast, Broadcast.bulletin_id == Bulletin.id)
        .join(Delivery, Delivery.broadcast_id == Broadcast.id)
        .where(Delivery.cluster_id == cluster_id, Delivery.start < now + BACK_AFTER, Delivery.end > now)
        .where(Delivery.state != State.WITHDRAWN, Delivery.verdict.is_(None))
        .order_by(Delivery.start)
    )
    return list(dict.fromkeys(rows))
