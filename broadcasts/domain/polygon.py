"""A shape drawn on the map, and whether a pole stands in it. Positions are degrees of WGS 84, as in RFC 7946."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

from broadcasts.errors import Refused

Ring = tuple[tuple[float, float], ...]
"""(longitude, latitude), at least three different ones; the last one leads back to the first."""
Polygon = tuple[Ring, ...]
"""One outline or several; what lies within an even number of them is a hole or outside."""
MOST_POINTS = 2_000
LONGEST_TEXT = 200_000


def inside(longitude: float, latitude: float, polygon: Polygon) -> bool:
    """Whether a ray to the east crosses the outlines an odd number of times. Who stands on an outline is inside."""
    odd = False
    for ring in polygon:
        for (x1, y1), (x2, y2) in zip(ring, (*ring[1:], ring[0]), strict=True):
            if _between(longitude, latitude, x1, y1, x2, y2):
                return True
            if (y1 > latitude) != (y2 > latitude) and longitude < x1 + (latitude - y1) * (x2 - x1) / (y2 - y1):
                odd = not odd
    return odd


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
        return checked(_rings(json.loads(text)))
    except (ValueError, RecursionError) as error:
        raise Refused("target.polygon", why="json") from error


def checked(rings: Sequence[Sequence[Sequence[Any]]]) -> Polygon:
    """Raises as `read`."""
    if sum(len(ring) for ring in rings) > MOST_POINTS:
        raise Refused("target.polygon", why="many")
    polygon = tuple(_ring(ring) for ring in rings)
    if not polygon:
        raise Refused("target.polygon", why="points")
    return polygon


def told(polygon: Polygon) -> str:
    """As GeoJSON, for a form; "" for none."""
    closed = [[*ring, ring[0]] for ring in polygon]
    return json.dumps({"type": "Polygon", "coordinates": closed}) if polygon else ""


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
    return math.isfinite(value) and -most <= value <= most


def _rings(data: Any) -> list[Any]:
    kind = data.get("type") if isinstance(data, dict) else None
    match kind:
        case "Feature":
            return _rings(data.get("geometry"))
        case "FeatureCollection" if isinstance(data.get("features"), list):
            return [ring for each in data["features"] for ring in _rings(each)]
        case "Polygon" if _lists(data.get("coordinates"), 2):
            return list(data["coordinates"])
        case "MultiPolygon" if _lists(data.get("coordinates"), 3):
            return [ring for polygon in data["coordinates"] for ring in polygon]
    raise Refused("target.polygon", why="kind")


def _lists(data: Any, deep: int) -> bool:
    return isinstance(data, list) and (deep == 0 or all(_lists(each, deep - 1) for each in data))
