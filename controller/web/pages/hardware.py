"""What hangs on a pole: swap the unit, its papers and its SIM, the photo, the asset book, and the pole itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response, StreamingResponse
from sqlalchemy import select

from broadcasts.errors import LoaError, Refused
from controller.db.tables import Pole, Station
from controller.services import asset_book, hardware, photos, placing, pole_notes, swapping
from controller.services.placing import Place
from controller.services.rights import Right, my_clusters
from controller.services.stations import SITES
from controller.services.views.clusters import health
from controller.web import hardware_form
from controller.web.desk import Desk, PersonDesk, PersonForm
from controller.web.pages.home import done_of
from controller.web.placer import PlacerForm

router = APIRouter()
_RAISED = ("no_right", "cluster.unknown", "second_factor.needed")


@router.get("/swap")
def choose(desk: PersonDesk) -> Response:
    """Where the code on a unit's label leads: at which of my clusters does it hang from now on?"""
    actor = desk.actor.need(Right.SWAP)
    with desk.office.ctx.db.read() as session:
        mine = my_clusters(session, actor)
    return desk.page("swap.html", clusters=mine, unit=desk.request.query_params.get("unit", "")[:80])


@router.get("/clusters/new")
def ask(desk: PersonDesk) -> Response:
    return _new(desk, Place(""))


@router.post("/clusters/new")
def put_up(desk: PersonForm) -> Response:
    told, form = desk.posted, Place(desk.posted.get("name"))
    desk.actor.need(Right.PLACES)
    try:
        form = hardware_form.place(told, Place(""))
        name = placing.put_up(desk.office.ctx, desk.actor, told.get("station"), form)
    except LoaError as error:
        if error.key in _RAISED:
            raise
        return _new(desk, form, error)
    return desk.go(f"/clusters/{name}/hardware?done=put_up")


@router.get("/clusters/{cluster_id}/hardware")
def one(desk: PersonDesk, cluster_id: str) -> Response:
    return _page(desk, cluster_id)


@router.get("/clusters/{cluster_id}/photo")
def photo(desk: PersonDesk, cluster_id: str) -> Response:
    kept = photos.opened(desk.office.ctx, desk.actor, cluster_id)
    headers = {"content-length": str(kept.size), "cache-control": "private, max-age=300"}
    return StreamingResponse(kept.blocks(), media_type="image/jpeg", headers=headers)


@router.post("/clusters/{cluster_id}/swap")
def swap(desk: PersonForm, cluster_id: str) -> Response:
    told = desk.posted
    how: dict[str, Any] = {"why": told.get("why"), "keeps_sim": told.get("keeps_sim") == "yes"}
    return _do(
        desk,
        cluster_id,
        "swapped",
        lambda: swapping.swap(desk.office.ctx, desk.actor, cluster_id, told.get("unit"), told.get("seen"), **how),
    )


@router.post("/clusters/{cluster_id}/release")
def release(desk: PersonForm, cluster_id: str) -> Response:
    told = desk.posted
    return _do(
        desk,
        cluster_id,
        "released",
        lambda: swapping.release(desk.office.ctx, desk.actor, cluster_id, told.get("seen"), why=told.get("why")),
    )


@router.post("/clusters/{cluster_id}/place")
def alter(desk: PersonForm, cluster_id: str) -> Response:
    ctx, told = desk.office.ctx, desk.posted
    desk.actor.need(Right.PLACES)
    with ctx.db.read() as session:
        had = placing.place_of(swapping.there(session, desk.actor.need(Right.PLACES), cluster_id)[0])
    return _do(
        desk,
        cluster_id,
        "placed",
        lambda: placing.alter(ctx, desk.actor, cluster_id, hardware_form.place(told, had), told.get("revision")),
    )


@router.post("/clusters/{cluster_id}/take-down")
def take_down(desk: PersonForm, cluster_id: str) -> Response:
    told, sure = desk.posted, desk.posted.get("sure") == "yes"
    try:
        placing.take_down(desk.office.ctx, desk.actor, cluster_id, sure=sure, why=told.get("why"))
    except LoaError as error:
        if error.key in _RAISED:
            raise
        return _page(desk, cluster_id, error)
    return desk.go("/clusters?done=taken_down")


