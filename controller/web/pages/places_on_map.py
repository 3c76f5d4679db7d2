"""The map: clusters as points, and a shape that is drawn on it or pasted as GeoJSON."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response

from broadcasts.domain import polygon
from broadcasts.errors import LoaError
from controller.services.rights import Actor, Right
from controller.services.views.places_on_map import held, picture
from controller.web.desk import Desk, PersonDesk, PersonForm

router = APIRouter()
LONGEST_ADDRESS = 3_000
"""Characters of a shape that a link carries on."""


@router.get("/map")
def whole(desk: PersonDesk, shape: str = "") -> Response:
    return _page(desk, shape)


@router.get("/map/picture")
def piece(desk: PersonDesk) -> Response:
    """For the form of a bulletin: only where one writes."""
    ctx, actor = desk.office.ctx, desk.actor.need(Right.COMPOSE)
    with ctx.db.read() as session:
        seen = picture(session, actor, ctx.clock.now(), desk.today)
    return desk.page("_map.html", picture=seen, links=False)


@router.post("/map")
def count(desk: PersonForm) -> Response:
    """What the shape holds: a piece for the script, the whole page again without."""
    shape = desk.posted.get("shape")
    if not desk.partial:
        return _page(desk, shape)
    told = _counted(desk, shape)
    # A form that is being filled in leads nowhere else.
    return desk.page("_map_count.html", **told | {"carry": told["carry"] and bool(desk.posted.get("carry"))})


def _page(desk: Desk, shape: str) -> Response:
    ctx, actor = desk.office.ctx, desk.actor.need(Right.HEALTH)
    with ctx.db.read() as session:
        seen = picture(session, actor, ctx.clock.now(), desk.today)
    told = _counted(desk, shape)
    status = desk.status(told["error"]) if told["error"] else 200
    return desk.page("map.html", status, picture=seen, links=True, **told)


def _counted(desk: Desk, shape: str) -> dict[str, Any]:
    """Where one may write, what a bulletin for this shape would reach; else what one sees."""
    actor: Actor = desk.actor.need(Right.COMPOSE if desk.actor.may(Right.COMPOSE) else Right.HEALTH)
    try:
        drawn = polygon.read(shape)
        with desk.office.ctx.db.read() as session:
            inside = held(session, actor, drawn)
    except LoaError as error:
        return {"error": error, "shape": shape, "drawn": (), "inside": [], "carry": False}
    carry = desk.actor.may(Right.COMPOSE) and bool(inside) and len(shape) <= LONGEST_ADDRESS
    return {"error": None, "shape": shape, "drawn": drawn, "inside": inside, "carry": carry}
