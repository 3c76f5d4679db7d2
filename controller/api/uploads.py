"""/api/v1/uploads: recordings in pieces, by tus 1.0.0 with creation, expiration, checksum and termination.

Statuses are those of the protocol: 409 wrong offset, 412 another version, 413 too large, 415 no piece, 423 sent by
somebody else just now, 460 not what was promised; beside them our own for rights, quotas (429) and a full disk (507).
"""

from __future__ import annotations

import base64
import binascii
from email.utils import format_datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response
from starlette.requests import ClientDisconnect

from broadcasts.errors import Refused
from controller.api.deps import Caller, TheOffice
from controller.db.tables import Upload
from controller.services import preparing, uploads
from controller.services.uploads import Piece, State

PATH = "/api/v1/uploads"
VERSION = "1.0.0"
SAID = {"tus-resumable": VERSION, "tus-version": VERSION}
_EXTENSIONS = "creation,expiration,checksum,termination"
_LONGEST_METADATA = 4_000
router = APIRouter(prefix=PATH)


@router.options("")
def able(office: TheOffice) -> Response:
    """What is spoken here; anybody may ask."""
    told = {
        "tus-extension": _EXTENSIONS,
        "tus-max-size": str(office.max_upload_bytes),
        "tus-checksum-algorithm": ",".join(uploads.CHECKSUMS),
    }
    return Response(status_code=204, headers=SAID | told)


@router.post("", status_code=201)
def begin(request: Request, office: TheOffice, actor: Caller) -> Response:
    """`Upload-Metadata`: `filename`, `use` (recording or emergency), and if it is known `sha256` of the whole."""
    actor.need(*uploads.RIGHTS.values())
    _check_version(request)
    told = metadata(request.headers.get("upload-metadata", ""))
    upload = uploads.begin(
        office.ctx,
        office.shelf,
        actor,
        _number(request, "upload-length"),
        told.get("filename", ""),
        told.get("use", uploads.Use.RECORDING),
        told.get("sha256", ""),
    )
    return Response(status_code=201, headers=SAID | {"location": f"{PATH}/{upload.id}", **_expiry(upload)})


@router.head("/{upload_id}")
def reached(request: Request, office: TheOffice, actor: Caller, upload_id: str) -> Response:
    upload = _one(office, actor, upload_id)
    _check_version(request)
    told = {"upload-offset": str(upload.received), "upload-length": str(upload.size), "cache-control": "no-store"}
    return Response(status_code=200, headers=SAID | told | _expiry(upload))


@router.get("/{upload_id}")
def state(office: TheOffice, actor: Caller, upload_id: str) -> dict[str, Any]:
    """For programs that wait until it is prepared."""
    with office.ctx.db.read() as session:
        upload = uploads.one(session, actor, upload_id)
        before = preparing.before(session, upload)
    error = preparing.failure(upload)
    return {
        "id": upload.id,
        "name": upload.name,
        "use": upload.use,
        "size": upload.size,
        "received": upload.received,
        "state": upload.state,
        "stage": upload.stage,
        "before": before,
        "asset": upload.asset_sha256,
        "error": None if error is None else error.key,
    }


def _begun(request: Request, office: TheOffice, actor: Caller, upload_id: str) -> Piece:
    """The lock on the upload. All that can be refused is refused before a byte is read."""
    _one(office, actor, upload_id)
    _check_version(request)
    if request.headers.get("content-type") != "application/offset+octet-stream":
        raise Refused("upload.body")
    offset = _number(request, "upload-offset")
    kind, _, told = request.headers.get("upload-checksum", "").partition(" ")
    try:
        checksum = (kind, base64.b64decode(told.strip(), validate=True)) if kind else None
    except binascii.Error as error:
        raise Refused("upload.header", name="Upload-Checksum") from error
    found = uploads.piece(office.ctx, office.shelf, actor, upload_id, offset, checksum)
    if offset + int(request.headers.get("content-length", "0")) > found.upload.size:
        found.drop()
        raise Refused("upload.beyond")
    return found


@router.patch("/{upload_id}", status_code=204)
async def add(request: Request, office: TheOffice, piece: Annotated[Piece, Depends(_begun)]) -> Response:
    """The next bytes. A connection that breaks keeps what came, unless it was promised with a checksum."""
    ended = False
    try:
        async for chunk in request.stream():
            await run_in_threadpool(piece.write, chunk)
        ended = True
        received = await run_in_threadpool(piece.end)
    except ClientDisconnect:
        return Response(status_code=400)
    finally:
        if not ended:
            await run_in_threadpool(piece.drop)
    if received == piece.upload.size:
        office.came()
    return Response(status_code=204, headers=SAID | {"upload-offset": str(received), **_expiry(piece.upload)})


@router.delete("/{upload_id}", status_code=204)
def give_up(request: Request, office: TheOffice, actor: Caller, upload_id: str) -> Response:
    _one(office, actor, upload_id)
    _check_version(request)
    uploads.forget(office.ctx, office.shelf, actor, upload_id)
    return Response(status_code=204, headers=SAID)


def metadata(header: str) -> dict[str, str]:
    """Keys and values of `Upload-Metadata`. Raises Refused("upload.metadata")."""
    found: dict[str, str] = {}
    if len(header) > _LONGEST_METADATA:
        raise Refused("upload.metadata", name="Upload-Metadata")
    for pair in filter(None, (each.strip() for each in header.split(","))):
        name, _, told = pair.partition(" ")
        try:
            found[name] = base64.b64decode(told.strip(), validate=True).decode()
        except (binascii.Error, UnicodeDecodeError) as error:
            raise Refused("upload.metadata", name=name[:40]) from error
    return found


def _one(office: TheOffice, actor: Caller, upload_id: str) -> Upload:
    with office.ctx.db.read() as session:
        return uploads.one(session, actor, upload_id)


def _check_version(request: Request) -> None:
    if request.headers.get("tus-resumable") != VERSION:
        raise Refused("upload.version", known=VERSION)


def _number(request: Request, name: str) -> int:
    told = request.headers.get(name, "")
    if not told.isascii() or not told.isdecimal() or len(told) > 15:
        raise Refused("upload.header", name=name.title())
    return int(told)


def _expiry(upload: Upload) -> dict[str, str]:
    if upload.state != State.OPEN:
        return {}
    return {"upload-expires": format_datetime(uploads.expires(upload), usegmt=True)}
