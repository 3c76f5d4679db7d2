"""Recordings that a script sends while a form is filled in: back comes the piece of the form that says how far it is,
and plays it when it is ready."""

from __future__ import annotations

import json

from fastapi import APIRouter
from fastapi.responses import Response

from broadcasts.audio.keys import STAGES
from broadcasts.errors import LoaError, Refused
from controller.db.tables import Asset, Upload
from controller.services import preparing, trying_again, uploads
from controller.services.library import find
from controller.services.listening import may_listen
from controller.services.rights import Right
from controller.services.uploads import State
from controller.web.composer import recording_of
from controller.web.desk import AuthorForm, Desk, PersonDesk, PersonForm
from controller.web.draft_form import DraftForm, whole_number

router = APIRouter()
_WAITS = (State.QUEUED, State.WORKING)


@router.post("/recordings")
def upload(desk: AuthorForm) -> Response:
    return _recorded(desk, *recording_of(desk))


@router.post("/recordings/sample")
def sample(desk: AuthorForm) -> Response:
    return _recorded(desk, *recording_of(desk, sample=True))


@router.get("/recordings/{sha256}")
def known(desk: PersonDesk, sha256: str, use: str = "recording") -> Response:
    """The piece of a form for a recording that is there already."""
    return _recorded(desk, _heard(desk, sha256), None, use=uploads.use_of(use))


@router.post("/recordings/{sha256}/cut")
def cut(desk: PersonForm, sha256: str) -> Response:
    """What lies between two points becomes a recording of its own, prepared like any other."""
    posted, use = desk.posted, desk.posted.get("cut_use", "recording")
    desk.actor.need(uploads.RIGHTS[uploads.use_of(use)])
    since, until = (whole_number(posted.get(name).partition(".")[0]) for name in ("cut_from", "cut_to"))
    try:
        made = uploads.begin_cut(desk.office.ctx, desk.actor, sha256, since, until, use)
    except LoaError as error:
        if error.key == "asset.unknown":
            raise
        return _recorded(desk, _heard(desk, sha256), error, use=use)
    desk.office.came()
    return _state(desk, made)


@router.get("/uploads/{upload_id}/rows")
def state(desk: PersonDesk, upload_id: str) -> Response:
    """How far a recording is that came in pieces. Asked by the page itself once a second."""
    with desk.office.ctx.db.read() as session:
        found = uploads.one(session, desk.actor, upload_id)
    return _state(desk, found)


def _state(desk: Desk, found: Upload) -> Response:
    if found.state in _WAITS:
        with desk.office.ctx.db.read() as session:
            before = preparing.before(session, found)
        error, waits = preparing.failure(found), trying_again.again_at(found)
        return desk.page("_preparing.html", it=found, before=before, stages=STAGES, failure=error, waits=waits)
    error = preparing.failure(found)
    held = found.state == State.HELD
    sha256 = found.asset_sha256 or found.cut_of
    asset = _heard(desk, sha256) if sha256 else None
    whole = found.cut_of if found.asset_sha256 else None
    # That it was refused is what was asked for: no failure of this request.
    return _recorded(desk, asset, error, use=found.use, whole=whole or "", upload=found.id, status=200, held=held)


def _heard(desk: Desk, sha256: str) -> Asset:
    """Raises Refused("asset.unknown"), also for what this person may not hear."""
    actor = desk.actor.need(Right.LOOK)
    with desk.office.ctx.db.read() as session:
        if not may_listen(session, actor, sha256):
            raise Refused("asset.unknown", asset=sha256[:80])
        return find(session, sha256)


def _recorded(
    desk: Desk,
    asset: Asset | None,
    failure: LoaError | None,
    *,
    use: str = "recording",
    whole: str = "",
    upload: str = "",
    status: int | None = None,
    held: bool = False,
) -> Response:
    if asset is None and failure is None:
        failure = Refused("asset.missing")
    status = status or (desk.status(failure) if failure else 200)
    told = {"recording_error": failure, "use": use, "whole": whole, "held": held}
    answer = desk.page("_recording.html", status, asset=asset, form=DraftForm(), **told)
    # Of which upload this tells: what else comes in its place is no sign that the device may forget it.
    answer.headers["HX-Trigger-After-Swap"] = json.dumps({"recorded": {"upload": upload}}) if upload else "recorded"
    return answer
