"""What the ear at a pole says, for the page of one delivery."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.domain.command_life import State as CommandState
from broadcasts.errors import Refused
from controller.db.tables import Cluster, Command, Delivery, EnvelopePart, Hearing, Station
from controller.services import clipping, ear_evidence
from controller.services.rights import Actor, Right
from controller.services.views.commands import state_of

BAR = 1000
"""Width of the bar that shows what was heard."""


@dataclass(frozen=True)
class Strip:
    """A piece of the bar, from 0 to `BAR`."""

    left: int
    width: int
    heard: bool


@dataclass(frozen=True)
class EarPage:
    delivery: Delivery
    hearing: Hearing | None
    strips: Sequence[Strip]
    waiting: bool
    """Something came that is not matched yet."""
    asked: Command | None
    """The last time that somebody asked for ten seconds of it."""
    asked_state: CommandState | None
    may_ask: bool
    has_ear: bool
    """Its unit has told what it hears, of this delivery or of another one."""

    @property
    def percent(self) -> int | None:
        return share_of(self.hearing)

    @property
    def judged_ms(self) -> int:
        """How long the stretches are of which the ear can say something."""
        return sum(end - begin for begin, end, _ in self.hearing.stretches) if self.hearing is not None else 0

    @property
    def length(self) -> timedelta:
        return self.delivery.end - self.delivery.start


def share_of(row: Hearing | None) -> int | None:
    """How much of what the ear can judge was heard, in percent; none where nothing is known."""
    if row is None or row.answer is None or not row.stretches:
        return None
    return round(100 * ear_evidence.share(row))


def of(session: Session, actor: Actor, delivery_id: str, now: datetime) -> EarPage:
    """Raises Refused("no_right", "not_yours")."""
    actor = actor.need(Right.LOOK)
    delivery = session.get(Delivery, delivery_id)
    area = None
    if delivery is not None:
        cluster = session.get_one(Cluster, delivery.cluster_id)
        area = session.get_one(Station, cluster.station_id).area_id
    if delivery is None or area not in actor.areas:
        raise Refused("not_yours")
    row = session.get(Hearing, delivery_id)
    asked = _asked(session, delivery)
    told = select(EnvelopePart.seq).where(EnvelopePart.unit_id == delivery.unit_id).limit(1)
    return EarPage(
        delivery=delivery,
        hearing=row,
        strips=strips(row, delivery.end - delivery.start) if row is not None else [],
        waiting=row is not None and row.due_since is not None,
        asked=asked,
        asked_state=state_of(asked, now) if asked is not None else None,
        may_ask=area in actor.within(Right.COMMAND) and clipping.can_be_asked(delivery, now),
        has_ear=session.scalar(told) is not None,
    )


def strips(row: Hearing, length: timedelta) -> list[Strip]:
    """The stretches of the asset that were listened to, as parts of a bar that is the whole of it."""
    whole = max(1, round(length.total_seconds() * 1000))
    found: list[Strip] = []
    for begin, end, heard in row.stretches:
        left, right = (max(0, min(BAR, round(BAR * edge / whole))) for edge in (begin, end))
        if right > left:
            found.append(Strip(left, right - left, bool(heard)))
    return found


def by_delivery(session: Session, deliveries: Sequence[str]) -> Mapping[str, Hearing]:
    """For a table of many; only those of which something is known."""
    rows = session.scalars(
        select(Hearing).where(Hearing.delivery_id.in_(deliveries), Hearing.answer.is_not(None))
    ).all()
    return {row.delivery_id: row for row in rows}


def _asked(session: Session, delivery: Delivery) -> Command | None:
    rows = session.scalars(
        select(Command)
        .where(Command.cluster_id == delivery.cluster_id, Command.kind == "capture")
        .where(Command.issued_at > delivery.start - timedelta(minutes=5), Command.issued_at < delivery.end)
        .order_by(Command.issued_at.desc())
    )
    return next((row for row in rows if row.args.get("item") == delivery.id), None)
