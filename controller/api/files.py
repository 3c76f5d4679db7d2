"""Audio over HTTP: for units by their credential, for people by their session. Resumable, named by hash."""

from __future__ import annotations

import re
from collections import OrderedDict
from threading import Lock

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response, StreamingResponse

from broadcasts.audio.bucket import LINK_MOST
from broadcasts.audio.store import Stored
from broadcasts.errors import Refused
from controller.api.deps import Caller, TheOffice, basic
from controller.services.ranges import Part, Unsatisfiable, same_bytes, wanted_part
from controller.services.recordings import heard_by

router = APIRouter()
_NAME = re.compile(r"^([0-9a-f]{64})(?:\.[a-z0-9]{1,5})?\Z")
_SMALL = 8 << 20
_TYPES = ((b"OggS", "audio/ogg"), (b"ID3", "audio/mpeg"), (b"\xff", "audio/mpeg"), (b"RIFF", "audio/wav"))


class _Shelf:
    """The files that a whole fleet fetches at the same minute, in memory. Names are hashes: nothing goes stale."""

    def __init__(self, most_bytes: int) -> None:
        self._most, self._held = most_bytes, 0
        self._files: OrderedDict[str, bytes] = OrderedDict()
        self._lock = Lock()

    def find(self, name: str) -> bytes | None:
        with self._lock:
            if name in self._files:
                self._files.move_to_end(name)
            return self._files.get(name)

    def read(self, stored: Stored, name: str) -> bytes:
        data = stored.read_bytes()
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
    name = found.group(1) if found else name[:80]
    stored = office.unit_asset(*credential, name)
    if office.files_by_link and request.method == "GET" and (link := stored.link(LINK_MOST)) is not None:
        return RedirectResponse(link, status_code=307, headers={"cache-control": "no-store"})
    return _send(request, stored, name)


@router.api_route("/assets/{sha256}/listen", methods=["GET", "HEAD"])
def for_a_person(request: Request, office: TheOffice, actor: Caller, sha256: str) -> Response:
    return _send(request, Stored(heard_by(office.ctx, actor, sha256)), sha256)


def _send(request: Request, stored: Stored, sha256: str) -> Response:
    """200, 206, 304 or 416 (RFC 9110)."""
    data = _shelf.find(sha256)
    size = stored.size if data is None else len(data)
    if data is None and size <= _SMALL:
        data = _shelf.read(stored, sha256)
    head = data[:4] if data is not None else b"".join(stored.blocks(0, 4))
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
    if data is not None:
        return Response(data[chosen.start : chosen.end + 1], status_code=status, headers=headers, media_type=kind)
    blocks = stored.blocks(chosen.start, chosen.end + 1)
    return StreamingResponse(blocks, status_code=status, headers=headers, media_type=kind)
