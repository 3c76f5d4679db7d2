"""The ranks that follow from what communes decided about their priority broadcasts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.domain.precedence import Precedence, ranks
from broadcasts.ids import BroadcastId
from controller.db.tables import PriorityDecision

Ranks = dict[str, dict[BroadcastId, int]]
"""By station; a broadcast that is not there has rank 0."""


def ranks_at(session: Session, stations: Collection[str]) -> Ranks:
    """Of these stations, all that were ever decided there."""
    decided: dict[str, list[Precedence]] = defaultdict(list)
    rows = select(PriorityDecision).where(PriorityDecision.station_id.in_(list(stations)))
    for row in session.scalars(rows.order_by(PriorityDecision.id)):
        decided[row.station_id].append(Precedence(BroadcastId(row.first_id), BroadcastId(row.second_id)))
    return {station: ranks(decisions) for station, decisions in decided.items()}


def rank_of(found: Ranks, station: str, broadcast: str) -> int:
    return found.get(station, {}).get(BroadcastId(broadcast), 0)
