"""The form of a bulletin that comes after its session ended: what was typed is there again after the log-in, also where
no script keeps it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated
from urllib.parse import quote

from fastapi import Depends
from fastapi.concurrency import run_in_threadpool

from broadcasts.errors import Refused
from controller.services import kept_forms
from controller.web.desk import AnyDesk, Desk, LogInFirst, author, author_form, person, wanted_page
from controller.web.upload import read_fields

PASSING = frozenset({"form_token", "act", "push_now"})
"""Not typed, or not to be said again without a look."""


async def keeping_author_form(desk: AnyDesk) -> AsyncIterator[Desk]:
    """As `author_form`. Raises LogInFirst with the page where the kept form comes again."""
    if desk.visitor is None:
        raise LogInFirst(await _kept_at(desk) or wanted_page(desk.request))
    async with asynccontextmanager(author_form)(author(person(desk))) as ready:
        yield ready


async def _kept_at(desk: Desk) -> str | None:
    """Where to go on, where the form was kept. Nothing of the body is read for who never had a session."""
    ctx, cookie = desk.office.ctx, desk.request.cookies.get(desk.office.session_cookie, "")
    if not await run_in_threadpool(kept_forms.once_a_session, ctx, cookie):
        return None
    try:
        posted = await read_fields(desk.request, 2 * desk.office.max_upload_bytes)
    except Refused:
        return None
    typed = [(name, value) for name, value in posted.fields if name not in PASSING]
    if not await run_in_threadpool(kept_forms.keep, ctx, cookie, posted.get("form_token"), typed):
        return None
    editing = posted.get("editing")
    return f"/broadcasts/{quote(editing, safe='')}/edit" if editing else "/broadcasts/new"


KeepingAuthorForm = Annotated[Desk, Depends(keeping_author_form)]
