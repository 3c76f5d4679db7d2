"""Who holds the horn when several want it: a total order, so that planner, page and unit agree (design, section 5)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from broadcasts.domain.model import Slot


def order(slot: Slot) -> tuple[int, int, datetime, str]:
    """The smaller one wins: class, then explicit rank (the higher wins), then start, then id."""
    return (int(slot.priority), -slot.rank, slot.start, slot.delivery)


@dataclass(frozen=True)
class Clash:
    """`loser` gives way to `winner` from `since` on."""

    loser: Slot
    winner: Slot
    since: datetime


def clashes(slots: Iterable[Slot]) -> Sequence[Clash]:
    """Every pair at the same cluster that wants the horn at the same time, in order of time."""
    by_cluster: dict[str, list[Slot]] = {}
    for slot in slots:
        by_cluster.setdefault(slot.cluster, []).append(slot)
    found: list[Clash] = []
    for here in by_cluster.values():
        here.sort(key=lambda slot: slot.start)
        for index, first in enumerate(here):
            for second in here[index + 1 :]:
                if second.start >= first.end:
                    break
                winner, loser = sorted((first, second), key=order)
                found.append(Clash(loser, winner, second.start))
    return sorted(found, key=lambda clash: (clash.since, clash.loser.delivery, clash.winner.delivery))
