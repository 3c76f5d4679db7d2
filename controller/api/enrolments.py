"""/api/v1/enrolments: how a unit asks to be let in. The request itself is the proof: it is signed by the key it brings.

POST a JWS `loa-enrol` (`application/jose`), at most 8 KiB. 202: it waits for a person; 200: accepted, with certificate,
broker and root key; 403: turned away, expired or revoked (`reason`). The same request may be said again; GET asks by
the id that was given. POST …/renewals a JWS `loa-renew`. 401: no signature by the key that it should be, or an id that
is nobody's; 409 old, 413 too large, 422 no certificate request, 429 too many: of one address in a minute, or waiting.
"""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response

from broadcasts.errors import Refused
from broadcasts.wire.codec import encode
from broadcasts.wire.enrol import MAX_BYTES, EnrolAnswer, EnrolState
from controller.api.deps import TheOffice
from controller.services import unit_enrolling, unit_renewing
from controller.services.turnstile import place_of

router = APIRouter(prefix="/api/v1/enrolments")
_STATUS = {EnrolState.WAITING: 202, EnrolState.ACCEPTED: 200, EnrolState.REFUSED: 403}


def _source(request: Request) -> str:
    return place_of(request.client.host) if request.client is not None else ""


async def _document(request: Request, office: TheOffice) -> bytes:
    """Raises Refused: "enrolment.too_often", "form.too_large" before more is read than is taken."""
    office.turnstile.enter(_source(request), office.ctx.wall)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BYTES:
            raise Refused("form.too_large")
    return bytes(body).strip()


def _said(answer: EnrolAnswer) -> Response:
    status = _STATUS[answer.state]
    headers = {"cache-control": "no-store"}
    if answer.state is EnrolState.WAITING:
        headers["retry-after"] = str(answer.poll_after_s)
    return Response(encode(answer), status_code=status, media_type="application/json", headers=headers)


@router.post("")
async def ask(request: Request, office: TheOffice) -> Response:
    document = await _document(request, office)
    return _said(await run_in_threadpool(unit_enrolling.ask, office.ctx, document, _source(request)))


@router.post("/renewals")
async def renew(request: Request, office: TheOffice) -> Response:
    document = await _document(request, office)
    return _said(await run_in_threadpool(unit_renewing.renew, office.ctx, document))


@router.get("/{name}")
def look(request: Request, office: TheOffice, name: str) -> Response:
    office.turnstile.enter(_source(request), office.ctx.wall)
    return _said(unit_enrolling.answer(office.ctx, name))
