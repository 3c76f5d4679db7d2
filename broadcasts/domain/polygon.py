"""A shape drawn on the map, and whether a pole stands in it. Positions are degrees of WGS 84, as in RFC 7946."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from broadcasts.errors import Refused

Ring = tuple[tuple[float, float], ...]
"""(longitude, latitude), at least three different ones; the last one leads back to the first."""
Polygon = tuple[Ring, ...]
"""Outlines run against the clock, each followed by its holes, which run with it (RFC 7946, 3.1.6). Shapes may overlap,
and an outline may cross itself: what any of them goes round is inside."""
MOST_POINTS = 2_000
LONGEST_TEXT = 200_000


def inside(longitude: float, latitude: float, polygon: Polygon) -> bool:
    """Whether the outlines go round this point, holes counted back. Who stands on an outline is inside."""
    turns = 0
    for ring in polygon:
        for (x1, y1), (x2, y2) in zip(ring, (*ring[1:], ring[0]), strict=True):
            if (y1 < latitude and y2 < latitude) or (y1 > latitude and y2 > latitude):
                continue  # nearly all of them: ten thousand poles are asked while a form waits
            if _between(longitude, latitude, x1, y1, x2, y2):
                return True
            # Each crossing of a ray to the east: upwards is half a turn one way, downwards the other.
            if (y1 > latitude) != (y2 > latitude) and longitude < x1 + (latitude - y1) * (x2 - x1) / (y2 - y1):
                turns += 1 if y2 > y1 else -1
    return turns != 0


def _between(x: float, y: float, x1: float, y1: float, x2: float, y2: float) -> bool:
    across = (x2 - x1) * (y - y1) - (y2 - y1) * (x - x1)
    return across == 0 and min(x1, x2) <= x <= max(x1, x2) and min(y1, y2) <= y <= max(y1, y2)


def read(text: str) -> Polygon:
    """GeoJSON as pasted: a Polygon, a MultiPolygon, or a Feature or FeatureCollection of such; none for nothing.

    Raises Refused("target.polygon", why=…): "json", "kind", "points", "many", "degrees".
    """
    if not text.strip():
        return ()
    if len(text) > LONGEST_TEXT:
        raise Refused("target.polygon", why="many")
    try:
        return _checked(_rings(json.loads(text)))
    except (ValueError, RecursionError) as error:
        raise Refused("target.polygon", why="json") from error


def _checked(rings: Sequence[tuple[int, Sequence[Any]]]) -> Polygon:
    """`rings` with their places in their shapes: the first is the outline."""
    if sum(len(ring) for _, ring in rings) > MOST_POINTS:
        raise Refused("target.polygon", why="many")
    if not rings:
        raise Refused("target.polygon", why="points")
    return tuple(_turned(_ring(ring), against_the_clock=place == 0) for place, ring in rings)


def told(polygon: Polygon) -> str:
    """As GeoJSON, for a form; "" for none."""
    shapes: list[list[list[tuple[float, float]]]] = []
    for ring in polygon:
        if _area(ring) >= 0 or not shapes:
            shapes.append([])
        shapes[-1].append([*ring, ring[0]])
    if len(shapes) < 2:
        return json.dumps({"type": "Polygon", "coordinates": shapes[0]}) if shapes else ""
    return json.dumps({"type": "MultiPolygon", "coordinates": shapes})


def _turned(ring: Ring, *, against_the_clock: bool) -> Ring:
    """The same outline in this direction; programs write either."""
    return ring if (_area(ring) >= 0) == against_the_clock else ring[::-1]


def _area(ring: Ring) -> float:
    """Twice of it; positive where the outline runs against the clock."""
    return sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in zip(ring, (*ring[1:], ring[0]), strict=True))


def _ring(told: Sequence[Sequence[Any]]) -> Ring:
    points: list[tuple[float, float]] = []
    for point in told:
        if not isinstance(point, (list, tuple)) or len(point) < 2:
            raise Refused("target.polygon", why="points")
        x, y = point[0], point[1]
        if isinstance(x, bool) or isinstance(y, bool) or not isinstance(x, (int, float)):
            raise Refused("target.polygon", why="degrees")
        if not isinstance(y, (int, float)) or not (_in(x, 180) and _in(y, 90)):
            raise Refused("target.polygon", why="degrees")
        points.append((float(x), float(y)))
    if points and points[0] == points[-1]:
        points.pop()
    if len(set(points)) < 3:
        raise Refused("target.polygon", why="points")
    return tuple(points)


def _in(value: float, most: int) -> bool:
    return -most <= value <= most  # neither NaN nor infinity is


def _rings(data: Any) -> list[tuple[int, Any]]:
    kind = data.get("type") if isinstance(data, dict) else None
    match kind:
        case "Feature":
            return _rings(data.get("geometry"))
        case "FeatureCollection" if isinstance(data.get("features"), list):
            return [ring for each in data["features"] for ring in _rings(each)]
        case "Polygon" if _lists(data.get("coordinates"), 2):
            return list(enumerate(data["coordinates"]))
        case "MultiPolygon" if _lists(data.get("coordinates"), 3):
            return [each for polygon in data["coordinates"] for each in enumerate(polygon)]
    raise Refused("target.polygon", why="kind")


def _lists(data: Any, deep: int) -> bool:
    return isinstance(data, list) and (deep == 0 or all(_lists(each, deep - 1) for each in data))
