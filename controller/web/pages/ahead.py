"""The dry run: what will sound in the next seven days, as a page and as paper."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from controller.services.views.dry_run import DryRun, dry_run
from controller.services.views.places import places
from controller.web.ahead_words import days_of, fate_told, goes_on_told, part_told, spans_told
from controller.web.desk import Desk, PersonDesk
from controller.web.paper import week_ahead

router = APIRouter()


@router.get("/ahead")
def look(desk: PersonDesk, cluster: str = "", area: str = "", waiting: str = "") -> Response:
    run = _run(desk, cluster, area, waiting)
    with desk.office.ctx.db.read() as session:
        offered = places(session, desk.actor, desk.today)
    return desk.page(
        "ahead.html",
        run=run,
        days=days_of(run),
        places=offered,
        cluster=cluster,
        area=area or desk.actor.area,
        waiting=waiting == "1",
        spans_told=spans_told,
        fate_told=fate_told,
        part_told=part_told,
        goes_on_told=goes_on_told,
    )


@router.get("/ahead.pdf")
def printed(desk: PersonDesk, cluster: str = "", area: str = "", waiting: str = "") -> Response:
    data = week_ahead(_run(desk, cluster, area, waiting), desk.words)
    headers = {"content-disposition": 'inline; filename="loa-7-ngay.pdf"', "cache-control": "no-store"}
    return Response(data, media_type="application/pdf", headers=headers)


def _run(desk: Desk, cluster: str, area: str, waiting: str) -> DryRun:
    ctx = desk.office.ctx
    with ctx.db.read() as session:
        return dry_run(session, desk.actor, ctx.clock.now(), cluster=cluster, area=area, waiting=waiting == "1")
