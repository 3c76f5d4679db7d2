"""Audio over HTTP: for units by their credential, for people by their session. Resumable, named by hash."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from threading import Lock
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response, StreamingResponse

from broadcasts.audio.bucket import LINK_MOST
from broadcasts.audio.store import Stored
from broadcasts.errors import Refused
from controller.api.deps import Caller, TheOffice, basic
from controller.services import whole_sound
from controller.services.listening import heard_among
from controller.services.ranges import Part, Unsatisfiable, same_bytes, wanted_part
from controller.services.recordings import heard_by
from controller.services.rights import Right

router = APIRouter()
_NAME = re.compile(r"^([0-9a-f]{64})(?:\.[a-z0-9]{1,5})?\Z")
_SMALL = 8 << 20
HAND_OUT = "loa-hand-out"
"""Request header of an nginx in front (deploy/compose/nginx.conf): the answer only names the file, below its
internal location /held/. Who sends it without one learns the name that was asked for, and gets no sound."""
_KEEP = "private, max-age=604800, immutable"
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


class _InMemory(Stored):
    """What was put together just now."""

    def __init__(self, data: bytes) -> None:
        super().__init__(Path())
        self._data = data

    @property
    def size(self) -> int:
        return len(self._data)

    def blocks(self, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        yield self._data[start:stop]


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
    if request.headers.get(HAND_OUT) == "x-accel" and (below := stored.name_below) is not None:
        return _named(stored, below)
    return _send(request, stored, name)


def _named(stored: Stored, below: str) -> Response:
    """Ranges, lengths and conditions are nginx's then. Raises Refused asset.unknown when the file is not there."""
    headers = {"x-accel-redirect": f"/held/{below}", "cache-control": _KEEP}
    return Response(headers=headers, media_type=_kind(b"".join(stored.blocks(0, 4))))


def _kind(head: bytes) -> str:
    return next((kind for first, kind in _TYPES if head.startswith(first)), "application/octet-stream")


@router.api_route("/assets/{sha256}/listen", methods=["GET", "HEAD"])
def for_a_person(request: Request, office: TheOffice, actor: Caller, sha256: str) -> Response:
    return _send(request, Stored(heard_by(office.ctx, actor, sha256)), sha256)


@router.api_route("/assets/programme", methods=["GET", "HEAD"])
def whole_programme(
    request: Request, office: TheOffice, actor: Caller, part: Annotated[tuple[str, ...], Query(max_length=30)] = ()
) -> Response:
    """Its parts in order, as a pole will sound them, in one file."""
    with office.ctx.db.read() as session:
        mine = heard_among(session, actor.need(Right.LOOK), part)
    name = whole_sound.name_of(part)
    # Who may listen is asked each time, what it sounds like once.
    data = _shelf.find(name) if part and mine >= set(part) else None
    if data is None:
        # Kept whatever its size: a player asks for a long one piece by piece.
        data = _shelf.read(_InMemory(whole_sound.joined(office.ctx, actor, part)), name)
    return _send(request, _InMemory(data), name)


def _send(request: Request, stored: Stored, sha256: str) -> Response:
    """200, 206, 304 or 416 (RFC 9110)."""
    data = _shelf.find(sha256)
    if data is None:
        size = stored.size
        if size <= _SMALL:
            data = _shelf.read(stored, sha256)
    else:
        size = len(data)
    head = data[:4] if data is not None else b"".join(stored.blocks(0, 4))
    etag = f'"{sha256}"'
    kind = _kind(head)
    headers = {"accept-ranges": "bytes", "etag": etag, "cache-control": _KEEP}
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
