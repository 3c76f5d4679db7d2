"""Recordings that a script sends while a form is filled in: back comes the piece of the form that plays them."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from broadcasts.errors import LoaError, Refused
from controller.db.tables import Asset
from controller.web.composer import recording_of
from controller.web.desk import AuthorForm, Desk
from controller.web.draft_form import DraftForm

router = APIRouter()


@router.post("/recordings")
def upload(desk: AuthorForm) -> Response:
    return _recorded(desk, *recording_of(desk))


@router.post("/recordings/sample")
def sample(desk: AuthorForm) -> Response:
    return _recorded(desk, *recording_of(desk, sample=True))


def _recorded(desk: Desk, asset: Asset | None, failure: LoaError | None) -> Response:
    if asset is None and failure is None:
        failure = Refused("asset.missing")
    status = desk.status(failure) if failure else 200
    answer = desk.page("_recording.html", status, asset=asset, form=DraftForm(), recording_error=failure)
    answer.headers["HX-Trigger-After-Swap"] = "recorded"
    return answer
