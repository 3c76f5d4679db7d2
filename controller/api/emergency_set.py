"""/api/v1/emergency-set: which recordings every pole holds beforehand."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel

from controller.api.broadcasts import empty_file, store_body
from controller.api.deps import Caller, TheOffice
from controller.services import emergency_set
from controller.services.emergency_set import Entry
from controller.services.rights import Right

router = APIRouter(prefix="/api/v1/emergency-set")
Word = Annotated[str, Query(max_length=40)]


class EntryOut(BaseModel):
    """`area`, `kind` and `language` name it; `asset` is the SHA-256 of what is held."""

    area: str
    area_name: str
    kind: str
    language: str
    asset: str
    duration_ms: int
    loudness_lufs: float | None
    set_by: str

    @classmethod
    def of(cls, it: Entry) -> EntryOut:
        return cls(
            area=it.area.id,
            area_name=it.area.name,
            kind=it.kind,
            language=it.language,
            asset=it.asset.sha256,
            duration_ms=it.asset.duration_ms,
            loudness_lufs=it.asset.loudness_lufs,
            set_by=it.recording.set_by,
        )


class EntryIn(BaseModel):
    """Nothing is required here, so that who has no right to ask hears that first."""

    area: str = ""
    kind: str = ""
    language: str = "vi"


@router.get("")
def every(office: TheOffice, caller: Caller) -> list[EntryOut]:
    with office.ctx.db.read() as session:
        return [EntryOut.of(it) for it in emergency_set.entries(session, caller)]


@router.post("/recordings", status_code=201)
async def put(
    request: Request,
    office: TheOffice,
    caller: Caller,
    area: Word = "",
    kind: Word = "",
    language: Word = "vi",
    name: str = "",
) -> dict[str, str]:
    """The recording is the body. Takes the place of the one before."""
    caller.need(Right.PRELOAD)
    path = await run_in_threadpool(empty_file, office.upload_folder)
    try:
        await store_body(request, path, office.max_upload_bytes)
        made = await run_in_threadpool(emergency_set.put, office.ctx, caller, area, kind, language, path, name[:120])
    finally:
        await run_in_threadpool(path.unlink, True)
    return {"asset": made.sha256}


@router.post("/remove", status_code=204)
def remove(office: TheOffice, caller: Caller, told: EntryIn) -> Response:
    emergency_set.remove(office.ctx, caller, told.area[:40], told.kind[:40], told.language[:20])
    return Response(status_code=204)
