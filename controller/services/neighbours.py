"""What people complain of besides the hour: last evening's programme again at dawn (R-054), and the pole next door that
says something else at the same time (R-055)."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.clock import VIETNAM
from broadcasts.domain.delivery import OPEN, State
from controller.db.tables import Broadcast, Bulletin, Cluster, Delivery
from controller.services.replaced import Span, others

MORNING_ENDS, EVENING_BEGINS = time(9), time(16)
NEAR_M = 500
"""Poles nearer than this are heard together. A guess: the complaint of R-055 speaks of three within about 2 km."""
DEGREE_M = 111_320
MOST = 5
"""Notes of a kind that are said."""


@dataclass(frozen=True)
class Again:
    """The recording sounds in the evening and again the next morning."""

    evening: datetime
    morning: datetime
    clusters: int


@dataclass(frozen=True)
class Overlap:
    """`cluster` of the draft and `other` beside it sound at the same time, and not the same thing together."""

    cluster: str
    other: str
    metres: int
    title: str
    at: datetime


def repeats(
    session: Session,
    asset: str,
    clusters: Sequence[Cluster],
    ahead: Sequence[datetime],
    editing: str | None,
    part: Span | None = None,
) -> list[Again]:
    if not asset or not ahead or not clusters:
        return []
    day = timedelta(days=1)
    planned = session.execute(
        select(Delivery.cluster_id, Delivery.start).where(
            Delivery.cluster_id.in_([cluster.id for cluster in clusters]),
            Delivery.asset_sha256 == asset,
            Delivery.relayed.is_(None),
            Delivery.state.in_([str(state) for state in (*OPEN, State.PLAYED)]),
            others(editing, part),
            Delivery.start > ahead[0] - day,
            Delivery.start < ahead[-1] + day,
        )
    )
    there: dict[datetime, set[str]] = {}
    for cluster, start in planned:
        there.setdefault(start, set()).add(cluster)
    mine = {cluster.id for cluster in clusters}
    every, new = there | dict.fromkeys(ahead, mine), set(ahead)
    dawns: dict[date, list[datetime]] = defaultdict(list)
    for start in sorted(every):
        local = start.astimezone(VIETNAM)
        if local.time() < MORNING_ENDS:
            dawns[local.date()].append(start)
    found: list[Again] = []
    for evening in sorted(every):
        local = evening.astimezone(VIETNAM)
        if local.time() < EVENING_BEGINS:
            continue
        for morning in dawns[local.date() + day]:
            if not new.isdisjoint((evening, morning)) and (both := every[evening] & every[morning]):
                found.append(Again(evening, morning, len(both)))
                if len(found) == MOST:
                    return found
    return found


def overlaps(
    session: Session, sound: str, clusters: Sequence[Cluster], ahead: Sequence[datetime], duration: timedelta
) -> list[Overlap]:
    """What starts together says the same thing together: an echo, but one voice. Clusters of one broadcast do."""
    placed = [each for each in clusters if each.latitude is not None and each.longitude is not None]
    if not placed or not ahead:
        return []
    pairs = _near(session, placed)
    rows = session.execute(
        select(
            Delivery.cluster_id, Delivery.start, Delivery.end, Delivery.asset_sha256, Delivery.relayed, Bulletin.title
        )
        .join(Broadcast, Delivery.broadcast_id == Broadcast.id)
        .join(Bulletin, Broadcast.bulletin_id == Bulletin.id)
        .where(
            Delivery.cluster_id.in_({other.id for _, other, _ in pairs}),
            Delivery.state.in_([str(state) for state in OPEN]),
            Delivery.end > ahead[0],
            Delivery.start < ahead[-1] + duration,
        )
        .order_by(Delivery.start)
    ).all()
    there: dict[str, list[Any]] = defaultdict(list)
    for row in rows:
        there[row.cluster_id].append(row)
    found: list[Overlap] = []
    for cluster, other, metres in pairs:
        clash = _clash(there[other.id], sound, ahead, duration)
        if clash is not None:
            start, row = clash
            found.append(Overlap(cluster.name, other.name, metres, row.title, max(start, row.start)))
            if len(found) == MOST:
                break
    return found


def _clash(
    rows: Sequence[Any], sound: str, ahead: Sequence[datetime], duration: timedelta
) -> tuple[datetime, Any] | None:
    """The first of our starts at which a pole with these deliveries, in order, says something else. In a storm there
    are hundreds of each: only those near in time are looked at."""
    begins = [row.start for row in rows]
    longest = max((row.end - row.start for row in rows), default=timedelta(0))
    for start in ahead:
        for row in rows[bisect_right(begins, start - longest) : bisect_left(begins, start + duration)]:
            together = row.start == start and _sound(row.relayed, row.asset_sha256) == sound
            if row.end > start and not together:
                return start, row
    return None


def _sound(relayed: str | None, asset: str) -> str:
    """As `relaying.sound`."""
    return asset if relayed is None else f"relay {relayed}"


def _near(session: Session, placed: Sequence[Cluster]) -> list[tuple[Cluster, Cluster, int]]:
    """(one of these, one that is not, metres), the nearest first."""
    mine = {cluster.id for cluster in placed}
    margin = NEAR_M / DEGREE_M * 1.1
    latitudes = [cluster.latitude or 0 for cluster in placed]
    longitudes = [cluster.longitude or 0 for cluster in placed]
    others = session.scalars(
        select(Cluster).where(
            Cluster.latitude.between(min(latitudes) - margin, max(latitudes) + margin),
            Cluster.longitude.between(min(longitudes) - margin, max(longitudes) + margin),
            Cluster.removed_at.is_(None),
        )
    ).all()
    strangers = [other for other in others if other.id not in mine]
    pairs = [(one, other, metres(one, other)) for one in placed for other in strangers]
    return sorted((pair for pair in pairs if pair[2] < NEAR_M), key=lambda pair: pair[2])


def metres(one: Cluster, other: Cluster) -> int:
    """On a flat map, which is right within a commune."""
    north = ((one.latitude or 0) - (other.latitude or 0)) * DEGREE_M
    east = ((one.longitude or 0) - (other.longitude or 0)) * DEGREE_M * math.cos(math.radians(one.latitude or 0))
    return round(math.hypot(north, east))
