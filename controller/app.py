"""Pages and API as one application. It starts nothing: threads, broker and clock belong to `bootstrap`."""

from __future__ import annotations

import logging

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response

from broadcasts.errors import Fault, LoaError, Refused
from controller.api import front as api
from controller.api.errors import status_of
from controller.services.office import Office
from controller.web import front as web
from controller.web.catalogue import LANGUAGES
from controller.web.desk import FreshCodeFirst, LogInFirst, SomethingFirst
from controller.web.security import HEADERS, Shield
from controller.web.words import Words

log = logging.getLogger(__name__)


def create_app(office: Office) -> FastAPI:
    """The application for one office."""
    app = FastAPI(title="Loa", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.office = office
    app.state.status_of = status_of
    app.state.sentence = _sentence
    app.state.streams = app.state.voices = 0
    app.include_router(api.router())
    app.include_router(web.router())
    app.add_middleware(Shield, tls=office.secure_cookies)

    @app.exception_handler(LoaError)
    def told(request: Request, error: LoaError) -> Response:
        return _answer(request, error)

    @app.exception_handler(404)
    def no_page(request: Request, _: Exception) -> Response:
        return _answer(request, Refused("page.unknown"))

    @app.exception_handler(405)
    def no_method(request: Request, _: Exception) -> Response:
        return _answer(request, Refused("method.unknown"))

    @app.exception_handler(400)
    def no_sense(request: Request, _: Exception) -> Response:
        return _answer(request, Refused("form.broken"))

    @app.exception_handler(RequestValidationError)
    def not_understood(request: Request, error: RequestValidationError) -> Response:
        # Where it is wrong, never what was sent.
        where = "; ".join(f"{'.'.join(map(str, part['loc']))}: {part['msg']}" for part in error.errors()[:5])
        return _answer(request, Refused("request.invalid", where=where[:500]))

    @app.exception_handler(LogInFirst)
    def log_in(request: Request, error: LogInFirst) -> Response:
        return web.to_login(request, error.wanted)

    @app.exception_handler(FreshCodeFirst)
    def fresh_code(_: Request, error: FreshCodeFirst) -> Response:
        return web.to_fresh_code(error)

    @app.exception_handler(SomethingFirst)
    def something_first(request: Request, error: SomethingFirst) -> Response:
        return web.to_first(request, error.owes)

    @app.exception_handler(Exception)
    def unforeseen(request: Request, error: Exception) -> Response:
        # Starlette raises it again afterwards, so the log has it; the reader gets a sentence.
        answer = _answer(request, Fault("unforeseen"))
        # Made outside of all middleware, so it brings its own shield.
        answer.headers.update(HEADERS)
        return answer

    return app


def _sentence(language: str, office: Office, error: LoaError) -> str:
    """For answers that tell of several failures at once."""
    return Words(language if language in LANGUAGES else "en", office.ctx.clock.now()).failure(error)


def _answer(request: Request, error: LoaError) -> Response:
    if isinstance(error, Fault):
        log.error("%s %s: %s", request.method, request.url.path, error)
    if not api.is_ours(request):
        return web.error_page(request, error)
    wished = request.headers.get("accept-language", "")[:2]
    language = wished if wished in LANGUAGES else "en"
    office: Office = request.app.state.office
    return api.error_answer(request, error, _sentence(language, office, error))
