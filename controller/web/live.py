"""Rows that change while one looks: rendered once, marked by their hash, fetched again when the mark changes.

The page listens to server-sent events that only say "changed"; where they do not come through, it asks every 20 s and
is answered 204 when nothing is new. What is shown comes from one template either way.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any
from urllib.parse import quote

from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response, StreamingResponse

from controller.web.desk import Desk

LOOK_EVERY_S = 1.5
STREAM_FOR_S = 600.0
"""Then the browser connects anew, and the session is looked at again."""
QUIET_FOR_S = 15.0
MOST_STREAMS = 200


def inside(desk: Desk, template: str, address: str, query: Mapping[str, str], **told: Any) -> str:
    """For a whole page: the rows in a frame that listens."""
    return _framed(desk, "_live.html", template, address, query, told)


def rows(desk: Desk, template: str, address: str, query: Mapping[str, str], **told: Any) -> Response:
    """For a page that asks again with `?seen=`: the rows, or 204."""
    inner = desk.text(template, **told)
    if mark(inner) == desk.request.query_params.get("seen"):
        return Response(status_code=204)
    return desk.answer(_framed(desk, "_live_part.html", template, address, query, told))


def mark(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _framed(
    desk: Desk, frame: str, template: str, address: str, query: Mapping[str, str], told: Mapping[str, Any]
) -> str:
    inner = desk.text(template, **told)
    tail = "".join(f"&{name}={quote(value, safe='')}" for name, value in query.items())
    return desk.text(frame, inner=inner, mark=mark(inner), address=address, query=tail)


def stream(desk: Desk, render: Callable[[], str]) -> Response:
    """An event "changed" whenever what `render` returns has another mark than what the page shows."""
    state = desk.request.app.state
    if state.streams >= MOST_STREAMS:
        return Response(status_code=204)  # tells EventSource to stay away; the page goes on asking
    return StreamingResponse(_events(desk, render), media_type="text/event-stream")


async def _events(desk: Desk, render: Callable[[], str]) -> AsyncIterator[str]:
    state, clock, closing = desk.request.app.state, desk.office.ctx.wall, desk.office.closing
    seen = desk.request.query_params.get("seen", "")
    begun = spoke = clock.monotonic()
    state.streams += 1
    try:
        yield "retry: 5000\n\n"
        while not closing.is_set() and clock.monotonic() - begun < STREAM_FOR_S:
            now = mark(await run_in_threadpool(render))
            if now != seen:
                seen, spoke = now, clock.monotonic()
                yield f"event: changed\ndata: {now}\n\n"
            elif clock.monotonic() - spoke > QUIET_FOR_S:
                spoke = clock.monotonic()
                yield ": still here\n\n"
            await asyncio.sleep(LOOK_EVERY_S)
            if await desk.request.is_disconnected():
                return
    finally:
        state.streams -= 1
