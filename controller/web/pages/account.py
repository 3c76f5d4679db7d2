"""In and out, password, second factor, sessions, the language."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from broadcasts.errors import LoaError, Refused
from controller.services import accounts, factors, people, sessions
from controller.web import qr
from controller.web.catalogue import LANGUAGES
from controller.web.desk import (
    AnyDesk,
    Desk,
    NewcomerDesk,
    NewcomerForm,
    PersonDesk,
    PersonForm,
    VisitorForm,
    owing,
    safe_address,
)

router = APIRouter()


@router.get("/login")
def login_page(desk: AnyDesk, next: str = "/") -> Response:  # noqa: A002
    if desk.visitor is not None:
        return desk.go(safe_address(next))
    return desk.page("login.html", error=None, done=None, name="", wanted=safe_address(next))


@router.post("/login")
def log_in(desk: VisitorForm) -> Response:
    name, wanted = desk.posted.get("name").strip()[:60], safe_address(desk.posted.get("next", "/"))
    try:
        token = accounts.log_in(desk.office.ctx, name, desk.posted.get("password")[:200], client=_client(desk))
    except Refused as refused:
        return desk.page("login.html", desk.status(refused), error=refused, done=None, name=name, wanted=wanted)
    return desk.log_in(desk.go(wanted), token)


@router.get("/code")
def code_page(desk: NewcomerDesk, next: str = "/") -> Response:  # noqa: A002
    owing(desk, "code")
    if not desk.actor.owes:
        return desk.go(safe_address(next))
    return desk.page("code.html", error=None, wanted=safe_address(next))


@router.post("/code")
def give_code(desk: NewcomerForm) -> Response:
    wanted = safe_address(desk.posted.get("next", "/"))
    owing(desk, "code")
    if not desk.actor.owes:
        return desk.go(wanted)
    try:
        factors.give(desk.office.ctx, desk.actor, desk.posted.get("code")[:40])
    except Refused as refused:
        # 401 would send a browser to log in again; here only the form is wrong.
        return desk.page("code.html", 422, error=refused, wanted=wanted)
    return desk.go(wanted)


@router.post("/logout")
def log_out(desk: NewcomerForm) -> Response:
    cookie = desk.office.session_cookie
    accounts.log_out(desk.office.ctx, desk.request.cookies.get(cookie, ""))
    answer = desk.go("/login")
    answer.delete_cookie(cookie, path="/", secure=desk.office.secure_cookies, httponly=True, samesite="lax")
    return answer


@router.get("/password")
def password_page(desk: NewcomerDesk) -> Response:
    owing(desk, "password")
    return _password(desk, None)


@router.post("/password")
def change_password(desk: NewcomerForm) -> Response:
    owing(desk, "password")
    old, new = desk.posted.get("old")[:200], desk.posted.get("new")[:200]
    try:
        if new != desk.posted.get("again")[:200]:
            raise Refused("password.differ")
        accounts.change_password(desk.office.ctx, desk.actor, old, new)
    except Refused as refused:
        return _password(desk, refused, 422)
    return desk.go("/?done=password")


def _password(desk: Desk, error: Refused | None, status: int = 200) -> Response:
    strong, once = accounts.own(desk.office.ctx, desk.actor)
    return desk.page("password.html", status, error=error, once=once, **_rule(desk, strong=strong))


def _rule(desk: Desk, *, strong: bool) -> dict[str, object]:
    rules = desk.office.ctx.people
    return {"least": rules.strong_length if strong else rules.length, "strong": strong}


@router.get("/second-factor")
def factor_page(desk: NewcomerDesk) -> Response:
    owing(desk, "factor")
    return _factor(desk, None)


@router.post("/second-factor")
def confirm_factor(desk: NewcomerForm) -> Response:
    """`act`: "confirm" the telephone, or make new recovery "codes"."""
    owing(desk, "factor")
    code, ctx = desk.posted.get("code")[:40], desk.office.ctx
    try:
        match desk.posted.get("act"):
            case "confirm":
                codes = factors.confirm(ctx, desk.actor, code)
            case "codes":
                codes = factors.new_codes(ctx, desk.actor, code)
            case other:
                raise Refused("choice.unknown", name="act", value=other[:20])
    except LoaError as error:
        return _factor(desk, error, 409 if error.key == "second_factor.there" else 422)
    return desk.page("recovery_codes.html", codes=codes)


def _factor(desk: Desk, error: LoaError | None, status: int = 200) -> Response:
    ctx = desk.office.ctx
    on, left = factors.state(ctx, desk.actor)
    made = None if on else factors.begin(ctx, desk.actor)
    image = qr.image(made.uri) if made else ""
    return desk.page("second_factor.html", status, error=error, left=left, made=made, image=image)


@router.get("/sessions")
def sessions_page(desk: PersonDesk) -> Response:
    return desk.page("sessions.html", sessions=sessions.mine(desk.office.ctx, desk.actor))


@router.post("/sessions/{session_id}/end")
def end_session(desk: PersonForm, session_id: str) -> Response:
    sessions.end(desk.office.ctx, desk.actor, session_id)
    return desk.go("/sessions")


@router.get("/invitations/{code}")
def invitation_page(desk: AnyDesk, code: str) -> Response:
    return _invitation(desk, code, None)


@router.post("/invitations/{code}")
def accept_invitation(desk: VisitorForm, code: str) -> Response:
    new = desk.posted.get("new")[:200]
    try:
        if new != desk.posted.get("again")[:200]:
            raise Refused("password.differ")
        token = people.accept(desk.office.ctx, code, new, _client(desk))
    except Refused as refused:
        if refused.key == "invitation.unknown":
            raise
        return _invitation(desk, code, refused, 422)
    return desk.log_in(desk.go("/"), token)


def _invitation(desk: Desk, code: str, error: Refused | None, status: int = 200) -> Response:
    user, strong = people.invited(desk.office.ctx, code)
    return desk.page("invitation.html", status, error=error, user=user, code=code, **_rule(desk, strong=strong))


@router.post("/language")
def language(desk: VisitorForm) -> Response:
    chosen = desk.posted.get("language")
    if chosen not in LANGUAGES:
        raise Refused("choice.unknown", name="language", value=chosen[:10])
    if desk.visitor is not None:
        accounts.set_language(desk.office.ctx, desk.visitor, chosen)
    return desk.set_language(desk.go(safe_address(desk.posted.get("next", "/"))), chosen)


@router.get("/more")
def more(desk: PersonDesk) -> Response:
    return desk.page("more.html", done=None)


def _client(desk: Desk) -> str:
    return desk.request.headers.get("user-agent", "")
