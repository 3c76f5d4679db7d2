"""One request of one person: who asks, in which language, and how a page is made for them."""

from __future__ import annotations

import hmac
import json
import re
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import Depends, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from broadcasts.clock import VIETNAM
from broadcasts.errors import LoaError, Refused
from controller.services import factors
from controller.services.accounts import who
from controller.services.office import Office, check_form
from controller.services.relay_evidence import share
from controller.services.rights import Actor, Right
from controller.services.views.alerts_now import standing
from controller.web import catalogue, waveform
from controller.web.schedule_form import LUNAR, NAMED, PRESETS
from controller.web.schedule_words import told
from controller.web.speech_form import stretches
from controller.web.upload import Posted, read_form, read_form_with_file
from controller.web.words import Words

HERE = Path(__file__).parent
DIST = HERE / "static" / "dist"
VISIT_COOKIE = "loa_visit"
LANGUAGE_COOKIE = "loa_language"
A_YEAR = 365 * 24 * 3600
AGAIN = "second_factor.again"
FRESH_CODE = "fresh_code"
"""The field with the code, in a form that was asked to wait for one."""
_TYPED_ON = re.compile(r"/broadcasts/(?:new|[^/]+/edit)\Z")
"""Pages that find again what was typed on them (static/app.js)."""


class LogInFirst(Exception):
    """There is no session; `next` is where the person wanted to go."""

    def __init__(self, wanted: str) -> None:
        super().__init__(wanted)
        self.wanted = wanted


class FreshCodeFirst(Exception):
    """The code that came with a kept form does not open. `desk` still holds the form."""

    def __init__(self, desk: Desk, error: LoaError) -> None:
        super().__init__(error.key)
        self.desk, self.error = desk, error


class SomethingFirst(Exception):
    """Logged in, but something stands between this person and the pages: `owes` as in `Actor`."""

    def __init__(self, owes: str) -> None:
        super().__init__(owes)
        self.owes = owes


@cache
def environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals.update(
        static=static,
        outline=waveform.outline,
        Right=Right,
        share_of=share,
        standing=standing,
        LANGUAGES=catalogue.LANGUAGES,
        said=told,
        stretches_of=stretches,
        PRESETS=PRESETS,
        LUNAR=LUNAR,
        NAMED=NAMED,
    )
    return made


@cache
def _manifest() -> dict[str, str]:
    found: dict[str, str] = json.loads((DIST / "manifest.json").read_text(encoding="utf-8"))
    return found


def static(name: str) -> str:
    """The address of a built asset; its hash is in it, so that browsers may keep it for ever."""
    return f"/static/{_manifest().get(name, '0')}/{name}"


