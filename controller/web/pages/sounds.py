"""Chimes, openings and closings that are kept, and which chime a station's form begins with."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from broadcasts.errors import LoaError, Refused
from controller.services import sounds
from controller.services.listening import find_heard
from controller.services.rights import Right
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
            sha256, kind = sounds.add_chime(ctx, desk.actor, desk.office.upload_folder).sha256, "chime"
        else:
            found, failure = recording_of(desk)
            if failure is not None:
                raise failure
            sha256, kind = found.sha256 if found is not None else posted.get("asset"), posted.get("kind")
            if not sha256:
                raise Refused("asset.missing")
        name = posted.get("name").strip() or (desk.words.t("sounds.ours") if posted.get("act") == "own" else "")
        sounds.keep(ctx, desk.actor, kind, name, sha256)
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
        asset = find_heard(session, desk.actor.need(Right.LOOK), desk.posted.get("asset"))
    return desk.page(
        "sounds.html",
        desk.status(error) if error else 200,
        sounds=known,
        stations=stations,
        KINDS=sounds.KINDS,
        typed={"name": desk.posted.get("name"), "kind": desk.posted.get("kind", "chime")},
        error=error,
        done=done_of(desk),
        asset=asset,
        recording_error=None,
        max_bytes=desk.office.max_upload_bytes,
    )