@router.post("/clusters/{cluster_id}/papers")
def papers(desk: PersonForm, cluster_id: str) -> Response:
    told = desk.posted
    desk.actor.need(Right.PLACES)
    return _do(
        desk,
        cluster_id,
        "papers",
        lambda: hardware.put(desk.office.ctx, desk.actor, cluster_id, hardware_form.papers(told), told.get("revision")),
    )


@router.post("/clusters/{cluster_id}/book")
def book(desk: PersonForm, cluster_id: str) -> Response:
    desk.actor.need(Right.PLACES)
    return _do(
        desk,
        cluster_id,
        "book",
        lambda: asset_book.add(desk.office.ctx, desk.actor, cluster_id, hardware_form.line(desk.posted)),
    )


@router.post("/clusters/{cluster_id}/notes")
def notes(desk: PersonForm, cluster_id: str) -> Response:
    desk.actor.need(Right.PLACES)
    return _do(
        desk,
        cluster_id,
        "pole_notes",
        lambda: pole_notes.put(desk.office.ctx, desk.actor, cluster_id, desk.posted.get("pole_notes")),
    )


@router.post("/clusters/{cluster_id}/photo")
def put_photo(desk: PlacerForm, cluster_id: str) -> Response:
    def keep() -> None:
        if (failure := desk.posted.failures.get("photo")) is not None:
            raise failure
        if "photo" not in desk.posted.files:
            raise Refused("photo.unreadable")
        path, _ = desk.posted.files["photo"]
        photos.put(desk.office.ctx, desk.actor, cluster_id, path, desk.office.upload_folder)

    return _do(desk, cluster_id, "photo", keep)


def _do(desk: Desk, cluster_id: str, done: str, act: Callable[[], Any]) -> Response:
    """The act, then the page; where it was refused the page with why, and what was typed."""
    try:
        act()
    except LoaError as error:
        if error.key in _RAISED:
            raise
        return _page(desk, cluster_id, error)
    return desk.go(f"/clusters/{cluster_id}/hardware?done={done}")


def _page(desk: Desk, cluster_id: str, error: LoaError | None = None) -> Response:
    actor, now = desk.actor, desk.office.ctx.clock.now()
    with desk.office.ctx.db.read() as session:
        it = health(session, actor, cluster_id, now)
        unit = it.line.unit
        told = hardware.of_unit(session, unit) if unit is not None else hardware.NOTHING
        sent = {name for name, _ in desk.posted.fields}
        place, pole = placing.place_of(it.cluster), session.get(Pole, cluster_id)
        seen = {
            "formers": swapping.formers(session, [cluster_id], now),
            "papers": told,
            "papers_revision": hardware.revision_of(unit or "", told),
            "place": place,
            "place_form": hardware_form.typed_place(desk.posted) if error and "horn_watts" in sent else place,
            "pole_notes": pole.notes if pole is not None else "",
            "place_revision": placing.revision_of(place),
            "photo_at": pole.photo_at if pole is not None and pole.photo_sha256 else None,
            "concerns": hardware.warnings(session, it.cluster, unit, desk.today),
            "lines": asset_book.lines(session, cluster_id),
            "classes": hardware.classes(session),
        }
    return desk.page(
        "cluster_hardware.html",
        desk.status(error) if error else 200,
        it=it,
        unit=unit,
        scanned=desk.request.query_params.get("unit", "")[:80],
        may_swap=it.station.area_id in actor.within(Right.SWAP),
        may_place=it.station.area_id in actor.within(Right.PLACES),
        typed=desk.posted,
        sent=sent,
        SITES=SITES,
        FUNDS=hardware.FUNDS,
        PURPOSES=hardware.PURPOSES,
        WHAT=asset_book.WHAT,
        error=error,
        done=done_of(desk) if error is None else "",
        **seen,
    )


def _new(desk: Desk, form: Place, error: LoaError | None = None) -> Response:
    actor = desk.actor.need(Right.PLACES)
    with desk.office.ctx.db.read() as session:
        stations = session.scalars(select(Station).where(Station.area_id.in_(actor.areas)).order_by(Station.name)).all()
    chosen = desk.posted.get("station")
    status = desk.status(error) if error else 200
    return desk.page("cluster_new.html", status, stations=stations, chosen=chosen, form=form, SITES=SITES, error=error)
