"""Who would displace whom, before anything is saved."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.domain import priority as rules
from broadcasts.domain.delivery import OPEN
from broadcasts.domain.model import Priority, Slot
from broadcasts.ids import AssetId, BroadcastId, ClusterId, DeliveryId
from controller.db.tables import Broadcast, Bulletin, Cluster, Delivery
from controller.services.ranking import rank_of, ranks_at
from controller.services.replaced import Span, others
from controller.services.routing import AT_MOST, Pieces
from controller.services.slots import slot_of


def clashes(
    session: Session,
    asset: str,
    priority: int,
    clusters: Sequence[Cluster],
    ahead: Sequence[datetime],
    pieces: Pieces,
    editing: str | None,
    part: Span | None = None,
) -> list[rules.Clash]:
    """Who displaces whom at the horns of a draft, in the horizon; the draft's own broadcast is called ""."""
    longest = max((after + length for several in pieces.values() for after, length in several), default=None)
    if not ahead or not clusters or longest is None:
        return []
    ahead = ahead[: max(1, AT_MOST // len(clusters))]
    there = session.scalars(
        select(Delivery).where(
            Delivery.cluster_id.in_([cluster.id for cluster in clusters]),
            Delivery.state.in_([str(state) for state in OPEN]),
            Delivery.end > ahead[0],
            Delivery.start < ahead[-1] + longest,
            others(editing, part),
        )
    )
    slots = [slot_of(delivery) for delivery in there]
    ranked = ranks_at(session, {cluster.station_id for cluster in clusters}) if editing else {}
    ours = [
        Slot(
            DeliveryId(f"~{cluster.id}"),
            BroadcastId(""),
            ClusterId(cluster.id),
            AssetId(asset),
            start + after,
            length,
            Priority(priority),
            rank_of(ranked, cluster.station_id, editing or ""),
        )
        for cluster in clusters
        for start in ahead
        for after, length in pieces[cluster.id]
    ]
    return [clash for clash in rules.clashes([*slots, *ours]) if "" in (clash.loser.broadcast, clash.winner.broadcast)]


def titles(session: Session, found: Sequence[rules.Clash]) -> dict[str, str]:
    wanted = {clash.loser.broadcast for clash in found} | {clash.winner.broadcast for clash in found}
    rows = session.execute(
        select(Broadcast.id, Bulletin.title)
        .join(Bulletin, Broadcast.bulletin_id == Bulletin.id)
        .where(Broadcast.id.in_(wanted))
    )
    return {row[0]: row[1] for row in rows}
