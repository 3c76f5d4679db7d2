"""One broadcast: what it is, who decided, and what became of it at each cluster."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from broadcasts.domain.delivery import OPEN
from broadcasts.domain.presence import Presence, presence
from broadcasts.domain.programme import Part
from broadcasts.errors import Refused
from controller.db.tables import (
    Approval,
    Asset,
    Broadcast,
    Bulletin,
    Cluster,
    Delegation,
    Delivery,
    DeliveryMove,
    Hearing,
    OwnException,
    Rendition,
    Revision,
    Station,
    UnitStatus,
    User,
)
from controller.services import programmes, renditions
from controller.services.rights import Actor
from controller.services.views import ears
from controller.services.views.clusters import ALLOWED_SILENCE
from controller.services.views.occurrences import Occurrence, occurrences


@dataclass(frozen=True)
class Decision:
    approved: bool
    by: str
    at: datetime
    reason: str
    revision: int
    lender: str = ""
    """In whose name, where the right was lent."""
    exception: str = ""
    """Number of the exception by which it is the author's own."""
    until: datetime | None = None


@dataclass(frozen=True)
class Row:
    """One delivery, with what the unit holds."""

    delivery: Delivery
    cluster: str
    station: str
    presence: Presence
    applied: int | None
    ear: Hearing | None = None
    """What the unit's ear said of it."""

    @property
    def ear_percent(self) -> int | None:
        return ears.share_of(self.ear)

    @property
    def confirmed(self) -> bool:
        """The unit follows a plan that is not older than the first one that named this delivery."""
        named = self.delivery.plan_version
        return named is not None and (self.applied or 0) >= named

    @property
    def open(self) -> bool:
        return self.delivery.state in {str(state) for state in OPEN}


@dataclass(frozen=True)
class Piece:
    """One language of a bulletin, or one part of a programme, with what became of it. `kind` as PartKind, "" outside
    programmes; `language` "" for what is no bulletin of our own."""

    kind: str
    title: str
    language: str
    start: datetime
    verdicts: Counter[str]
    rows: Sequence[Row]

    @property
    def open(self) -> int:
        return sum(not row.delivery.verdict for row in self.rows)


@dataclass(frozen=True)
class Whole:
    broadcast: Broadcast
    bulletin: Bulletin
    rendition: Rendition
    asset: Asset
    others: Sequence[tuple[Rendition, Asset]]
    """In further languages."""
    parts: Sequence[Part]
    """Of a programme, in order."""
    author: str
    station: str
    decisions: Sequence[Decision]
    cluster_names: dict[str, str]


@dataclass(frozen=True)
class Proof:
    """The deliveries of one occurrence, and the list of occurrences to choose from."""

    all: Sequence[Occurrence]
    chosen: Occurrence | None
    rows: Sequence[Row]
    pieces: Sequence[Piece]
    """The same by part and language, in the order in which they sound."""
    confirmed: int
    waiting: int
    """Clusters where something of it may still sound: how many have to confirm."""


def whole(session: Session, actor: Actor, broadcast_id: str) -> Whole:
    """Raises Refused("not_yours"): elsewhere, or not there at all."""
    broadcast = session.get(Broadcast, broadcast_id)
    station = session.get_one(Station, broadcast.station_id) if broadcast else None
    if broadcast is None or station is None or station.area_id not in actor.areas:
        raise Refused("not_yours")
    bulletin = session.get_one(Bulletin, broadcast.bulletin_id)
    rendition, *others = renditions.of(session, bulletin.id)
    lender = aliased(User)
    decisions = session.execute(
        select(Approval, User.full_name, lender.full_name, OwnException.number)
        .join(User, Approval.by_id == User.id)
        .outerjoin(Delegation, Approval.delegation_id == Delegation.id)
        .outerjoin(lender, Delegation.from_id == lender.id)
        .outerjoin(OwnException, Approval.exception_id == OwnException.id)
        .where(Approval.broadcast_id == broadcast_id)
        .order_by(Approval.revision.desc())
    )
    every = [*broadcast.clusters, *broadcast.joined]
    names = session.execute(select(Cluster.id, Cluster.name).where(Cluster.id.in_(every)))
    return Whole(
        broadcast=broadcast,
        bulletin=bulletin,
        rendition=rendition,
        others=[(each, session.get_one(Asset, each.asset_sha256)) for each in others],
        parts=programmes.parts_of(session, broadcast.id),
        asset=session.get_one(Asset, rendition.asset_sha256),
        author=session.get_one(User, broadcast.author_id).full_name,
        station=station.name,
        decisions=[
            Decision(
                *(approval.approved, name, approval.at, approval.reason, approval.revision),
                lender=lent or "",
                exception=number or "",
                until=approval.valid_until,
            )
            for approval, name, lent, number in decisions
        ],
        cluster_names={row[0]: row[1] for row in names},
    )


