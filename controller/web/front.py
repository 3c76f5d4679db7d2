"""The pages as one router, their errors, and the files that browsers keep."""

from __future__ import annotations

from urllib.parse import quote

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, RedirectResponse, Response

from broadcasts.errors import LoaError, Refused
from controller.web.desk import AGAIN, DIST, Desk, FreshCodeFirst, visitor, wanted_page
from controller.web.pages import (
    account,
    ahead,
    alerts,
    approve,
    areas,
    audit,
    broadcasts,
    campaigns,
    cap,
    cap_feeds,
    clusters,
    compose,
    delegations,
    deliveries,
    drills,
    emergency,
    emergency_set,
    exceptions,
    faults,
    feedback,
    fleet,
    fleet_map,
    groups,
    guide,
    hardware,
    home,
    inventory,
    missing,
    orders,
    people,
    phrases,
    places_on_map,
    playings,
    pronunciations,
    recordings,
    regulation,
    relays,
    rounds,
    sandbox,
    sent,
    sound_library,
    sounds,
    speech,
    timetable,
    units,
    voices,
)
from controller.web.pages.clashes import router as clashes

KEPT = "public, max-age=31536000, immutable"
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".woff2": "font/woff2",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}


def router() -> APIRouter:
    made = APIRouter(include_in_schema=False)
    # compose before broadcasts, hardware before clusters: what is called /new there is no name.
    first = (
        account,
        home,
        compose,
        recordings,
        speech,
        sounds,
        pronunciations,
        phrases,
        missing,
        sent,
        sound_library,
        timetable,
        ahead,
        campaigns,
        broadcasts,
        deliveries,
        approve,
        hardware,
        inventory,
        fleet_map,
        fleet,
        clusters,
        orders,
        faults,
        rounds,
    )
    places = (places_on_map, groups, areas, units)
    several = (feedback, delegations, exceptions, people, audit, playings, sandbox)
    alarms = (emergency_set, emergency, drills, guide, alerts, cap, cap_feeds, voices)
    for page in (*first, *places, regulation, relays, *alarms, *several):
        made.include_router(page.router)
    made.include_router(clashes)
    made.add_api_route("/static/{mark}/{name}", static_file, methods=["GET"])
    return made


def static_file(mark: str, name: str) -> Response:
    """`mark` is only there to make the address new when the bytes are."""
    path = DIST / name
    if path.parent != DIST or path.suffix not in _TYPES or not path.is_file():
        raise Refused("page.unknown")
    return FileResponse(path, media_type=_TYPES[path.suffix], headers={"cache-control": KEPT})


def error_page(request: Request, error: LoaError) -> Response:
    """The sentence, in the language of whoever asked: a whole page, or a piece for a script."""
    if error.key == AGAIN and isinstance(read := getattr(request.state, "desk", None), Desk) and read.keeps_form:
        return read.ask_code(error)
    desk = visitor(request)
    template = "_error.html" if desk.partial else "error.html"
    status = desk.status(error)
    return desk.page(template, status, error=error, status_code=status)


def to_login(request: Request, wanted: str) -> Response:
    return _go(request, "/login" if wanted == "/" else f"/login?next={quote(wanted, safe='')}")


def to_fresh_code(first: FreshCodeFirst) -> Response:
    return first.desk.ask_code(first.error)


FIRST = {"password": "/password", "code": "/code", "factor": "/second-factor"}
"""Where a person goes who owes this (`Actor.owes`)."""


def to_first(request: Request, owes: str) -> Response:
    wanted = wanted_page(request) if owes == "code" else "/"  # the others end at home
    return _go(request, FIRST[owes] if wanted == "/" else f"{FIRST[owes]}?next={quote(wanted, safe='')}")


def _go(request: Request, address: str) -> Response:
    if "hx-request" in request.headers:
        return Response(status_code=401, headers={"HX-Redirect": address})
    if "text/event-stream" in request.headers.get("accept", ""):
        return Response(status_code=204)  # EventSource stays away
    return RedirectResponse(address, status_code=303)
