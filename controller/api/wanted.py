"""/api/v1/wanted: firmware and settings that units should come to have."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel

from controller.api.broadcasts import empty_file, store_body
from controller.api.deps import Caller, TheOffice
from controller.services import wanting
from controller.services.rights import Right

router = APIRouter(prefix="/api/v1/wanted")
Word = Annotated[str, Query(max_length=60)]


class SettingsIn(BaseModel):
    """`target` is `unit:<id>` or `area:<id>`; without `settings` nothing is wanted there any more."""

    target: str = ""
    model: str = ""
    settings: dict[str, str] | None = None


@router.post("/firmware", status_code=201)
async def firmware(
    request: Request, office: TheOffice, caller: Caller, target: Word = "", model: Word = "", version: Word = ""
) -> dict[str, str]:
    """The image is the body; `target` is `unit:<id>`."""
    caller.need(Right.UPKEEP)
    path = await run_in_threadpool(empty_file, office.upload_folder)
    try:
        await store_body(request, path, office.max_upload_bytes)
        put = wanting.put_firmware
        image = await run_in_threadpool(put, office.ctx, caller, target, model, version, path)
    finally:
        await run_in_threadpool(path.unlink, True)
    return {"asset": image.sha256}


@router.post("/settings", status_code=204)
def settings(office: TheOffice, caller: Caller, told: SettingsIn) -> Response:
    wanting.put_settings(office.ctx, caller, told.target, told.model, told.settings)
    return Response(status_code=204)
