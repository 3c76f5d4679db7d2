"""A delivery as the rules see it."""

from __future__ import annotations

from datetime import datetime

from broadcasts.domain.model import Late, OnPreempt, Priority, Slot
from broadcasts.ids import AssetId, BroadcastId, ClusterId, DeliveryId
from controller.db.tables import Delivery


def slot_of(delivery: Delivery) -> Slot:
    return Slot(
        delivery=DeliveryId(delivery.id),
        broadcast=BroadcastId(delivery.broadcast_id),
        cluster=ClusterId(delivery.cluster_id),
        asset=AssetId(delivery.asset_sha256),
        start=delivery.start,
        duration=delivery.end - delivery.start,
        priority=Priority(delivery.priority),
        rank=delivery.rank,
        on_preempt=OnPreempt(delivery.on_preempt),
        late=Late(delivery.late),
        not_after=delivery.not_after,
        volume=delivery.volume,
    )


def last_sound(delivery: Delivery) -> datetime:
    """Nothing of it sounds at or after this instant, even where it may begin late or again, and then whole."""
    whole_later = delivery.late != Late.DROP or delivery.on_preempt in (OnPreempt.RESTART, OnPreempt.NEXT_SLOT)
    return max(delivery.end, delivery.not_after + (delivery.end - delivery.start)) if whole_later else delivery.end