@dataclass
class Desk:
    request: Request
    office: Office
    visitor: Actor | None
    language: str
    visit_token: str
    fresh_visit: bool = False
    posted: Posted = field(default_factory=Posted)

    @property
    def actor(self) -> Actor:
        """Raises LogInFirst."""
        if self.visitor is None:
            raise LogInFirst(wanted_page(self.request))
        return self.visitor

    @property
    def form_token(self) -> str:
        return self.visitor.form_token if self.visitor else self.visit_token

    @property
    def words(self) -> Words:
        return Words(self.language, self.office.ctx.clock.now())

    @property
    def today(self) -> date:
        """In Viet Nam, by the time on air."""
        return self.office.ctx.clock.now().astimezone(VIETNAM).date()

    @property
    def partial(self) -> bool:
        """Asked by a script for a piece of a page."""
        return "hx-request" in self.request.headers

    def status(self, error: LoaError) -> int:
        return int(self.request.app.state.status_of(error))

    def text(self, template: str, **told: Any) -> str:
        return environment().get_template(template).render(**self._frame(), **told)

    def page(self, template: str, status: int = 200, **told: Any) -> HTMLResponse:
        """A whole page, or a piece of one when that is what the template is. Where it would only say that a fresh code
        is asked for, whoever handed in the form is asked, and the form waits meanwhile."""
        error = told.get("error")
        if isinstance(error, LoaError) and error.key == AGAIN and self.keeps_form:
            return self.ask_code(error)
        return self.answer(self.text(template, **told), status)

    @property
    def keeps_form(self) -> bool:
        """Whether what was handed in can be handed in again by us: there was a form, and no file in it."""
        return self.request.method == "POST" and self.visitor is not None and not self.posted.files

    def ask_code(self, error: LoaError) -> HTMLResponse:
        """The page that asks for a code and then hands in the form once more, with all that was in it."""
        kept = [(name, value) for name, value in self.posted.fields if name not in ("form_token", FRESH_CODE)]
        query = f"?{self.request.url.query}" if self.request.url.query else ""
        came_from = _path_of(self.request.headers.get("referer", ""))
        told = {"error": error, "kept": kept, "address": self.request.url.path + query}
        status = self.status(error) if error.key == AGAIN else 422  # 401 would send a browser to log in again
        answer = self.answer(self.text("fresh_code.html", back=safe_address(came_from or "/"), **told), status)
        if self.partial:
            answer.headers.update({"hx-retarget": "#main", "hx-reselect": "#main", "hx-reswap": "outerHTML"})
        return answer

    def _frame(self) -> dict[str, Any]:
        words, office = self.words, self.office
        now = words.now.astimezone(VIETNAM)
        minute = now.hour * 60 + now.minute
        return {
            "desk": self,
            "me": self.visitor,
            "words": words,
            "t": words.t,
            "now": words.now,
            "link_up": office.link_up(),
            "demo": office.sandbox is not None,
            "no_factor": not office.ctx.people.second_factor,
            "demo_hours": office.demo_hours,
            "demo_closed": office.sandbox is not None
            and not office.demo_hours[0] <= minute < office.demo_hours[1] - 10,
            "here": self.request.url.path,
        }

    def answer(self, text: str, status: int = 200) -> HTMLResponse:
        answer = HTMLResponse(text, status_code=status)
        if self.fresh_visit:
            answer.set_cookie(
                VISIT_COOKIE, self.visit_token, secure=self.office.secure_cookies, httponly=True, samesite="strict"
            )
        return answer

    def go(self, address: str) -> Response:
        """To another page, whether a form or a script asked."""
        if self.partial:
            return Response(status_code=204, headers={"HX-Redirect": address})
        return RedirectResponse(address, status_code=303)

    def log_in(self, answer: Response, token: str) -> Response:
        answer.set_cookie(
            self.office.session_cookie,
            token,
            max_age=int(self.office.ctx.people.session.total_seconds()),
            secure=self.office.secure_cookies,
            httponly=True,
            samesite="lax",
            path="/",
        )
        return answer

    def set_language(self, answer: Response, language: str) -> Response:
        answer.set_cookie(
            LANGUAGE_COOKIE,
            language,
            max_age=A_YEAR,
            secure=self.office.secure_cookies,
            httponly=True,
            samesite="lax",
        )
        return answer


def wanted_page(request: Request) -> str:
    """Where to go after log-in: this page if it was one; the form that was being filled in; else home."""
    if request.method != "GET" or "hx-request" in request.headers:
        told = request.headers.get("hx-current-url") or request.headers.get("referer", "")
        page = _path_of(told)
        return page if _TYPED_ON.match(page) else "/"
    query = f"?{request.url.query}" if request.url.query else ""
    return request.url.path + query


def _path_of(told: str) -> str:
    """Of an address that a browser says; empty for none that can be read."""
    try:
        return urlsplit(told).path
    except ValueError:
        return ""


def safe_address(wanted: str) -> str:
    """Only a path of ours: `//host` and `/\\host` are other sites to a browser."""
    fine = wanted.startswith("/") and wanted[1:2] not in ("/", "\\") and wanted.isprintable() and "\\" not in wanted
    return wanted if fine else "/"


def visitor(request: Request) -> Desk:
    """Anybody."""
    office: Office = request.app.state.office
    token = request.cookies.get(office.session_cookie, "")
    # What a page asks by itself is no sign of a person.
    by_itself = request.url.path.endswith(("/live", "/rows")) and request.url.path != "/live"
    actor = who(office.ctx, token, touch=not by_itself) if token else None
    chosen = actor.language if actor else request.cookies.get(LANGUAGE_COOKIE, "")
    visit = request.cookies.get(VISIT_COOKIE, "")
    return Desk(
        request=request,
        office=office,
        visitor=actor,
        language=chosen if chosen in catalogue.LANGUAGES else catalogue.FIRST,
        visit_token=visit or secrets.token_urlsafe(24),
        fresh_visit=not visit,
    )


AnyDesk = Annotated[Desk, Depends(visitor)]


def newcomer(desk: AnyDesk) -> Desk:
    """Logged in, perhaps still with the one-time password or without the code."""
    _ = desk.actor
    return desk


