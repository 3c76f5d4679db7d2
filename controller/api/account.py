"""One's own account for programs: log in with a second factor, password, sessions."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from broadcasts.errors import Refused
from controller.api.deps import OWED, Caller, Known, TheOffice, basic
from controller.services import factors, sessions
from controller.services.accounts import change_password as change
from controller.services.accounts import log_in, log_out, who

router = APIRouter(prefix="/api/v1")


class Told(BaseModel):
    model_config = ConfigDict(extra="forbid")


class PasswordIn(Told):
    new: str = Field(max_length=200)


class LogInIn(Told):
    name: str = Field(max_length=60)
    password: str = Field(max_length=200)
    code: str = Field("", max_length=40)
    """Of the authenticator app, or a recovery code; for accounts with a second factor."""


class CodeIn(Told):
    code: str = Field(max_length=40)


class TokenOut(BaseModel):
    token: str
    """For `Authorization: Bearer …`."""
    owes: str
    """What has to be done first: "code", "password", "factor" or nothing."""


class EnrolmentOut(BaseModel):
    secret: str
    uri: str


class SessionOut(BaseModel):
    id: str
    client: str
    created_at: datetime
    seen_at: datetime
    strong: bool
    this: bool


@router.post("/password")
def change_password(request: Request, office: TheOffice, told: PasswordIn) -> dict[str, str]:
    """With the old password as HTTP Basic. Raises Refused as the page does, "second_factor.session" where a code is
    asked besides."""
    credential = basic(request)
    if credential is None:
        raise Refused("login.first")
    token = log_in(office.ctx, *credential, client=client(request))
    actor = who(office.ctx, token)
    if actor is None:
        raise Refused("login.first")
    try:
        if actor.owes == "code":
            raise Refused("second_factor.session")
        change(office.ctx, actor, credential[1], told.new)
    finally:
        log_out(office.ctx, token)
    return {"name": actor.name}


@router.post("/sessions", status_code=201)
def open_session(request: Request, office: TheOffice, told: LogInIn) -> TokenOut:
    """Raises Refused: "login.wrong", "code.wrong", "login.locked", "login.unused", "login.busy"."""
    token = log_in(office.ctx, told.name, told.password, told.code, client(request))
    actor = who(office.ctx, token)
    return TokenOut(token=token, owes=actor.owes if actor else "")


@router.get("/sessions")
def list_sessions(office: TheOffice, caller: Caller) -> list[SessionOut]:
    return [SessionOut(**line.__dict__) for line in sessions.mine(office.ctx, caller)]


@router.delete("/sessions/{session_id}")
def end_session(office: TheOffice, caller: Caller, session_id: str) -> dict[str, str]:
    sessions.end(office.ctx, caller, session_id)
    return {"ended": session_id}


@router.post("/second-factor", status_code=201)
def begin_factor(office: TheOffice, known: Known) -> EnrolmentOut:
    """The secret of an authenticator app; it counts once a code confirmed it."""
    allow(known.owes, "factor")
    made = factors.begin(office.ctx, known)
    return EnrolmentOut(secret=made.secret, uri=made.uri)


@router.post("/second-factor/confirm")
def confirm_factor(office: TheOffice, known: Known, told: CodeIn) -> dict[str, list[str]]:
    """The recovery codes, this once."""
    allow(known.owes, "factor")
    return {"recovery_codes": factors.confirm(office.ctx, known, told.code)}


@router.post("/second-factor/give", status_code=204)
def give_code(office: TheOffice, known: Known, told: CodeIn) -> Response:
    """A code for the session of the one who asks: the first one, or a fresh one for what answers
    "second_factor.again". Raises Refused: "code.wrong", "login.locked"."""
    allow(known.owes, "code")
    factors.give(office.ctx, known, told.code)
    return Response(status_code=204)


@router.post("/second-factor/codes")
def new_codes(office: TheOffice, caller: Caller, told: CodeIn) -> dict[str, list[str]]:
    return {"recovery_codes": factors.new_codes(office.ctx, caller, told.code)}


def allow(owes: str, this: str) -> None:
    """Only what is owed first may be done first: a code before a password, a password before a second factor."""
    if owes not in ("", this):
        raise Refused(OWED[owes])


def client(request: Request) -> str:
    return request.headers.get("user-agent", "")
