"""Who may still play what was taken off the air: units that have not reported a plan without it (R-056)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.domain.delivery import State
from broadcasts.domain.presence import Presence, presence
from controller.db.tables import Cluster, Delivery, Station, UnitStatus
from controller.services.deliveries import may_sound_after
from controller.services.plan_document import MAX_AUTONOMY_S
from controller.services.rights import Actor
from controller.services.slots import last_sound
from controller.services.views.clusters import ALLOWED_SILENCE


@dataclass(frozen=True)
class Holder:
    """`certain`: it reported a plan that names it, and none since; otherwise the plan was sent and nothing is known.
    `next`: the first start that it would play; after `until` it plays nothing of it, whatever it hears."""

    cluster: str
    name: str
    unit: str
    presence: Presence
    last_sign: datetime | None
    certain: bool
    times: int
    next: datetime
    until: datetime


@dataclass(frozen=True)
class Holders:
    """`all`: clusters where something that may still sound was taken off; `still`: those of them that may play it."""

    all: int
    still: Sequence[Holder]


def holders(session: Session, actor: Actor, broadcast_id: str, now: datetime) -> Holders:
    """Of one broadcast, all revisions, in the actor's area; by name of cluster."""
    rows = session.execute(
        select(Delivery, Cluster.name, UnitStatus)
        .join(Cluster, Delivery.cluster_id == Cluster.id)
        .join(Station, Cluster.station_id == Station.id)
        .outerjoin(UnitStatus, UnitStatus.unit_id == Delivery.unit_id)
        .where(
            Delivery.broadcast_id == broadcast_id,
            Delivery.state == str(State.WITHDRAWN),
            Delivery.last_plan.is_not(None),
            Station.area_id.in_(actor.areas),
            may_sound_after(now),
        )
        .order_by(Cluster.name, Delivery.cluster_id, Delivery.start)
    )
    by_cluster: dict[str, list[tuple[Delivery, str, UnitStatus | None]]] = {}
    for delivery, name, status in rows:
        if last_sound(delivery) > now:
            by_cluster.setdefault(delivery.cluster_id, []).append((delivery, name, status))
    still: list[Holder] = []
    for several in by_cluster.values():
        held = [each for each in several if _may_hold(each[0], each[2])]
        if held and (one := _holder(held, now)).until > now:
            still.append(one)
    return Holders(len(by_cluster), still)


def _may_hold(delivery: Delivery, status: UnitStatus | None) -> bool:
    applied = status.plan_version if status else None
    return delivery.last_plan is not None and (applied or 0) <= delivery.last_plan


def _holder(held: Sequence[tuple[Delivery, str, UnitStatus | None]], now: datetime) -> Holder:
    first, name, status = held[0]
    sign = status.last_sign if status else None
    until = max(last_sound(delivery) for delivery, _, _ in held)
    if sign is not None:
        until = min(until, sign + timedelta(seconds=MAX_AUTONOMY_S))
    applied = (status.plan_version if status else None) or 0
    return Holder(
        cluster=first.cluster_id,
        name=name,
        unit=first.unit_id or "",
        presence=presence(status.connected, sign, now, ALLOWED_SILENCE) if status else Presence.NEVER,
        last_sign=sign,
        certain=any(applied >= (delivery.plan_version or applied + 1) for delivery, _, _ in held),
        times=len(held),
        next=min(delivery.start for delivery, _, _ in held),
        until=until,
    )
