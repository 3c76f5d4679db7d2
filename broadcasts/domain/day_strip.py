"""A day of one cluster as two strips of quarter hours: was it connected, what fed it. One letter a quarter, so that a
year of a cluster is small and never grows with how often its link came and went. Days are those of Viet Nam, which
knows no summer time: each has 96 quarters.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

QUARTER = timedelta(minutes=15)
QUARTERS = 96


class Mark(StrEnum):
    NOBODY_KNOWS = "."
    CONNECTED = "1"
    PARTLY = "~"
    """It came or went in that quarter."""
    AWAY = "0"
    MAINS = "m"
    BATTERY = "b"
    POWER_LOST = "x"
    """Away, and on battery when last heard: most likely it has run empty."""


EMPTY = Mark.NOBODY_KNOWS * QUARTERS


@dataclass(frozen=True)
class Stretch:
    """[begin, end) of one kind."""

    begin: datetime
    end: datetime
    mark: Mark


def quarter_of(local: datetime) -> datetime:
    """Its beginning. `local`: in Viet Nam."""
    return local.replace(minute=local.minute // 15 * 15, second=0, microsecond=0)


def place_of(local: datetime) -> int:
    """Where in the strip of its day."""
    return local.hour * 4 + local.minute // 15


def link(connected: bool | None, changed_at: datetime | None, begin: datetime) -> Mark:
    """Of the quarter from `begin` that has just ended. `changed_at`: when it last came or went."""
    if connected is None:
        return Mark.NOBODY_KNOWS
    if changed_at is not None and changed_at > begin:
        return Mark.PARTLY
    return Mark.CONNECTED if connected else Mark.AWAY


def power(connected: bool | None, said: str | None, said_at: datetime | None, now: datetime, stale: timedelta) -> Mark:
    """`said`: power as the last telemetry has it, `said_at` when it came."""
    if said is None or said_at is None:
        return Mark.NOBODY_KNOWS
    if connected is False:
        return Mark.NOBODY_KNOWS if said == "mains" else Mark.POWER_LOST
    if now - said_at > stale:
        return Mark.NOBODY_KNOWS
    return Mark.MAINS if said == "mains" else Mark.BATTERY


def put(strip: str, place: int, mark: Mark) -> str:
    return f"{strip[:place]}{mark}{strip[place + 1 :]}"


def halves(mark: Mark) -> tuple[int, int]:
    """How many halves of the quarter are known, and in how many of them it was there."""
    return {Mark.CONNECTED: (2, 2), Mark.PARTLY: (2, 1), Mark.AWAY: (2, 0)}.get(mark, (0, 0))


def stretches(days: Iterable[tuple[datetime, str]], begin: datetime, end: datetime) -> list[Stretch]:
    """What is known between `begin` and `end`, joined where it stayed the same. `days`: midnight and strip."""
    found: list[Stretch] = []
    for midnight, strip in days:
        for place, letter in enumerate(strip[:QUARTERS]):
            mark = Mark(letter)
            first = max(midnight + place * QUARTER, begin)
            last = min(midnight + (place + 1) * QUARTER, end)
            if mark is Mark.NOBODY_KNOWS or first >= last:
                continue
            if found and found[-1].mark is mark and found[-1].end == first:
                found[-1] = Stretch(found[-1].begin, last, mark)
            else:
                found.append(Stretch(first, last, mark))
    return found
