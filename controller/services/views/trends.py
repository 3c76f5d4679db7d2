"""How it went, week by week or month by month: what sounded, what was heard, how long poles were there, what broke and
how long until it was over, what it took of data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from broadcasts.errors import Refused
from controller.db.tables import Cluster, ClusterDay, FaultCase, Station
from controller.services.history_keeping import local_day, midnight
from controller.services.rights import Actor, Right

STEPS = ("week", "month")
WEEKS, MONTHS = 14, 12


@dataclass
class Period:
    """[first, after)."""

    first: date
    after: date
    due: int = 0
    sounded: int = 0
    heard: int = 0
    known: int = 0
    there: int = 0
    """Of the half quarters of all poles of which is known whether they were connected: in how many they were."""
    data_mb: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    """Raised in it, by code, at single poles."""
    over: int = 0
    """Of those: how many are over."""
    lasted: timedelta = timedelta()
    """And how long they lasted together."""

    @property
    def mean_repair(self) -> timedelta | None:
        return self.lasted / self.over if self.over else None


def periods(by: str, today: date, keep: timedelta) -> list[Period]:
    """Weeks from Monday on, or months, up to the one of `today`, as far back as anything is kept."""
    found: list[Period] = []
    begin = today - timedelta(days=today.weekday()) if by == "week" else today.replace(day=1)
    for _ in range(WEEKS if by == "week" else MONTHS):
        after = begin + timedelta(days=7) if by == "week" else (begin + timedelta(days=32)).replace(day=1)
        found.append(Period(begin, after))
        begin = begin - timedelta(days=7) if by == "week" else (begin - timedelta(days=1)).replace(day=1)
        if begin < today - keep:
            break
    return found[::-1]


def trends(session: Session, actor: Actor, area: str, by: str, now: datetime, keep: timedelta) -> Sequence[Period]:
    """`area`: one commune's id, or "" for all that one sees. Raises Refused("no_right", "area.unknown",
    "choice.unknown")."""
    actor = actor.need(Right.HEALTH)
    if by not in STEPS:
        raise Refused("choice.unknown", name="by", value=by[:20])
    if area and area not in actor.areas:
        raise Refused("area.unknown", name=area[:40])
    areas = frozenset({area}) if area else actor.areas
    found = periods(by, local_day(now), keep)
    first = found[0].first
    names = ("due", "sounded", "heard", "link_known", "link_there", "data_used_mb")
    rows = session.execute(
        select(ClusterDay.day, *(func.sum(getattr(ClusterDay, name)) for name in names))
        .join(Cluster, Cluster.id == ClusterDay.cluster_id)
        .join(Station, Station.id == Cluster.station_id)
        .where(ClusterDay.day >= first, Station.area_id.in_(areas))
        .group_by(ClusterDay.day)
    )
    for day, *sums in rows:
        each = _of(found, day)
        if each is not None:
            for name, value in zip(("due", "sounded", "heard", "known", "there", "data_mb"), sums, strict=True):
                setattr(each, name, getattr(each, name) + int(value))
    cases = session.execute(
        select(FaultCase.code, FaultCase.raised_at, FaultCase.since, FaultCase.gone_at, FaultCase.resolved_at).where(
            FaultCase.raised_at >= midnight(first), FaultCase.cluster_id.is_not(None), FaultCase.area_id.in_(areas)
        )
    )
    for code, raised, since, gone, resolved in cases:
        each = _of(found, local_day(raised))
        if each is None:
            continue
        each.faults[code] += 1
        if (end := gone or resolved) is not None:
            each.over += 1
            each.lasted += max(end - since, timedelta())
    return found


def _of(found: Sequence[Period], day: date) -> Period | None:
    return next((each for each in found if each.first <= day < each.after), None)
