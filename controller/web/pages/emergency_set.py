"""The recordings for emergencies that every pole holds beforehand, and the form to change them."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from broadcasts.errors import LoaError, Refused
from broadcasts.wire.alert import AlertKind
from controller.services import emergency_set
from controller.services.listening import find_heard
from controller.services.rights import Right
from controller.web.desk import Desk, PersonDesk, PersonForm, PreloaderForm

router = APIRouter()


@router.get("/emergency-set")
def show(desk: PersonDesk, done: str = "") -> Response:
    return _page(desk, done=done if done in ("preloaded", "unloaded") else "")


@router.post("/emergency-set")
def put(desk: PreloaderForm) -> Response:
    posted = desk.posted
    area, kind, language = posted.get("area")[:40], posted.get("kind")[:40], posted.get("language", "vi")[:20]
    try:
        if (failure := posted.failures.get("recording")) is not None:
            raise failure
        if "recording" in posted.files:
            path, name = posted.files["recording"]
            emergency_set.put(desk.office.ctx, desk.actor, area, kind, language, path, name)
        elif sha256 := posted.get("asset"):
            emergency_set.put_prepared(desk.office.ctx, desk.actor, area, kind, language, sha256)
        else:
            raise Refused("asset.missing")
    except LoaError as error:
        return _page(desk, desk.status(error), error=error, chosen=(area, kind, language))
    return desk.go("/emergency-set?done=preloaded")


@router.post("/emergency-set/remove")
def remove(desk: PersonForm) -> Response:
    posted = desk.posted
    area, kind, language = posted.get("area")[:40], posted.get("kind")[:40], posted.get("language")[:20]
    try:
        emergency_set.remove(desk.office.ctx, desk.actor, area, kind, language)
    except Refused as error:
        if error.key == "no_right":
            raise
        return _page(desk, desk.status(error), error=error)
    return desk.go("/emergency-set?done=unloaded")


def _page(
    desk: Desk,
    status: int = 200,
    *,
    done: str = "",
    error: LoaError | None = None,
    chosen: tuple[str, str, str] = ("", "storm", "vi"),
) -> Response:
    with desk.office.ctx.db.read() as session:
        found = emergency_set.entries(session, desk.actor)
        areas = emergency_set.places(session, desk.actor.need(Right.PRELOAD), desk.today)
        asset = find_heard(session, desk.actor.need(Right.LOOK), desk.posted.get("asset"))
    return desk.page(
        "emergency_set.html",
        status,
        entries=found,
        areas=areas,
        kinds=list(AlertKind),
        most=emergency_set.MOST,
        done=done,
        error=error,
        chosen=chosen,
        asset=asset if error else None,
        recording_error=None,
        max_bytes=desk.office.max_upload_bytes,
    )
