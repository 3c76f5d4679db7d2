"""What a plan is made of: the deliveries that may still sound, the files they need, and what was approved of relays."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.clock import VIETNAM
from broadcasts.domain.delivery import OPEN
from controller.db.tables import Asset, Delivery, Station
from controller.services import plan_document
from controller.services.context import HORIZON
from controller.services.deliveries import SLOW_CLOCK, may_sound_after
from controller.services.slots import last_sound
from controller.services.stations import regulation
from controller.services.valid_approvals import ends
from controller.services.valid_approvals import relays as approved_relays

_PLANNED = (
    *(Delivery.id, Delivery.cluster_id, Delivery.unit_id, Delivery.asset_sha256, Delivery.plan_version),
    *(Delivery.start, Delivery.end, Delivery.not_after, Delivery.priority, Delivery.rank, Delivery.volume),
    *(Delivery.on_preempt, Delivery.late, Delivery.broadcast_id, Delivery.revision, Delivery.relayed),
)


def due(session: Session, clusters: Sequence[str], now: datetime) -> tuple[dict[str, list[Any]], plan_document.Relays]:
    """By cluster, what may still sound and starts within the horizon: rows with the columns that a plan is made of;
    and what was approved of the relays among them."""
    found: dict[str, list[Any]] = defaultdict(list)
    # By the connection: the way of objects costs as much again, and these are thousands.
    rows: Any = session.connection().execute(
        select(*_PLANNED).where(
            Delivery.cluster_id.in_(clusters),
            Delivery.state.in_([str(state) for state in OPEN]),
            may_sound_after(now - SLOW_CLOCK),
            Delivery.start < now + HORIZON,
        )
    )
    rows = rows.all()
    approved = ends(session, {row.broadcast_id for row in rows})
    relays = approved_relays(session, {row.broadcast_id for row in rows if row.relayed is not None})
    for delivery in rows:
        whole = (delivery.broadcast_id, delivery.revision)
        if whole not in approved or ((end := approved[whole]) is not None and last_sound(delivery) > end):
            continue  # whatever made this row: what nobody approved is in no plan
        if delivery.relayed is not None and whole not in relays:
            continue
        # A verdict takes nothing out of the plan: what was displaced goes on, what is unknown may be about to begin.
        if last_sound(delivery) > now - SLOW_CLOCK:
            found[delivery.cluster_id].append(delivery)
    return found, relays


def assets(session: Session, names: set[str]) -> dict[str, Asset]:
    return {row.sha256: row for row in session.scalars(select(Asset).where(Asset.sha256.in_(names)))}


class Hours:
    """What lies ahead outside a station's hours is in no plan, whatever made the row: it had begun when the hours
    changed, by a clock that was set back since. What has begun stays, and the unit's own copy of the hours decides."""

    def __init__(self, station: Station, now: datetime) -> None:
        self._station, self._now = station, now
        self._known: dict[tuple[datetime, datetime], bool] = {}

    def of(self, rows: Sequence[Any], unfit: list[str]) -> list[Any]:
        """Those that may be in a plan; the ids of the others join `unfit`. Raises ValueError where the station's row
        says what no regulation can."""
        fit = []
        for row in rows:
            start, end = row.start, row.end
            may = self._known.get((start, end))
            if may is None:
                may = self._known[start, end] = self._may(start, end)
            if may:
                fit.append(row)
            else:
                unfit.append(row.id)
        return fit

    def _may(self, start: datetime, end: datetime) -> bool:
        return start <= self._now or regulation(self._station).allows(start, end - start, VIETNAM)
