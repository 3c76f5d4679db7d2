"""A station's operating regulation: read by all who belong to it, changed by who may, with what that takes off."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from broadcasts.errors import LoaError
from controller.services.regulating import Misfit, change, look, weigh
from controller.services.rights import Right, my_stations
from controller.services.stations import SITES
from controller.web.desk import Desk, PersonDesk, PersonForm
from controller.web.draft_form import whole_number
from controller.web.pages.home import done_of
from controller.web.regulation_form import RegulationForm, from_rules, typed

router = APIRouter()


@router.get("/regulations")
def every(desk: PersonDesk) -> Response:
    with desk.office.ctx.db.read() as session:
        stations = my_stations(session, desk.actor.need(Right.LOOK))
    return desk.page("regulations.html", stations=stations)


@router.get("/regulations/{station_id}")
def one(desk: PersonDesk, station_id: str) -> Response:
    return _page(desk, station_id)


@router.post("/regulations/{station_id}")
def edit(desk: PersonForm, station_id: str) -> Response:
    """`act`: preview lists what the change would take off the plans, save does it."""
    desk.actor.need(Right.REGULATE)
    ctx, form = desk.office.ctx, typed(desk.posted)
    try:
        rules, sites = form.rules(), dict(form.sites)
        if desk.posted.get("act") != "save":
            return _page(desk, station_id, form, misfits=weigh(ctx, desk.actor, station_id, rules, sites))
        revision = whole_number(form.revision)
        change(ctx, desk.actor, station_id, rules, revision, sites)
    except LoaError as error:
        if error.key == "station.unknown":
            raise
        return _page(desk, station_id, form, error=error)
    return desk.go(f"/regulations/{station_id}?done=regulation")


def _page(
    desk: Desk,
    station_id: str,
    form: RegulationForm | None = None,
    *,
    misfits: list[Misfit] | None = None,
    error: LoaError | None = None,
) -> Response:
    told = look(desk.office.ctx, desk.actor, station_id)
    sites = [(cluster.id, cluster.site) for cluster in told.clusters]
    return desk.page(
        "regulation.html",
        desk.status(error) if error else 200,
        it=told,
        form=form or from_rules(told.rules, told.station.regulation_revision, sites),
        misfits=misfits,
        error=error,
        done=done_of(desk),
        SITES=SITES,
        may_change=desk.actor.may(Right.REGULATE),
    )
