"""How CAP 1.2 writes times, shapes and references, read with care: whoever sends may send anything."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime

from broadcasts.domain.cap import Circle, Reference
from broadcasts.domain.polygon import Ring
from broadcasts.errors import Refused

MOST_POINTS = 2_000
"""Of one polygon; ten thousand poles are held against each."""
MOST_REFERENCES = 100
HALF_ROUND = 20_016.0
"""Kilometres: no circle on Earth is wider."""
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:[+-]\d\d:\d\d|Z)\Z", re.ASCII)
_NUMBER = re.compile(r"[+-]?(?:\d{1,9}(?:\.\d{0,20})?|\.\d{1,20})\Z", re.ASCII)
_NAME = re.compile(r"[^\s,<&]{1,300}\Z")
_YEARS = range(1990, 2200)


def time(text: str) -> datetime:
    """In UTC. The standard wants an offset and no letter; "Z" leaves no doubt and is taken all the same. Raises
    Refused("cap.time")."""
    told = text.strip()
    if _TIME.match(told):
        try:
            found = datetime.fromisoformat(told)
            if found.year in _YEARS:
                return found.astimezone(UTC)
        except (ValueError, OverflowError):
            pass  # the 31st of February; said below
    raise Refused("cap.time", value=text.strip()[:40])


def name(text: str) -> str:
    """`identifier` or `sender`: no blank, no comma, no "<", no "&" (3.2.1). Raises Refused("cap.name")."""
    if not _NAME.match(text) or not text.isprintable():
        raise Refused("cap.name", value="".join(one if one.isprintable() else "?" for one in text[:40]))
    return text


def references(text: str) -> tuple[Reference, ...]:
    """Triples apart by blanks. Raises Refused: "cap.references", "cap.time", "cap.name"."""
    found = []
    for each in text.split():
        parts = each.split(",")
        if len(parts) != 3:
            raise Refused("cap.references", value=each[:80])
        found.append(Reference(name(parts[0]), name(parts[1]), time(parts[2])))
    if len(found) > MOST_REFERENCES:
        raise Refused("cap.many", what="references", most=MOST_REFERENCES)
    return tuple(dict.fromkeys(found))


def polygon(text: str) -> Ring:
    """Pairs "latitude,longitude" apart by blanks, the first one again at the end.

    Raises Refused("cap.polygon", why=…): "points", "closed", "degrees", "many"."""
    pairs = text.split(maxsplit=MOST_POINTS + 1)
    if len(pairs) > MOST_POINTS:
        raise Refused("cap.polygon", why="many")
    points = tuple(_point(each) for each in pairs)
    if len(points) < 4 or len(set(points)) < 3:
        raise Refused("cap.polygon", why="points")
    if points[0] != points[-1]:
        raise Refused("cap.polygon", why="closed")
    return tuple((longitude, latitude) for latitude, longitude in points[:-1])


def circle(text: str) -> Circle:
    """ "latitude,longitude radius". Raises Refused: "cap.circle", "cap.polygon"(why="degrees")."""
    parts = text.split()
    if len(parts) != 2:
        raise Refused("cap.circle", value=text.strip()[:60])
    latitude, longitude = _point(parts[0])
    km = _number(parts[1])
    if not 0 <= km <= HALF_ROUND:  # nothing compares with NaN
        raise Refused("cap.circle", value=text.strip()[:60])
    return Circle(latitude, longitude, km)


def _point(text: str) -> tuple[float, float]:
    """(latitude, longitude)"""
    parts = text.split(",")
    if len(parts) != 2:
        raise Refused("cap.polygon", why="points")
    latitude, longitude = _number(parts[0]), _number(parts[1])
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
        raise Refused("cap.polygon", why="degrees")
    return latitude, longitude


def _number(text: str) -> float:
    """Only figures: what Python would read besides ("nan", "1e9", "1_0") is no coordinate."""
    return float(text) if _NUMBER.match(text) else math.nan
