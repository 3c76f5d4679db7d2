"""/api/v1/inventory: clusters with their papers as a table, in after a look; classes of hardware; photos of poles.

POST /api/v1/inventory takes the file as it is (CSV or .xlsx, at most 8 MB); nothing changes before POST …/take.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response
from pydantic import BaseModel

from broadcasts.errors import Refused
from controller.api.broadcasts import empty_file
from controller.api.deps import Caller, TheOffice
from controller.services import hardware, photos, pole_notes, sheet_files, sheets
from controller.services.hardware import Class
from controller.services.rights import Right
from controller.services.sheets import Change, Outlook

router = APIRouter(prefix="/api/v1")


class ChangeOut(BaseModel):
    """`fields`: name, before, after."""

    row: int
    cluster: str
    name: str
    fields: list[list[str]]

    @classmethod
    def of(cls, it: Change) -> ChangeOut:
        return cls(row=it.row, cluster=it.cluster, name=it.name, fields=it.fields)


class OutlookOut(BaseModel):
    id: str
    seen: str
    """Say it back when it is to be taken: it stands for exactly these changes."""
    added: list[ChangeOut]
    changed: list[ChangeOut]
    unchanged: int
    refused: list[dict[str, Any]]
    """Row and key of why; as long as there is one nothing is taken in."""

    @classmethod
    def of(cls, name: str, it: Outlook) -> OutlookOut:
        return cls(
            id=name, seen=it.seen, unchanged=it.unchanged,
            added=[ChangeOut.of(each) for each in it.added], changed=[ChangeOut.of(each) for each in it.changed],
            refused=[{"row": row, "why": error.key} for row, error in it.refused],
        )  # fmt: skip


class TakeIn(BaseModel):
    seen: str | None = None


class NotesIn(BaseModel):
    notes: str = ""


@dataclass(frozen=True)
class ClassIn(Class):
    kind: str = ""
    vendor: str = ""
    model: str = ""


@router.post("/inventory", status_code=201)
async def bring(request: Request, office: TheOffice, caller: Caller, name: str = "") -> OutlookOut:
    caller.need(Right.PLACES)
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > sheet_files.MOST_BYTES:
            raise Refused("sheet.large", most_mb=sheet_files.MOST_BYTES // 1_000_000)
    kept = await run_in_threadpool(sheets.bring, office.ctx, caller, bytes(data), name, {})
    return OutlookOut.of(kept, await run_in_threadpool(sheets.look, office.ctx, caller, kept))


@router.get("/inventory/{import_id}")
def look(office: TheOffice, caller: Caller, import_id: str) -> OutlookOut:
    return OutlookOut.of(import_id, sheets.look(office.ctx, caller, import_id))


@router.post("/inventory/{import_id}/take")
def take(office: TheOffice, caller: Caller, import_id: str, told: TakeIn) -> OutlookOut:
    return OutlookOut.of(import_id, sheets.take(office.ctx, caller, import_id, told.seen))


@router.get("/hardware-classes")
def classes(office: TheOffice, caller: Caller) -> list[dict[str, Any]]:
    caller.need(Right.HEALTH)
    names = ("id", "kind", "vendor", "model", "watts", "inputs", "codecs", "power")
    with office.ctx.db.read() as session:
        return [{name: getattr(row, name) for name in names} for row in hardware.classes(session)]


@router.put("/hardware-classes")
def put_class(office: TheOffice, caller: Caller, told: ClassIn) -> dict[str, str]:
    """By vendor and model: a new one, or a known one said anew."""
    return {"id": hardware.put_class(office.ctx, caller, told)}


@router.put("/clusters/{cluster_id}/notes", status_code=204)
def put_notes(office: TheOffice, caller: Caller, cluster_id: str, told: NotesIn) -> Response:
    pole_notes.put(office.ctx, caller, cluster_id, told.notes)
    return Response(status_code=204)


@router.put("/clusters/{cluster_id}/photo")
async def put_photo(request: Request, office: TheOffice, caller: Caller, cluster_id: str) -> dict[str, str]:
    """The picture as it is, at most 12 MB; what the camera wrote into it is left out."""
    caller.need(Right.PLACES)
    path = await run_in_threadpool(empty_file, office.upload_folder)
    try:
        size = 0
        with path.open("wb", buffering=0) as file:
            async for chunk in request.stream():
                size += len(chunk)
                if size > photos.MOST_BYTES:
                    raise Refused("photo.large", most_mb=photos.MOST_BYTES // 1_000_000)
                await run_in_threadpool(file.write, chunk)
        kept = await run_in_threadpool(photos.put, office.ctx, caller, cluster_id, path, office.upload_folder)
    finally:
        await run_in_threadpool(path.unlink, True)
    return {"photo": kept}
