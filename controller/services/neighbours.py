"""What people complain of besides the hour: last evening's programme again at dawn (R-054), and the pole next door that
says something else at the same time (R-055)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta

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
    every = there | dict.fromkeys(ahead, mine)
    found = []
    for evening in sorted(every):
        for morning in sorted(every):
            both = every[evening] & every[morning]
            if both and (evening in ahead or morning in ahead) and _dawn_after(evening, morning):
                found.append(Again(evening, morning, len(both)))
    return found[:MOST]


def _dawn_after(evening: datetime, morning: datetime) -> bool:
    before, after = evening.astimezone(VIETNAM), morning.astimezone(VIETNAM)
    next_day = after.date() - before.date() == timedelta(days=1)
    return next_day and before.time() >= EVENING_BEGINS and after.time() < MORNING_ENDS


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
    found = []
    for cluster, other, metres in pairs:
        for start in ahead:
            clash = next(
                (
                    row
                    for row in rows
                    if row.cluster_id == other.id
                    and row.start < start + duration
                    and start < row.end
                    and not (row.start == start and _sound(row.relayed, row.asset_sha256) == sound)
                ),
                None,
            )
            if clash is not None:
                found.append(Overlap(cluster.name, other.name, metres, clash.title, max(start, clash.start)))
                break
    return found[:MOST]


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
