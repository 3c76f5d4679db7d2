"""In and out, the first password, the language."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from broadcasts.errors import Refused
from controller.services import accounts
from controller.web.catalogue import LANGUAGES
from controller.web.desk import AnyDesk, Desk, NewcomerDesk, NewcomerForm, PersonDesk, VisitorForm, safe_address

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
        token = accounts.log_in(desk.office.ctx, name, desk.posted.get("password")[:200])
    except Refused as refused:
        return desk.page("login.html", desk.status(refused), error=refused, done=None, name=name, wanted=wanted)
    return desk.log_in(desk.go(wanted), token)


@router.post("/logout")
def log_out(desk: NewcomerForm) -> Response:
    cookie = desk.office.session_cookie
    accounts.log_out(desk.office.ctx, desk.request.cookies.get(cookie, ""))
    answer = desk.go("/login")
    answer.delete_cookie(cookie, path="/", secure=desk.office.secure_cookies, httponly=True, samesite="lax")
    return answer


@router.get("/password")
def password_page(desk: NewcomerDesk) -> Response:
    return _password(desk, None)


@router.post("/password")
def change_password(desk: NewcomerForm) -> Response:
    old, new = desk.posted.get("old")[:200], desk.posted.get("new")[:200]
    try:
        if new != desk.posted.get("again")[:200]:
            raise Refused("password.differ")
        accounts.change_password(desk.office.ctx, desk.actor, old, new)
    except Refused as refused:
        # 401 would send a browser to log in again; here only the form is wrong.
        return _password(desk, refused, 422)
    return desk.go("/?done=password")


def _password(desk: Desk, error: Refused | None, status: int = 200) -> Response:
    return desk.page("password.html", status, error=error, least=accounts.MIN_PASSWORD)


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
