"""Warnings as CAP 1.2: handed in with a feed's token, and what we sounded for others to read.

POST /api/v1/cap takes one document, `application/cap+xml`, `application/xml` or `text/xml`. 201: it is new; 200: it had
come before, and nothing changed; 401 wrong token, 413 too large, 415 another type, 422 not CAP 1.2 (`type` says why),
429 too many of this feed today.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, Response

from broadcasts.errors import Refused
from controller.api.deps import MAX_CREDENTIAL, TheOffice
from controller.db.tables import CapMessage
from controller.services import cap_feeds, cap_out, cap_taking, cap_xml
from controller.services.cap_out import Voice
from controller.services.office import Office

TYPES = ("application/cap+xml", "application/xml", "text/xml")
router = APIRouter()


@router.post("/api/v1/cap", status_code=201)
async def hand_in(request: Request, office: TheOffice) -> Response:
    feed = await run_in_threadpool(_feed, request, office)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in TYPES:
        raise Refused("cap.media", value=kind[:40])
    body = await _body(request)
    told, new = await run_in_threadpool(_take, office, feed, body)
    return JSONResponse(told, status_code=201 if new else 200)


async def _body(request: Request) -> bytes:
    """Raises Refused("cap.large") before more is read than is taken."""
    limit = Refused("cap.large", most_kb=cap_xml.MOST_BYTES // 1024)
    length = request.headers.get("content-length", "0")
    if not length.isascii() or not length.isdecimal() or int(length[:12]) > cap_xml.MOST_BYTES:
        raise limit
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > cap_xml.MOST_BYTES:
            raise limit
    return bytes(body)


def _feed(request: Request, office: Office) -> str:
    """Raises Refused("cap.token")."""
    with office.ctx.db.read() as session:
        return cap_feeds.feed_of_token(session, _bearer(request))


def _bearer(request: Request) -> str:
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" and len(token) <= MAX_CREDENTIAL else ""


def _take(office: Office, feed: str, body: bytes) -> tuple[dict[str, Any], bool]:
    taken = cap_taking.take(office.ctx, feed, body, strict=True)
    cap_feeds.heard(office.ctx, feed)
    with office.ctx.db.read() as session:
        row = session.get_one(CapMessage, taken.id)
        return {"id": row.id, "identifier": row.identifier, "fate": row.fate, "why": row.why}, taken.new


@router.get("/cap/feed.xml")
def feed(request: Request, office: TheOffice) -> Response:
    voice = _reader(request, office)
    now = office.ctx.clock.now()
    with office.ctx.db.read() as session:
        data = cap_out.feed(
            cap_out.newest(session, voice, now), voice, str(request.url.replace(path="/cap", query="")), now
        )
    return _document(request, data, "application/atom+xml")


@router.get("/cap/{name}.xml")
def message(request: Request, office: TheOffice, name: str) -> Response:
    voice = _reader(request, office)
    with office.ctx.db.read() as session:
        data = cap_out.one(session, voice, name[:60], office.ctx.clock.now())
    if data is None:
        raise Refused("page.unknown")
    return _document(request, data, "application/cap+xml")


def _reader(request: Request, office: Office) -> Voice:
    """Raises Refused: "page.unknown" (nobody reads here), "cap.token"."""
    if office.cap_out == "off":
        raise Refused("page.unknown")
    if office.cap_out == "token":
        told = _bearer(request)
        if not office.cap_token or not hmac.compare_digest(told.encode(), office.cap_token.encode()):
            raise Refused("cap.token")
    return Voice(office.cap_sender, "Loa")


def _document(request: Request, data: bytes, kind: str) -> Response:
    etag = f'"{hashlib.sha256(data).hexdigest()[:32]}"'
    headers = {"etag": etag, "cache-control": "no-cache"}
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers=headers)
    return Response(data, media_type=f"{kind}; charset=utf-8", headers=headers)
