"""Chimes, openings and closings that are kept, and which chime a station's form begins with."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from broadcasts.errors import LoaError, Refused
from controller.services import sounds
from controller.web.composer import recording_of
from controller.web.desk import AuthorDesk, AuthorForm, Desk
from controller.web.pages.home import done_of

router = APIRouter()


@router.get("/sounds")
def every(desk: AuthorDesk) -> Response:
    return _page(desk)


@router.post("/sounds")
def add(desk: AuthorForm) -> Response:
    """`act`: "own" takes the chime that we make ourselves; else a file came along."""
    ctx, posted = desk.office.ctx, desk.posted
    try:
        if posted.get("act") == "own":
            asset, kind = sounds.add_chime(ctx, desk.actor, desk.office.upload_folder), "chime"
        else:
            found, failure = recording_of(desk)
            if found is None:
                raise failure or Refused("asset.missing")
            asset, kind = found, posted.get("kind")
        name = posted.get("name").strip() or (desk.words.t("sounds.ours") if posted.get("act") == "own" else "")
        sounds.keep(ctx, desk.actor, kind, name, asset.sha256)
    except LoaError as error:
        return _page(desk, error)
    return desk.go("/sounds?done=sound_kept")


@router.post("/sounds/chime")
def choose(desk: AuthorForm) -> Response:
    sounds.choose_chime(desk.office.ctx, desk.actor, desk.posted.get("station"), desk.posted.get("asset"))
    return desk.go("/sounds?done=sound_chosen")


@router.post("/sounds/{sound_id}/drop")
def drop(desk: AuthorForm, sound_id: str) -> Response:
    sounds.drop(desk.office.ctx, desk.actor, sound_id)
    return desk.go("/sounds?done=sound_dropped")


def _page(desk: Desk, error: LoaError | None = None) -> Response:
    with desk.office.ctx.db.read() as session:
        known, stations = sounds.offered(session, desk.actor), sounds.stations(session, desk.actor)
    return desk.page(
        "sounds.html",
        desk.status(error) if error else 200,
        sounds=known,
        stations=stations,
        KINDS=sounds.KINDS,
        typed={"name": desk.posted.get("name"), "kind": desk.posted.get("kind", "chime")},
        error=error,
        done=done_of(desk),
    )
