"""Which occurrence stands where, summed over its clusters: the line that home, calendar and broadcast page share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import ColumnElement, case, func, select
from sqlalchemy.orm import Session

from broadcasts.domain.delivery import State
from broadcasts.domain.verdict import Verdict
from controller.db.tables import Broadcast, Bulletin, Cluster, Delivery, Revision, Station
from controller.services.rights import Actor

GOOD = (Verdict.HEARD, Verdict.PLAYED)
TROUBLE = (Verdict.FAILED_TO_SOUND, Verdict.NOT_PLAYED, Verdict.UNKNOWN)
OURS = frozenset({"withdrawn", "edited", "relay_retired"})
"""Not played because people wanted it so: no trouble."""


@dataclass
class Occurrence:
    """One playing of one revision of a broadcast, from the first sound of it to the last, at the clusters the actor may
    see. Each cluster counts once, however many languages and parts there are: by the worst of its bulletins."""

    broadcast: str
    revision: int
    title: str
    station: str
    priority: int
    start: datetime
    end: datetime
    relayed: str = ""
    """Name of the station that was relayed (R-024)."""
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


_WEIGHT = case(
    {
        str(Verdict.HEARD): "1",
        str(Verdict.PLAYED): "2",
        str(Verdict.NOT_PLAYED): "3",
        str(Verdict.UNKNOWN): "4",
        str(Verdict.FAILED_TO_SOUND): "5",
    },
    value=Delivery.verdict,
    else_=case({str(State.WITHDRAWN): "6", str(State.PLAYING): "8"}, value=Delivery.state, else_="7"),
)
_SPEAKS = (
    case((Delivery.frame, "0"), else_="1")
    .concat(_WEIGHT)
    .concat("|")
    .concat(Delivery.state)
    .concat("|")
    .concat(func.coalesce(Delivery.verdict, ""))
    .concat("|")
    .concat(func.coalesce(Delivery.reason, ""))
)
"""Of several pieces at one cluster the greatest speaks for all: what is open, then the worst verdict; bulletins before
what stands around them."""


def occurrences(session: Session, actor: Actor, *where: ColumnElement[bool]) -> list[Occurrence]:
    """Those with deliveries in the actor's area that fulfil `where`, in order of start."""
    here = (
        select(
            *(Delivery.broadcast_id, Delivery.revision, Delivery.begin, Delivery.cluster_id),
            func.max(Delivery.end).label("end"),
            func.max(Delivery.priority).label("priority"),
            func.max(_SPEAKS).label("speaks"),
            func.max(Delivery.relayed).label("relayed"),
        )
        .join(Cluster, Delivery.cluster_id == Cluster.id)
        .join(Station, Cluster.station_id == Station.id)
        .where(Station.area_id.in_(actor.areas), *where)
        .group_by(Delivery.broadcast_id, Delivery.revision, Delivery.begin, Delivery.cluster_id)
        .subquery()
    )
    same = (here.c.broadcast_id, here.c.revision, here.c.begin)
    rows = session.execute(
        select(
            *same,
            func.max(here.c.end),
            here.c.speaks,
            func.count(),
            func.max(here.c.priority),
            func.coalesce(func.min(Revision.title), func.min(Bulletin.title)),
            func.min(Broadcast.station_id),
            func.coalesce(func.max(here.c.relayed), ""),
        )
        .join(Broadcast, here.c.broadcast_id == Broadcast.id)
        .join(Bulletin, Broadcast.bulletin_id == Bulletin.id)
        .outerjoin(Revision, (Revision.broadcast_id == here.c.broadcast_id) & (Revision.number == here.c.revision))
        .group_by(*same, here.c.speaks)
        .order_by(here.c.begin, here.c.broadcast_id, here.c.revision)
    ).all()
    found: dict[tuple[str, int, datetime], Occurrence] = {}
    for broadcast, revision, begin, end, speaks, count, priority, title, station, relayed in rows:
        key = (broadcast, revision, begin)
        if key not in found:
            found[key] = Occurrence(broadcast, revision, title, station, priority, begin, end, relayed)
        line = found[key]
        line.end = max(line.end, end)
        _, state, verdict, reason = speaks.split("|", 3)
        line.states[state] += count
        if verdict:
            line.verdicts[verdict] += count
            if verdict in TROUBLE:
                line.reasons[(verdict, reason)] += count
    return list(found.values())


def on_air(lines: Iterable[Occurrence]) -> Sequence[Occurrence]:
    """Without those that were taken off the air before anything of them sounded."""
    return [line for line in lines if not line.withdrawn]
