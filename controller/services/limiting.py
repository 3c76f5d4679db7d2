"""A station's limits of session, day and week, held against what is planned, live voices, and what has sounded
(R-052)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, select, true
from sqlalchemy.orm import Session

from broadcasts.clock import VIETNAM
from broadcasts.domain.delivery import OPEN, State
from broadcasts.domain.limits import Excess, Limits, Sound, excesses
from controller.db.tables import Delivery
from controller.services.around import ALONE, Around
from controller.services.spoken import spoken

A_WEEK = timedelta(days=7)
COUNTS = [str(state) for state in (*OPEN, State.PLAYED)]


def too_much(
    session: Session,
    limits: Mapping[str, Limits],
    more: Mapping[str, Sequence[Sound]],
    now: datetime,
    *,
    there: ColumnElement[bool] | None = None,
    around: Around = ALONE,
    voice: str = "",
) -> dict[str, list[Excess]]:
    """By cluster, what of `more` would go over the limits of its cluster; `there`: which of those that are planned
    count; none: all, and what is `around`. `voice`: the live voice that asks, which is not beside itself."""
    limited = [name for name, sounds in more.items() if sounds and limits[name].any]
    if not limited:
        return {}
    first = min(sound[0] for name in limited for sound in more[name]) - A_WEEK
    last = max(sound[1] for name in limited for sound in more[name]) + A_WEEK
    beside = _sounds(session, limited, first, last, true() if there is None else there, around)
    voices = spoken(session, limited, first, last, now, voice)
    for name in limited:
        beside[name] += voices.get(name, [])
    found = {name: excesses(beside[name], more[name], limits[name], VIETNAM) for name in limited}
    return {name: over for name, over in found.items() if over}


def over_the_limit(
    session: Session,
    limits: Mapping[str, Limits],
    rows: Sequence[dict[str, Any]],
    now: datetime,
    around: Around = ALONE,
) -> dict[str, str]:
    """Of new deliveries, as rows: the reason by name."""
    more: dict[str, list[Sound]] = defaultdict(list)
    for row in rows:
        more[row["cluster_id"]].append((row["start"], row["end"]))
    over = {
        (cluster, each.at): f"limit_{each.kind}"
        for cluster, several in too_much(session, limits, more, now, around=around).items()
        for each in several
    }
    return {row["id"]: over[key] for row in rows if (key := (row["cluster_id"], row["start"])) in over}


def _sounds(
    session: Session,
    clusters: Collection[str],
    first: datetime,
    last: datetime,
    there: ColumnElement[bool],
    around: Around,
) -> dict[str, list[Sound]]:
    found: dict[str, list[Sound]] = defaultdict(list)
    rows = session.execute(
        select(Delivery.id, Delivery.cluster_id, Delivery.start, Delivery.end).where(
            Delivery.cluster_id.in_(clusters),
            Delivery.state.in_(COUNTS),
            Delivery.start >= first,
            Delivery.start < last,
            there,
        )
    )
    for name, cluster, start, end in rows:
        if name not in around.without:
            found[cluster].append((start, end))
    for each in around.at(clusters):
        if first <= each.start < last:
            found[each.cluster_id].append((each.start, each.end))
    return found
