"""Which of two priority broadcasts goes first is the commune's decision (R-016); decisions become ranks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from broadcasts.ids import BroadcastId


@dataclass(frozen=True)
class Precedence:
    """Somebody decided that `first` goes before `second` where both want the same horn."""

    first: BroadcastId
    second: BroadcastId


def standing(decisions: Sequence[Precedence]) -> list[Precedence]:
    """Those that hold, the newest first; `decisions` the oldest first. One that the newer ones contradict, together or
    alone, has fallen: no order could honour them all."""
    kept: list[Precedence] = []
    below: dict[BroadcastId, set[BroadcastId]] = {}
    for each in reversed(decisions):
        if each.first != each.second and each.first not in _under(below, each.second):
            kept.append(each)
            below.setdefault(each.first, set()).add(each.second)
    return kept


def ranks(decisions: Sequence[Precedence]) -> dict[BroadcastId, int]:
    """The smallest ranks from 0 that honour all that stand; a broadcast that is not named has rank 0."""
    below: dict[BroadcastId, set[BroadcastId]] = {}
    for each in standing(decisions):
        below.setdefault(each.first, set()).add(each.second)
        below.setdefault(each.second, set())
    found: dict[BroadcastId, int] = {}
    # Each round settles at least one: nothing stands in a circle.
    while len(found) < len(below):
        for name, under in below.items():
            if name not in found and under <= found.keys():
                found[name] = 1 + max((found[each] for each in under), default=-1)
    return found


def _under(below: dict[BroadcastId, set[BroadcastId]], name: BroadcastId) -> set[BroadcastId]:
    """All that `name` goes before, by whatever way, and itself."""
    found, front = {name}, {name}
    while front:
        front = {each for one in front for each in below.get(one, ())} - found
        found |= front
    return found
