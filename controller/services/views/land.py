"""A piece of land as a flat picture: from degrees to places on a page, the same for every map."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

WIDE = 1000.0
"""Width of the picture; its height follows from the land."""
MARGIN = 50.0
NARROWEST = 0.02
"""Degrees: a single pole is not drawn as if it were the whole world."""


@dataclass(frozen=True)
class Land:
    """x = (longitude - west) * across, y = (north - latitude) * down: at this size the land is flat enough."""

    width: float
    height: float
    west: float
    north: float
    across: float
    down: float

    @property
    def east(self) -> float:
        return self.west + self.width / self.across

    @property
    def south(self) -> float:
        return self.north - self.height / self.down

    def at(self, longitude: float, latitude: float) -> tuple[float, float]:
        return (longitude - self.west) * self.across, (self.north - latitude) * self.down


def around(spots: Collection[tuple[float, float]]) -> Land:
    """The land that holds all of these (longitude, latitude), with a margin."""
    west, east = _stretched([longitude for longitude, _ in spots])
    south, north = _stretched([latitude for _, latitude in spots])
    shrink = math.cos(math.radians((south + north) / 2))
    # A tall strip of land is not made as wide as the page: it would be many screens high.
    down = (WIDE - 2 * MARGIN) / max((east - west) * shrink, (north - south) * 0.9)
    across = down * shrink
    width, height = (east - west) * across + 2 * MARGIN, (north - south) * down + 2 * MARGIN
    return Land(width, height, west - MARGIN / across, north + MARGIN / down, across, down)


def _stretched(values: Sequence[float]) -> tuple[float, float]:
    least, most = (min(values), max(values)) if values else (0.0, 0.0)
    more = max(0.0, NARROWEST - (most - least)) / 2
    return least - more, most + more
