"""The fleet's health on a map, with the same as a list beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter
from fastapi.responses import Response

from controller.services.views import fleet_map
from controller.services.views.fleet_map import FleetMap
from controller.web.desk import Desk, PersonDesk
from controller.web.security import with_pictures

router = APIRouter()
MOST_LISTED = 300
SHAPES: Mapping[str, str] = {
    "well": "M-8 0a8 8 0 1 0 16 0a8 8 0 1 0-16 0z",
    "fault": "M0-11L11 0L0 11L-11 0z",
    "unable": "M0-11L11 9H-11z",
    "away": "M-8-8H8V8H-8z",
    "never": "M-9-5L-5-9L0-4L5-9L9-5L4 0L9 5L5 9L0 4L-5 9L-9 5L-4 0z",
}
"""Around the point where it stands: who sees no colours sees circle, diamond, triangle, square and cross."""


@router.get("/fleet/map")
def on_a_map(desk: PersonDesk, area: str = "", state: str = "") -> Response:
    with desk.office.ctx.db.read() as session:
        found = fleet_map.fleet_map(session, desk.actor, desk.office.ctx.clock.now(), area, state)
    tiles = desk.office.tiles
    answer = desk.page(
        "fleet_map.html", it=found, area=area, state=state, states=fleet_map.STATES, shapes=SHAPES, most=MOST_LISTED,
        below=_below(desk, found), attribution=tiles.attribution if tiles else "",
        link=lambda **told: _link({"area": area, "state": state} | told),
        address=lambda mark: _link({"area": mark.id, "state": state}) if found.by_commune else _pole(mark.id),
    )  # fmt: skip
    if tiles is not None:
        answer.headers["content-security-policy"] = with_pictures(tiles.origin)
    return answer


def _pole(name: str) -> str:
    return f"/clusters/{quote(name, safe='')}"


def _below(desk: Desk, found: FleetMap) -> list[tuple[str, float, float, float, float]]:
    """Address, place and size of each picture below the points."""
    land, tiles = found.land, desk.office.tiles
    if tiles is None or not found.marks:
        return []
    told = []
    for each in tiles.below(land.west, land.south, land.east, land.north):
        (left, top), (right, bottom) = land.at(each.west, each.north), land.at(each.east, each.south)
        told.append((each.address, left, top, right - left, bottom - top))
    return told


def _link(told: Mapping[str, Any]) -> str:
    query = urlencode({name: value for name, value in told.items() if value})
    return f"/fleet/map?{query}" if query else "/fleet/map"
