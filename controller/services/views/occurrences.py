"""Which occurrence stands where, summed over its clusters: the line that home, calendar and broadcast page share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from broadcasts.domain.delivery import State
from broadcasts.domain.verdict import Verdict
from controller.db.tables import Broadcast, Bulletin, Cluster, Delivery, Revision, Station
from controller.services.rights import Actor

GOOD = (Verdict.HEARD, Verdict.PLAYED)
TROUBLE = (Verdict.FAILED_TO_SOUND, Verdict.NOT_PLAYED, Verdict.UNKNOWN)
OURS = frozenset({"withdrawn", "edited"})
"""Not played because people wanted it so: no trouble."""


@dataclass
class Occurrence:
    """One start of one revision of a broadcast, at the clusters the actor may see."""

    broadcast: str
    revision: int
    title: str
    station: str
    priority: int
    start: datetime
    end: datetime
    states: Counter[str] = field(default_factory=Counter)
    verdicts: Counter[str] = field(default_factory=Counter)
    reasons: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(verdict, reason) of what is neither heard nor played."""

    @property
    def clusters(self) -> int:
        return sum(self.states.values())

    @property
    def good(self) -> int:
        return sum(self.verdicts[verdict] for verdict in GOOD)

    @property
    def wrong(self) -> int:
        """Without what was taken off the air on purpose."""
        meant = sum(count for (_, reason), count in self.reasons.items() if reason in OURS)
        return sum(self.verdicts[verdict] for verdict in TROUBLE) - meant

    @property
    def withdrawn(self) -> bool:
        """Nothing of it will sound, or did."""
        return self.states[State.WITHDRAWN] == self.clusters and self.wrong == 0


def occurrences(session: Session, actor: Actor, *where: ColumnElement[bool]) -> list[Occurrence]:
    """Those with deliveries in the actor's area that fulfil `where`, in order of start."""
    rows = session.execute(
        select(
            Delivery.broadcast_id,
            Delivery.revision,
            Delivery.start,
            Delivery.end,
            Delivery.state,
            Delivery.verdict,
            Delivery.reason,
            func.count(),
            func.max(Delivery.priority),
            func.coalesce(func.min(Revision.title), func.min(Bulletin.title)),
            func.min(Broadcast.station_id),
        )
        .join(Broadcast, Delivery.broadcast_id == Broadcast.id)
        .join(Bulletin, Broadcast.bulletin_id == Bulletin.id)
        .outerjoin(Revision, (Revision.broadcast_id == Delivery.broadcast_id) & (Revision.number == Delivery.revision))
        .join(Cluster, Delivery.cluster_id == Cluster.id)
        .join(Station, Cluster.station_id == Station.id)
        .where(Station.area_id.in_(actor.areas), *where)
        .group_by(
            Delivery.broadcast_id,
            Delivery.revision,
            Delivery.start,
            Delivery.end,
            Delivery.state,
            Delivery.verdict,
            Delivery.reason,
        )
        .order_by(Delivery.start, Delivery.broadcast_id)
    ).all()
    found: dict[tuple[str, int, datetime], Occurrence] = {}
    for broadcast, revision, start, end, state, verdict, reason, count, priority, title, station in rows:
        key = (broadcast, revision, start)
        if key not in found:
            found[key] = Occurrence(broadcast, revision, title, station, priority, start, end)
        line = found[key]
        line.states[state] += count
        if verdict is not None:
            line.verdicts[verdict] += count
            if verdict in TROUBLE:
                line.reasons[(verdict, reason or "")] += count
    return list(found.values())


def on_air(lines: Iterable[Occurrence]) -> Sequence[Occurrence]:
    """Without those that were taken off the air before anything of them sounded."""
    return [line for line in lines if not line.withdrawn]
