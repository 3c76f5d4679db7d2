"""Where a priority bulletin goes whose time is taken at some clusters: foreseen, and settled as deliveries are made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from broadcasts.domain.delivery import OPEN
from broadcasts.domain.model import Priority, Slot
from broadcasts.domain.routing import MOST_STACKED, Routing, Unreached, Want, route
from broadcasts.errors import LoaError, Refused
from broadcasts.ids import AssetId, BroadcastId, ClusterId, DeliveryId
from controller.db.tables import Broadcast, Cluster, Delivery
from controller.services.around import ALONE, Around
from controller.services.ranking import rank_of, ranks_at
from controller.services.replaced import Span, others
from controller.services.slots import slot_of
from controller.services.stations import units_of

AT_MOST = 100_000
"""Starts times clusters that a preview looks at: the earlier starts stand for the later ones."""
Pieces = Mapping[str, Sequence[tuple[timedelta, timedelta]]]
"""By cluster: when each language or part begins after the start, and how long it sounds. Each is a delivery, so
something may come in between."""


@dataclass(frozen=True)
class NotThere:
    """At these clusters it would not sound at `start`."""

    start: datetime
    why: Unreached
    clusters: tuple[str, ...]


def problems(routing: str, stack_minutes: int | None, priority: int) -> list[LoaError]:
    """Of what a form says."""
    if routing not in set(Routing):
        return [Refused("choice.unknown", name="routing", value=routing[:20])]
    if routing and priority != Priority.PRIORITY:
        return [Refused("routing.priority")]
    if routing == Routing.STACKED and not 1 <= (stack_minutes or 0) <= MOST_STACKED:
        return [Refused("routing.minutes", most=MOST_STACKED)]
    return []


def settle(
    session: Session,
    broadcast: Broadcast,
    rows: Sequence[dict[str, Any]],
    shut: set[str],
    around: Around = ALONE,
) -> dict[str, str]:
    """Of new deliveries, as rows, those that get nowhere, with the reason; `shut`: those that are off the air
    already."""
    kind = Routing(broadcast.routing)
    if kind is Routing.AS_IT_COMES or not rows:
        return {}
    wants = [Want(_slot_of_row(row), row["begin"], row["id"] in shut) for row in rows]
    most = timedelta(minutes=broadcast.stack_minutes or 0)
    found = route(kind, wants, besides(session, wants, others(broadcast.id, None), around), most)
    return {str(name): str(why) for name, why in found.items()}


def foreseen(
    session: Session,
    routing: str,
    stack_minutes: int | None,
    clusters: Sequence[Cluster],
    ahead: Sequence[datetime],
    pieces: Pieces,
    editing: str | None,
    part: Span | None = None,
) -> list[NotThere]:
    """The same for a draft, in the order of starts."""
    if not routing or not ahead or not any(pieces.values()):
        return []
    served = units_of(session, [cluster.id for cluster in clusters])
    ranked = ranks_at(session, {cluster.station_id for cluster in clusters}) if editing else {}
    wants = [
        Want(
            Slot(
                DeliveryId(f"~{cluster.id} {(start + after).isoformat()}"),
                BroadcastId(editing or ""),
                ClusterId(cluster.id),
                AssetId(""),
                start + after,
                length,
                Priority.PRIORITY,
                rank_of(ranked, cluster.station_id, editing or ""),
            ),
            start,
            cluster.id not in served,
        )
        for start in ahead[: max(1, AT_MOST // len(clusters))]
        for cluster in clusters
        for after, length in pieces[cluster.id]
    ]
    most = timedelta(minutes=stack_minutes or 0)
    found = route(Routing(routing), wants, besides(session, wants, others(editing, part)), most)
    together: dict[tuple[datetime, Unreached], dict[str, None]] = {}
    for want in wants:
        if (why := found.get(want.slot.delivery)) is not None:
            together.setdefault((want.occurrence, why), {})[want.slot.cluster] = None
    return [NotThere(start, why, tuple(names)) for (start, why), names in together.items()]


def besides(session: Session, wants: Sequence[Want], there: ColumnElement[bool], around: Around = ALONE) -> list[Slot]:
    """What is planned at these clusters around these times, `there` says of which; and what is `around`, of other
    broadcasts."""
    slots = [want.slot for want in wants]
    own, where = {slot.broadcast for slot in slots}, {slot.cluster for slot in slots}
    more = [slot_of(each) for each in around.at(where) if each.priority <= Priority.PRIORITY]
    rows = session.execute(
        select(
            *(Delivery.id, Delivery.broadcast_id, Delivery.cluster_id, Delivery.asset_sha256, Delivery.start),
            *(Delivery.end, Delivery.priority, Delivery.rank),
        ).where(
            Delivery.cluster_id.in_(where),
            Delivery.state.in_([str(state) for state in OPEN]),
            Delivery.priority <= int(Priority.PRIORITY),
            Delivery.end > min(slot.start for slot in slots),
            Delivery.start < max(slot.end for slot in slots) + timedelta(minutes=MOST_STACKED),
            there,
        )
    )
    return [
        Slot(
            DeliveryId(row.id),
            BroadcastId(row.broadcast_id),
            ClusterId(row.cluster_id),
            AssetId(row.asset_sha256),
            row.start,
            row.end - row.start,
            Priority(row.priority),
            row.rank,
        )
        for row in rows
        if row.id not in around.without
    ] + [slot for slot in more if slot.broadcast not in own]


def _slot_of_row(row: Mapping[str, Any]) -> Slot:
    return Slot(
        DeliveryId(row["id"]),
        BroadcastId(row["broadcast_id"]),
        ClusterId(row["cluster_id"]),
        AssetId(row["asset_sha256"]),
        row["start"],
        row["end"] - row["start"],
        Priority(row["priority"]),
        row["rank"],
    )