def person(desk: Annotated[Desk, Depends(newcomer)]) -> Desk:
    """Logged in with a password of their own and every factor that is asked. Raises LogInFirst, SomethingFirst."""
    if desk.actor.owes:
        raise SomethingFirst(desk.actor.owes)
    return desk


def owing(desk: Desk, this: str) -> None:
    """For the pages where what is owed is done: no other of them comes first. Raises SomethingFirst."""
    if desk.actor.owes not in ("", this):
        raise SomethingFirst(desk.actor.owes)


def author(desk: Annotated[Desk, Depends(person)]) -> Desk:
    """Raises Refused("no_right") before anything of a large body is read."""
    desk.actor.need(Right.COMPOSE)
    return desk


async def _read(desk: Desk) -> Desk:
    """The small form that came along, once it is known to be one of ours."""
    _check_header(desk)
    desk.posted = await read_form(desk.request)
    _check_body(desk)
    desk.request.state.desk = desk
    return desk


def _take_code(desk: Desk, actor: Actor) -> None:
    """Of a form that had to wait for it (`Desk.ask_code`). Asked for twice, as by a double click, it is fresh already.
    Raises FreshCodeFirst, LogInFirst."""
    ctx, code = desk.office.ctx, desk.posted.get(FRESH_CODE)[:40]
    try:
        actor.freshly(ctx.wall.now(), ctx.people.fresh_code)
        return
    except Refused:
        pass
    try:
        factors.give(ctx, actor, code)
    except Refused as refused:
        raise FreshCodeFirst(desk, refused) from None
    desk.visitor = who(ctx, desk.request.cookies.get(desk.office.session_cookie, ""))
    if desk.visitor is None:
        raise LogInFirst(wanted_page(desk.request))


def _check_header(desk: Desk) -> None:
    """Where a script says the token beforehand, not a byte of a foreign form is read."""
    if token := desk.request.headers.get("x-form-token"):
        _check(desk, token)


def _check_body(desk: Desk) -> None:
    if not desk.request.headers.get("x-form-token"):
        _check(desk, desk.posted.get("form_token"))


def _check(desk: Desk, token: str) -> None:
    """Raises Refused("form.foreign")."""
    if desk.visitor is not None:
        check_form(desk.visitor, token)
    elif desk.fresh_visit or not hmac.compare_digest(desk.visit_token.encode(), token.encode()):
        raise Refused("form.foreign")


async def visitor_form(desk: AnyDesk) -> Desk:
    return await _read(desk)


async def newcomer_form(desk: Annotated[Desk, Depends(newcomer)]) -> Desk:
    return await _read(desk)


async def person_form(desk: Annotated[Desk, Depends(person)]) -> Desk:
    """Takes the code of a form that waited for it. Only here: where passwords are typed no form is ever kept."""
    await _read(desk)
    if desk.posted.get(FRESH_CODE):
        await run_in_threadpool(_take_code, desk, desk.actor)
    return desk


def preloader(desk: Annotated[Desk, Depends(person)]) -> Desk:
    """Raises Refused("no_right") before anything of a large body is read."""
    desk.actor.need(Right.PRELOAD)
    return desk


async def author_form(desk: Annotated[Desk, Depends(author)]) -> AsyncIterator[Desk]:
    async for read in large_form(desk):
        yield read


async def preloader_form(desk: Annotated[Desk, Depends(preloader)]) -> AsyncIterator[Desk]:
    async for read in large_form(desk):
        yield read


async def large_form(desk: Desk) -> AsyncIterator[Desk]:
    """The only forms that may be large and bring a file, which is gone when the page is done, however it ended."""
    office = desk.office
    _check_header(desk)
    desk.posted = await read_form_with_file(desk.request, office.upload_folder, office.max_upload_bytes)
    try:
        _check_body(desk)
        yield desk
    finally:
        desk.posted.forget_files()


VisitorForm = Annotated[Desk, Depends(visitor_form)]
NewcomerDesk = Annotated[Desk, Depends(newcomer)]
NewcomerForm = Annotated[Desk, Depends(newcomer_form)]
PersonDesk = Annotated[Desk, Depends(person)]
PersonForm = Annotated[Desk, Depends(person_form)]
AuthorDesk = Annotated[Desk, Depends(author)]
AuthorForm = Annotated[Desk, Depends(author_form)]
PreloaderForm = Annotated[Desk, Depends(preloader_form)]
