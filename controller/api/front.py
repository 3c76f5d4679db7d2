"""The API as one router, and its errors."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from broadcasts.errors import LoaError
from controller.api import (
    account,
    ahead,
    areas,
    audit,
    broadcasts,
    campaigns,
    cap,
    emergency_set,
    enrolments,
    faults,
    feedback,
    files,
    fleet,
    four_eyes,
    hardware,
    inventory,
    live,
    ops,
    orders,
    people,
    phrases,
    playings,
    regulation,
    relays,
    rounds,
    schedule,
    sounds,
    speech,
    targets,
    uploads,
    wanted,
    why,
)
from controller.api.errors import problem
from controller.api.precedence import router as precedence

PREFIXES = ("/api/", "/u/", "/assets/", "/metrics", "/healthz")
"""What programs ask; everything else is a page."""


def router() -> APIRouter:
    made = APIRouter()
    for part in (
        ahead,
        areas,
        regulation,
        ops,
        files,
        feedback,
        fleet,
        four_eyes,
        account,
        broadcasts,
        campaigns,
        emergency_set,
        enrolments,
        cap,
        relays,
        schedule,
        sounds,
        speech,
        phrases,
        playings,
        people,
        audit,
        targets,
        uploads,
        wanted,
        why,
        hardware,
        inventory,
        faults,
        orders,
        rounds,
        live,
    ):
        made.include_router(part.router)
    made.include_router(precedence)
    return made


def is_ours(request: Request) -> bool:
    path = request.url.path
    return path.startswith(PREFIXES) or (path.startswith("/cap/") and path.endswith(".xml"))


def error_answer(request: Request, error: LoaError, sentence: str) -> Response:
    headers = dict(uploads.SAID) if request.url.path.startswith(uploads.PATH) else {}
    if error.key == "unit.unknown":
        headers["www-authenticate"] = 'Basic realm="loa unit", charset="UTF-8"'
    elif error.key in ("metrics.token", "cap.token"):
        headers["www-authenticate"] = "Bearer"
    elif error.key in ("login.first", "login.wrong", "code.wrong"):
        # Not "Basic": a browser would ask for a password in a window of its own.
        headers["www-authenticate"] = 'Session realm="loa"'
    return problem(error, sentence, headers)
