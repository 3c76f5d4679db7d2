"""Which poles stand in the places that a CAP message names."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from broadcasts.domain import polygon
from broadcasts.domain.cap import Circle, Place

EARTH_KM = 6371.0088
"""Mean radius: a circle on a sphere, as the standard does not say better."""


@dataclass(frozen=True)
class Pole:
    """`codes`: those of its commune and of all above it."""

    id: str
    latitude: float | None
    longitude: float | None
    codes: frozenset[str]


@dataclass(frozen=True)
class Found:
    """`poles` in the order given. `unknown`: places of which nothing says where they are: a person has to choose.
    `unplaced`: poles without a position while a place was only drawn, so that nobody can say whether they are meant."""

    poles: tuple[str, ...]
    unknown: tuple[str, ...]
    unplaced: int


def find(places: Sequence[Place], poles: Iterable[Pole], systems: Iterable[str], codes: Iterable[str]) -> Found:
    """`systems`: names of the code lists (`valueName`) whose codes are ours; `codes`: all that there are here. A code
    of another list, or one that is nobody's here, says nothing."""
    ours, here = frozenset(systems), frozenset(codes)
    named = {place: _codes(place, ours) for place in places}
    drawn = [place for place in places if place.polygons or place.circles]
    wanted = frozenset().union(*named.values()) & here
    unknown = tuple(place.description for place in places if place not in drawn and not named[place] & here)
    found, unplaced = [], 0
    for pole in poles:
        if pole.codes & wanted:
            found.append(pole.id)
        elif pole.latitude is None or pole.longitude is None:
            unplaced += bool(drawn)
        elif any(_inside(pole.latitude, pole.longitude, place) for place in drawn):
            found.append(pole.id)
    return Found(tuple(found), unknown, unplaced)


def kilometres(latitude: float, longitude: float, circle: Circle) -> float:
    """From the middle of the circle, along the sphere."""
    a, b = math.radians(latitude), math.radians(circle.latitude)
    half = math.sin((a - b) / 2) ** 2
    half += math.cos(a) * math.cos(b) * math.sin(math.radians(longitude - circle.longitude) / 2) ** 2
    return 2 * EARTH_KM * math.asin(math.sqrt(min(1.0, half)))


def _inside(latitude: float, longitude: float, place: Place) -> bool:
    """Each polygon by itself: two that overlap are both meant, however they turn."""
    return any(
        low_x <= longitude <= high_x and low_y <= latitude <= high_y and polygon.inside(longitude, latitude, (ring,))
        for ring, (low_x, low_y, high_x, high_y) in zip(place.polygons, _boxes(place), strict=True)
    ) or any(kilometres(latitude, longitude, circle) <= circle.km for circle in place.circles)


@lru_cache(maxsize=512)
def _boxes(place: Place) -> tuple[tuple[float, float, float, float], ...]:
    """Of each polygon: west, south, east, north. Nearly all poles stand outside of it."""
    return tuple(
        (min(x for x, _ in ring), min(y for _, y in ring), max(x for x, _ in ring), max(y for _, y in ring))
        for ring in place.polygons
    )


def _codes(place: Place, systems: frozenset[str]) -> frozenset[str]:
    return frozenset(code for system, code in place.geocodes if system in systems)
