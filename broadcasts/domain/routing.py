"""Where a priority bulletin goes whose time is taken at some clusters: by what its author chose (design, section 5)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from broadcasts.domain.model import Slot
from broadcasts.domain.priority import order
from broadcasts.ids import DeliveryId

MOST_STACKED = 120
"""Minutes. Our choice: what waits longer is another broadcast."""


class Routing(StrEnum):
    AS_IT_COMES = ""
    """Everywhere, and where it loses the horn it does what `OnPreempt` says."""
    PARTIAL = "partial"
    """At those clusters that can sound it whole at its time."""
    ALL_OR_NONE = "all_or_none"
    """At all of them at its time, or at none."""
    STACKED = "stacked"
    """Behind what goes first, but not longer than so many minutes; where that is not enough, not at all."""


class Unreached(StrEnum):
    """Why a cluster does not get it."""

    BUSY = "busy"
    BUSY_TOO_LONG = "busy_too_long"
    NOT_ALL = "not_all"


@dataclass(frozen=True)
class Want:
    """`occurrence`: the start it belongs to, over all clusters. `shut`: something else keeps it off the air already."""

    slot: Slot
    occurrence: datetime
    shut: bool = False


def route(
    kind: Routing, wants: Sequence[Want], others: Iterable[Slot], most: timedelta = timedelta(0)
) -> Mapping[DeliveryId, Unreached]:
    """Those that do not get it, and why; `others` is what is planned besides. What goes after it is never in its
    way. Languages and parts of one occurrence get to a cluster together or not at all."""
    if kind is Routing.AS_IT_COMES:
        return {}
    there: dict[str, list[Slot]] = defaultdict(list)
    for other in others:
        there[other.cluster].append(other)
    found: dict[DeliveryId, Unreached] = {}
    for want in wants:
        if want.shut:
            continue
        first = sorted(
            (each for each in there[want.slot.cluster] if order(each) < order(want.slot)),
            key=lambda slot: slot.start,
        )
        wait = _wait(want.slot, first)
        if kind is Routing.STACKED:
            if wait > most:
                found[want.slot.delivery] = Unreached.BUSY_TOO_LONG
        elif wait:
            found[want.slot.delivery] = Unreached.BUSY
    lost = {
        (want.slot.cluster, want.occurrence): found[want.slot.delivery] for want in wants if want.slot.delivery in found
    }
    for want in wants:
        if not want.shut and (why := lost.get((want.slot.cluster, want.occurrence))) is not None:
            found.setdefault(want.slot.delivery, why)
    if kind is Routing.ALL_OR_NONE:
        failed = {want.occurrence for want in wants if want.shut or want.slot.delivery in found}
        for want in wants:
            if want.occurrence in failed and not want.shut:
                found.setdefault(want.slot.delivery, Unreached.NOT_ALL)
    return found


def _wait(slot: Slot, first: Sequence[Slot]) -> timedelta:
    """Until the horn is free for the whole of it; `first` by start."""
    begin = slot.start
    for each in first:
        if each.start < begin + slot.duration and begin < each.end:
            begin = each.end
    return begin - slot.start
