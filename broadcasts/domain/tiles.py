"""Pictures of the land from a tile server (slippy map, Web Mercator), laid under points that are drawn by degrees."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from broadcasts.errors import Refused

LONGEST = 300
FINEST = 18
MOST = 24
"""Tiles below one picture: about four screens of a phone."""
_GAPS = ("{z}", "{x}", "{y}")
_PLAIN = re.compile(r"[A-Za-z0-9._~:/?&=%{}-]+\Z")
_HOST = re.compile(r"[a-z0-9.-]+\Z")
_LOOPBACK = ("127.0.0.1", "localhost")


@dataclass(frozen=True)
class Tile:
    """Degrees of its edges."""

    address: str
    west: float
    north: float
    east: float
    south: float


@dataclass(frozen=True)
class Tiles:
    template: str
    attribution: str
    """Plain text: whose land this is (nearly every licence asks for it)."""

    @property
    def origin(self) -> str:
        """What a page may fetch pictures from: scheme, host and port, nothing else."""
        parts = urlsplit(self.template)
        return f"{parts.scheme}://{parts.netloc}"

    def below(self, west: float, south: float, east: float, north: float) -> Sequence[Tile]:
        """As fine as `MOST` allows, in rows from the north."""
        found: list[tuple[int, int, int]] = [(0, 0, 0)]
        for zoom in range(1, FINEST + 1):
            left, top = _spot(west, north, zoom)
            right, bottom = _spot(east, south, zoom)
            if (right - left + 1) * (bottom - top + 1) > MOST:
                break
            found = [(zoom, x, y) for y in range(top, bottom + 1) for x in range(left, right + 1)]
        return [self._tile(*each) for each in found]

    def _tile(self, zoom: int, x: int, y: int) -> Tile:
        address = self.template
        for gap, value in zip(_GAPS, (zoom, x, y), strict=True):
            address = address.replace(gap, str(value))
        return Tile(address, _west(x, zoom), _north(y, zoom), _west(x + 1, zoom), _north(y + 1, zoom))


def read(template: str, attribution: str) -> Tiles | None:
    """None for an empty template. Raises Refused("settings.tiles", why) for one that is no address of a tile server:
    why is scheme, host, gaps, letters or attribution."""
    if not template:
        return None
    if len(template) > LONGEST or not _PLAIN.match(template):
        raise Refused("settings.tiles", why="letters", value=template[:80])
    try:
        parts = urlsplit(template)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise Refused("settings.tiles", why="host", value=template[:80]) from None
    if not (parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACK)):
        raise Refused("settings.tiles", why="scheme", value=template[:80])
    if not _HOST.match(host) or not re.fullmatch(r"[a-z0-9.-]+(:[0-9]+)?", parts.netloc):
        raise Refused("settings.tiles", why="host", value=template[:80])
    if any(template.count(gap) != 1 for gap in _GAPS) or set("{}") & set(re.sub(r"\{[zxy]\}", "", template)):
        raise Refused("settings.tiles", why="gaps", value=template[:80])
    if not attribution.strip() or len(attribution) > LONGEST or not attribution.isprintable():
        raise Refused("settings.tiles", why="attribution", value=attribution[:80])
    return Tiles(template, attribution.strip())


def _spot(longitude: float, latitude: float, zoom: int) -> tuple[int, int]:
    many = 1 << zoom
    slope = math.radians(latitude)
    down = (1 - math.asinh(math.tan(slope)) / math.pi) / 2
    return min(many - 1, max(0, int((longitude + 180) / 360 * many))), min(many - 1, max(0, int(down * many)))


def _west(x: int, zoom: int) -> float:
    return x / (1 << zoom) * 360 - 180


def _north(y: int, zoom: int) -> float:
    return math.degrees(math.atan(math.sinh(math.pi * (1 - 2 * y / (1 << zoom)))))