def proof(session: Session, actor: Actor, broadcast_id: str, start: datetime | None, now: datetime) -> Proof:
    """`start` chooses the occurrence; without it the one that sounds now, else the last, else the next.

    Deliveries elsewhere than in the actor's area are not among them.
    """
    every = occurrences(session, actor, Delivery.broadcast_id == broadcast_id)
    chosen = _choose(every, start, now)
    rows = _rows(session, actor, chosen, now) if chosen else []
    expected = {row.delivery.cluster_id for row in rows if row.open}
    unsure = {row.delivery.cluster_id for row in rows if row.open and not row.confirmed}
    pieces = _pieces(session, chosen, rows) if chosen else []
    return Proof(every, chosen, rows, pieces, len(expected - unsure), len(expected))


def _pieces(session: Session, chosen: Occurrence, rows: Sequence[Row]) -> list[Piece]:
    then = session.get(Revision, (chosen.broadcast, chosen.revision))
    parts = then.facts.get("parts", []) if then is not None else []
    groups: dict[tuple[int, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.delivery.part or 0, row.delivery.language), []).append(row)
    found = []
    for (place, language), several in groups.items():
        kind, title = parts[place][:2] if place < len(parts) else ("", "")
        counts = Counter(row.delivery.verdict for row in several if row.delivery.verdict)
        found.append(Piece(kind, title, language, min(row.delivery.start for row in several), counts, several))
    return sorted(found, key=lambda piece: piece.start)


def _choose(every: Sequence[Occurrence], start: datetime | None, now: datetime) -> Occurrence | None:
    if start is not None:
        return next((line for line in reversed(every) if line.start == start), None)
    current = [line for line in every if not line.withdrawn] or list(every)
    begun = [line for line in current if line.start <= now]
    return begun[-1] if begun else next(iter(current), None)


def _rows(session: Session, actor: Actor, chosen: Occurrence, now: datetime) -> list[Row]:
    rows = session.execute(
        select(Delivery, Cluster.name, Station.name, UnitStatus)
        .join(Cluster, Delivery.cluster_id == Cluster.id)
        .join(Station, Cluster.station_id == Station.id)
        .outerjoin(UnitStatus, UnitStatus.unit_id == Delivery.unit_id)
        .where(
            Delivery.broadcast_id == chosen.broadcast,
            Delivery.revision == chosen.revision,
            Delivery.begin == chosen.start,
            Station.area_id.in_(actor.areas),
        )
        .order_by(Delivery.cluster_id, Delivery.start)
    ).all()
    heard = ears.by_delivery(session, [row[0].id for row in rows])
    return [
        Row(
            delivery=delivery,
            cluster=cluster,
            station=station,
            presence=presence(status.connected, status.last_sign, now, ALLOWED_SILENCE) if status else Presence.NEVER,
            applied=status.plan_version if status else None,
            ear=heard.get(delivery.id),
        )
        for delivery, cluster, station, status in rows
    ]


def moves(session: Session, actor: Actor, delivery_id: str) -> tuple[Delivery, Sequence[DeliveryMove]]:
    """The chain of decisions of one delivery. Raises Refused("not_yours")."""
    delivery = session.get(Delivery, delivery_id)
    if delivery is None:
        raise Refused("not_yours")
    cluster = session.get_one(Cluster, delivery.cluster_id)
    if session.get_one(Station, cluster.station_id).area_id not in actor.areas:
        raise Refused("not_yours")
    found = session.scalars(
        select(DeliveryMove).where(DeliveryMove.delivery_id == delivery_id).order_by(DeliveryMove.id)
    ).all()
    return delivery, found
