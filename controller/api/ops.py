"""For machines that watch: is it there, and its figures."""

from __future__ import annotations

import gzip
import hmac

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse, Response

from broadcasts.errors import Refused
from controller.api.deps import TheOffice, caller
from controller.services.rights import Right

router = APIRouter()


@router.get("/healthz")
def healthz() -> Response:
    """That the process answers, and nothing else."""
    return PlainTextResponse("ok\n")


@router.get("/metrics")
def metrics(request: Request, office: TheOffice) -> Response:
    """Raises Refused: "metrics.token", "no_right", and what `caller` raises."""
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer":
        if not office.metrics_token or not hmac.compare_digest(token.strip().encode(), office.metrics_token.encode()):
            raise Refused("metrics.token")
    else:
        caller(request, office).need(Right.METRICS)
    page, head = office.metrics(), {"Vary": "Accept-Encoding"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        # Prometheus asks for it: with single clusters a page of half a megabyte becomes a twentieth.
        page, head = gzip.compress(page, 1), head | {"Content-Encoding": "gzip"}
    return Response(page, media_type="text/plain; version=0.0.4; charset=utf-8", headers=head)
