"""Who asks: a person by session or by name and password, a unit by its own credential."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated

from fastapi import Depends, Request

from broadcasts.errors import Refused
from controller.services.accounts import actor_by_password, who
from controller.services.office import Office, check_form
from controller.services.rights import Actor

MAX_CREDENTIAL = 1_000


def office(request: Request) -> Office:
    found: Office = request.app.state.office
    return found


TheOffice = Annotated[Office, Depends(office)]


def basic(request: Request) -> tuple[str, str] | None:
    """Name and password of RFC 7617, or none when the header is another or broken."""
    kind, _, told = request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "basic" or len(told) > MAX_CREDENTIAL:
        return None
    try:
        name, colon, password = base64.b64decode(told.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return (name, password) if colon else None


def known(request: Request, office: TheOffice) -> Actor:
    """Whoever has a session, by cookie or as bearer, also when something is still owed.

    Raises Refused: "login.first"; for what changes something by way of a cookie also "form.foreign" (header
    X-Form-Token).
    """
    kind, _, bearer = request.headers.get("authorization", "").partition(" ")
    by_header = kind.lower() == "bearer" and len(bearer) <= MAX_CREDENTIAL
    token = bearer.strip() if by_header else request.cookies.get(office.session_cookie, "")
    actor = who(office.ctx, token) if token else None
    if actor is None:
        raise Refused("login.first")
    if not by_header and request.method not in ("GET", "HEAD"):
        check_form(actor, request.headers.get("x-form-token", ""))
    return actor


OWED = {"code": "code.first", "password": "password.first", "factor": "second_factor.first"}


def caller(request: Request, office: TheOffice) -> Actor:
    """Raises what `known` raises, or for name and password "login.wrong", "login.locked", "second_factor.session";
    "password.first", "code.first", "second_factor.first" while that is owed."""
    credential = basic(request)
    if credential is not None:
        return actor_by_password(office.ctx, *credential)
    actor = known(request, office)
    if actor.owes:
        raise Refused(OWED[actor.owes])
    return actor


Known = Annotated[Actor, Depends(known)]
Caller = Annotated[Actor, Depends(caller)]
