"""Audio over HTTP: for units by their credential, for people by their session. Resumable, named by hash."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from threading import Lock

from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse

from broadcasts.errors import Refused
from controller.api.deps import Caller, TheOffice, basic
from controller.services.ranges import Part, Unsatisfiable, same_bytes, wanted_part
from controller.services.recordings import heard_by

router = APIRouter()
_NAME = re.compile(r"^([0-9a-f]{64})(?:\.[a-z0-9]{1,5})?\Z")
_SMALL = 8 << 20
_BLOCK = 256 << 10
_TYPES = ((b"OggS", "audio/ogg"), (b"ID3", "audio/mpeg"), (b"\xff", "audio/mpeg"), (b"RIFF", "audio/wav"))


class _Shelf:
    """The files that a whole fleet fetches at the same minute, in memory. Names are hashes: nothing goes stale."""

    def __init__(self, most_bytes: int) -> None:
        self._most, self._held = most_bytes, 0
        self._files: OrderedDict[str, bytes] = OrderedDict()
        self._lock = Lock()

    def read(self, path: Path, name: str) -> bytes:
        with self._lock:
            if name in self._files:
                self._files.move_to_end(name)
                return self._files[name]
        data = path.read_bytes()
        with self._lock:
            if name not in self._files:
                self._files[name] = data
                self._held += len(data)
            while self._held > self._most and len(self._files) > 1:
                self._held -= len(self._files.popitem(last=False)[1])
        return data


_shelf = _Shelf(64 << 20)


@router.api_route("/u/assets/{name}", methods=["GET", "HEAD"])
def for_a_unit(request: Request, office: TheOffice, name: str) -> Response:
    """The path of the play plan. The unit's own credential; only what a plan or the emergency set of it names."""
    credential = basic(request)
    if credential is None:
        raise Refused("unit.unknown")
    found = _NAME.match(name)
    # The credential is asked first: who is nobody learns nothing about names.
    path = office.unit_asset(*credential, found.group(1) if found else name[:80])
    return _send(request, path, found.group(1) if found else path.name)


@router.api_route("/assets/{sha256}/listen", methods=["GET", "HEAD"])
def for_a_person(request: Request, office: TheOffice, actor: Caller, sha256: str) -> Response:
    return _send(request, heard_by(office.ctx, actor, sha256), sha256)


def _send(request: Request, path: Path, sha256: str) -> Response:
    """200, 206, 304 or 416 (RFC 9110)."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(4)
    except FileNotFoundError:
        raise Refused("asset.unknown", asset=sha256) from None
    etag = f'"{sha256}"'
    kind = next((kind for first, kind in _TYPES if head.startswith(first)), "application/octet-stream")
    headers = {"accept-ranges": "bytes", "etag": etag, "cache-control": "private, max-age=604800, immutable"}
    if same_bytes(request.headers.get("if-none-match"), etag):
        return Response(status_code=304, headers=headers)
    try:
        part = wanted_part(request.headers.get("range"), request.headers.get("if-range"), etag, size)
    except Unsatisfiable:
        return Response(status_code=416, headers=headers | {"content-range": f"bytes */{size}"})
    whole = Part(0, size - 1)
    chosen = part or whole
    if part is not None:
        headers["content-range"] = f"bytes {part.start}-{part.end}/{size}"
    headers["content-length"] = str(chosen.length)
    status = 206 if part is not None else 200
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers, media_type=kind)
    if size <= _SMALL:
        data = _shelf.read(path, sha256)[chosen.start : chosen.end + 1]
        return Response(data, status_code=status, headers=headers, media_type=kind)
    return StreamingResponse(_blocks(path, chosen), status_code=status, headers=headers, media_type=kind)


def _blocks(path: Path, part: Part) -> Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(part.start)
        left = part.length
        while left and (block := file.read(min(_BLOCK, left))):
            left -= len(block)
            yield block
