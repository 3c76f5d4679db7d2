"""In which order poles are visited: the nearest next, then straightened where two legs cross. The same poles always
give the same way. Distances are along the sphere: roads, ferries and fords are for the technician to know."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import asin, cos, radians, sin, sqrt

EARTH_M = 6_371_008.8
"""Mean radius."""
_PASSES = 30
"""Of straightening; each makes the way shorter, and a way of a day is straight long before."""


@dataclass(frozen=True)
class Stop:
    """`latitude`, `longitude` in degrees; none where nobody has written down where the pole stands."""

    name: str
    latitude: float | None
    longitude: float | None

    @property
    def known(self) -> bool:
        return self.latitude is not None and self.longitude is not None


def distance_m(one: Stop, other: Stop) -> float | None:
    """Metres along the sphere (haversine); none where one of them is nowhere."""
    if one.latitude is None or one.longitude is None or other.latitude is None or other.longitude is None:
        return None
    up = radians(other.latitude - one.latitude)
    over = radians(other.longitude - one.longitude)
    half = sin(up / 2) ** 2 + cos(radians(one.latitude)) * cos(radians(other.latitude)) * sin(over / 2) ** 2
    return 2 * EARTH_M * asin(min(1.0, sqrt(half)))


def length_m(way: Sequence[Stop]) -> float:
    """Of the legs that are known."""
    return sum(_leg(one, other) for one, other in pairwise(way))


def order(stops: Sequence[Stop], start: Stop | None = None) -> list[Stop]:
    """Each stop once, those that stand nowhere last, by name. The way is open: nobody is sent back to where he began.

    `start`: where the technician begins; it is not visited. None: at the stop farthest from the middle of all.
    """
    known = sorted((stop for stop in stops if stop.known), key=lambda stop: stop.name)
    nowhere = sorted((stop for stop in stops if not stop.known), key=lambda stop: stop.name)
    if not known:
        return nowhere
    fixed = start is not None and start.known
    first = start if fixed and start is not None else _farthest(known)
    left = known if fixed else [stop for stop in known if stop is not first]
    way = _straightened(_nearest(first, left))
    return (way[1:] if fixed else way) + nowhere


def _leg(one: Stop, other: Stop) -> float:
    return distance_m(one, other) or 0.0


def _farthest(known: Sequence[Stop]) -> Stop:
    middle = Stop(
        "",
        sum(stop.latitude or 0.0 for stop in known) / len(known),
        sum(stop.longitude or 0.0 for stop in known) / len(known),
    )
    return max(known, key=lambda stop: (_leg(middle, stop), stop.name))


def _nearest(first: Stop, rest: Sequence[Stop]) -> list[Stop]:
    way, left = [first], list(rest)
    while left:
        here = way[-1]
        following = min(left, key=lambda stop: (_leg(here, stop), stop.name))
        left.remove(following)
        way.append(following)
    return way


def _straightened(way: list[Stop]) -> list[Stop]:
    """2-opt on an open way whose first stop stays: a stretch is turned round wherever that is shorter."""
    for _ in range(_PASSES):
        shorter = False
        for begin in range(1, len(way) - 1):
            for end in range(begin + 1, len(way)):
                after = way[end + 1] if end + 1 < len(way) else None
                now = _leg(way[begin - 1], way[begin]) + (_leg(way[end], after) if after else 0.0)
                turned = _leg(way[begin - 1], way[end]) + (_leg(way[begin], after) if after else 0.0)
                if turned < now - 1e-6:
                    way[begin : end + 1] = way[begin : end + 1][::-1]
                    shorter = True
        if not shorter:
            break
    return way
