"""The clusters, the worst first, and the health of one."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response

from broadcasts.errors import Refused
from controller.services.rights import Right
from controller.services.views.clusters import FILTERS, counts, health, lines
from controller.web import live
from controller.web.desk import Desk, PersonDesk

router = APIRouter()


@router.get("/clusters")
def every(desk: PersonDesk) -> Response:
    told = _lines(desk)
    return desk.page("clusters.html", live=live.inside(desk, "_clusters.html", "/clusters", _query(desk), **told))


@router.get("/clusters/rows")
def every_rows(desk: PersonDesk) -> Response:
    return live.rows(desk, "_clusters.html", "/clusters", _query(desk), **_lines(desk))


@router.get("/clusters/live")
def every_live(desk: PersonDesk) -> Response:
    _lines(desk)
    return live.stream(desk, lambda: desk.text("_clusters.html", **_lines(desk)))


@router.get("/clusters/{cluster_id}")
def one(desk: PersonDesk, cluster_id: str) -> Response:
    with desk.office.ctx.db.read() as session:
        found = health(session, desk.actor, cluster_id, desk.office.ctx.clock.now())
    return desk.page("cluster.html", it=found)


def _query(desk: Desk) -> dict[str, str]:
    told = desk.request.query_params.get("show")
    return {"show": told} if told else {}


def _lines(desk: Desk) -> dict[str, Any]:
    desk.actor.need(Right.HEALTH)
    chosen = desk.request.query_params.get("show", "all")
    if chosen not in FILTERS:
        raise Refused("choice.unknown", name="show", value=chosen[:20])
    with desk.office.ctx.db.read() as session:
        found = lines(session, desk.actor, desk.office.ctx.clock.now())
    return {
        "lines": [line for line in found if line.passes(chosen)],
        "counts": counts(found),
        "chosen": chosen,
        "filters": FILTERS,
    }
