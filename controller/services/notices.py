"""Sends what the outbox holds (`notifying`), and never the same thing twice on purpose.

Everything that is due for a channel leaves as one message. It is claimed in a transaction before it is sent, under an
id of its own: whoever dies between the other's word and our note sends the same message again under the same id, so
that nothing is lost and a receiver can tell. What fails is tried again, each time later, and given up after two days.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from broadcasts.domain.fault_classes import CLASSES, Code, Urgency
from broadcasts.errors import LoaError
from controller.db.tables import Area, Cluster, FaultCase, Notice
from controller.services.context import Context
from controller.services.notifying import GIVEN_UP, SENT

_LOG = logging.getLogger("loa.notices")
FIRST, MOST = timedelta(minutes=1), timedelta(hours=2)
GIVE_UP = timedelta(days=2)
EVERY = timedelta(seconds=20)
AT_ONCE = 50
"""Faults in one message; the rest comes with the next."""


@dataclass(frozen=True)
class Told:
    """One fault in a message."""

    fault: str
    event: str
    code: str
    place: str
    clusters: int
    since: datetime
    urgency: str
    bring: tuple[str, ...]


@dataclass(frozen=True)
class Message:
    id: str
    """Stays the same when it has to leave again."""
    at: datetime
    faults: Sequence[Told]


class Channel(Protocol):
    """E-mail, a webhook, or somebody's messenger (`loa.messenger` entry points)."""

    def send(self, message: Message) -> None:
        """Returns when the other side has taken it. Raises Fault("notice.failed"), OSError."""
        ...


class Sender:
    """One for the life of the process. `channels` by the names in `NoticeRules.channels`."""

    def __init__(self, ctx: Context, channels: Mapping[str, Channel]) -> None:
        self._ctx, self._channels = ctx, channels

    def step(self, now: datetime) -> datetime:
        for name, channel in self._channels.items():
            self._channel(name, channel, now)
        return now + EVERY

    def _channel(self, name: str, channel: Channel, now: datetime) -> None:
        with self._ctx.db.read() as session:
            if not self._may_speak(session, name, now):
                return
        with self._ctx.db.write() as session:
            message = self._claim(session, name, now)
        if message is None:
            return
        failure = ""
        try:
            channel.send(message)
        except Exception as error:  # noqa: BLE001 - a messenger of others may raise anything; the others go on
            # Words of strangers may hold an address with a token in it: of those only the kind is kept.
            failure = str(error)[:300] if isinstance(error, LoaError) and str(error) else type(error).__name__
            _LOG.warning("a notice by %s failed and is tried again: %s", name, failure)
        with self._ctx.db.write() as session:
            self._settle(session, message, now, failure)

    def _may_speak(self, session: Session, name: str, now: datetime) -> bool:
        """Not at all times: what is not urgent follows the last message after a while only."""
        waiting = (Notice.channel == name, Notice.done_at.is_(None), Notice.due_at <= now)
        if session.scalar(select(Notice.id).where(*waiting).limit(1)) is None:
            return False
        if session.scalar(select(Notice.id).where(*waiting, Notice.urgency == str(Urgency.NOW)).limit(1)) is not None:
            return True
        last = session.scalar(select(func.max(Notice.done_at)).where(Notice.channel == name, Notice.outcome == SENT))
        return last is None or now - last >= self._ctx.notices.gather

    def _claim(self, session: Session, name: str, now: datetime) -> Message | None:
        due = (
            select(Notice)
            .where(Notice.channel == name, Notice.done_at.is_(None), Notice.due_at <= now)
            .order_by(Notice.id)
            .limit(AT_ONCE)
        )
        rows = session.scalars(due).all()
        claimed = next((row.message_id for row in rows if row.message_id), "")
        if claimed:
            # It may have left already: the same again, and nothing else in it.
            rows = [row for row in rows if row.message_id == claimed]
        if not rows:
            return None
        message_id = claimed or self._ctx.ids.new("n")
        for row in rows:
            row.message_id, row.tries = message_id, row.tries + 1
        return Message(message_id, rows[0].made_at, [_told(session, row) for row in rows])

    def _settle(self, session: Session, message: Message, now: datetime, failure: str) -> None:
        for row in session.scalars(select(Notice).where(Notice.message_id == message.id, Notice.done_at.is_(None))):
            if not failure:
                row.done_at, row.outcome, row.failure = now, SENT, ""
            elif now - row.made_at > GIVE_UP:
                row.done_at, row.outcome, row.failure = now, GIVEN_UP, failure
            else:
                row.due_at, row.failure = now + min(FIRST * 2 ** min(row.tries - 1, 10), MOST), failure


def _told(session: Session, row: Notice) -> Told:
    case = session.get_one(FaultCase, row.fault_id)
    cluster = session.get(Cluster, case.cluster_id) if case.cluster_id is not None else None
    place = cluster.name if cluster is not None else session.get_one(Area, case.area_id).name
    count = int(case.detail) if cluster is None and case.detail.isdecimal() else 1
    kind = CLASSES[Code(case.code)]
    return Told(case.id, row.event, case.code, place, count, case.since, row.urgency, kind.bring)
