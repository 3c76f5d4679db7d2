"""The microphone's way in: one WebSocket of one speaker. The loop only passes on; all work is the room's.

First a text message of the browser, `{"token", "rate"}`, as every form brings a token; then bare samples, 16 bit little
endian, mono, at most a quarter of a second each. Ours are texts with the state, twice a second.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import asdict
from typing import Any
from urllib.parse import urlsplit

from fastapi import WebSocket, WebSocketDisconnect
from fastapi.concurrency import run_in_threadpool

from broadcasts.audio.live import RATES
from broadcasts.errors import LoaError, Refused
from controller.services import live_sessions
from controller.services.accounts import who
from controller.services.live_room import End, LiveRoom, Mouth
from controller.services.live_titles import still_in
from controller.services.office import Office, check_form
from controller.services.rights import Actor
from controller.web import catalogue
from controller.web.words import Words

HELLO_S = 5.0
HELLO_BYTES = 1_000
TELL_EVERY_S = 0.5
SILENT_S = 6.0
"""A socket that brings nothing for so long is gone, whatever the network says."""
TOUCH_EVERY_S = 2.0
"""The session of the person is looked at again: logged out is off the air."""
MOST_SOCKETS = 40
FOREIGN, LOGIN, NO = 4403, 4401, 4400
"""Codes with which we close; browsers may say nothing of a refused handshake."""


async def talk(socket: WebSocket, session_id: str) -> None:
    """From the handshake to the last word. Never raises for what a browser does."""
    office: Office = socket.app.state.office
    if office.room is None or not same_origin(socket):
        await socket.close(FOREIGN)
        return
    token = socket.cookies.get(office.session_cookie, "")
    actor = await run_in_threadpool(who, office.ctx, token) if token else None
    if actor is None or actor.owes:
        await socket.close(LOGIN)
        return
    if socket.app.state.voices >= MOST_SOCKETS:
        await socket.close(NO)
        return
    socket.app.state.voices += 1
    try:
        await socket.accept()
        await _serve(socket, office, office.room, actor, session_id)
    except (WebSocketDisconnect, RuntimeError):
        pass  # gone: the room waits a few seconds for another socket
    finally:
        socket.app.state.voices -= 1


def same_origin(socket: WebSocket) -> bool:
    """Browsers always say where a page comes from that opens a socket, and no header of ours can be asked of them."""
    told = urlsplit(socket.headers.get("origin", ""))
    return told.scheme in ("http", "https") and told.netloc == socket.headers.get("host", "")


async def _serve(socket: WebSocket, office: Office, room: LiveRoom, actor: Actor, session_id: str) -> None:
    words = Words(actor.language if actor.language in catalogue.LANGUAGES else catalogue.FIRST, office.ctx.clock.now())
    try:
        rate = await _hello(socket, actor)
        mouth = await run_in_threadpool(_begin, office, room, actor, session_id, rate)
    except LoaError as error:
        await _refuse(socket, words, error)
        return
    tasks = [
        asyncio.create_task(_listen(socket, room, mouth)),
        asyncio.create_task(_tell(socket, office, room, mouth, words)),
    ]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        room.detach(mouth)
        for task in tasks:
            task.cancel()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
    failure = next(end for task, end in zip(tasks, ends, strict=True) if task in done)
    if isinstance(failure, LoaError):
        await _refuse(socket, words, failure)
    elif failure is None:
        await socket.close(1000)
    elif not isinstance(failure, (WebSocketDisconnect, RuntimeError)):
        raise failure


async def _hello(socket: WebSocket, actor: Actor) -> int:
    """The rate. Raises Refused: "form.foreign", "live.hello", "live.rate"."""
    try:
        async with asyncio.timeout(HELLO_S):
            message = await socket.receive()
    except TimeoutError:
        raise Refused("live.hello") from None
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect
    text = message.get("text") or ""
    told: Any = None
    if len(text) <= HELLO_BYTES:
        with contextlib.suppress(ValueError, RecursionError):
            told = json.loads(text)
    if not isinstance(told, dict):
        raise Refused("live.hello")
    token, rate = told.get("token"), told.get("rate")
    check_form(actor, token if isinstance(token, str) else "")
    if type(rate) is not int or rate not in RATES:
        raise Refused("live.rate", rate=str(rate)[:10])
    return rate


def _begin(office: Office, room: LiveRoom, actor: Actor, session_id: str, rate: int) -> Mouth:
    """Its microphone again, where it is on air already. Raises what `live_sessions.begin` and `LiveRoom.attach`
    raise."""
    with contextlib.suppress(Refused):
        return room.attach(session_id, actor.id, rate)
    live_sessions.begin(office.ctx, actor, session_id, room)
    return room.attach(session_id, actor.id, rate)


async def _listen(socket: WebSocket, room: LiveRoom, mouth: Mouth) -> None:
    """Returns when the browser has gone or is silent. Raises Refused for what no browser of ours sends."""
    while True:
        try:
            async with asyncio.timeout(SILENT_S):
                message = await socket.receive()
        except TimeoutError:
            raise Refused("live.silent_socket") from None
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect
        sound = message.get("bytes")
        if sound is None:
            raise Refused("live.message")
        try:
            room.give(mouth, sound)
        except Refused as refused:
            if refused.key != "live.over" or mouth.ended:
                raise
            await asyncio.sleep(TELL_EVERY_S)  # the other task says why it is over


async def _tell(socket: WebSocket, office: Office, room: LiveRoom, mouth: Mouth, words: Words) -> None:
    """Until it is over."""
    clock = office.ctx.wall
    token = socket.cookies.get(office.session_cookie, "")
    touched = clock.monotonic()
    while True:
        status = room.status(mouth.session)
        if status is None or status.state == "ended":
            why = status.why if status is not None else ""
            said = words.t(f"live.end.{why}") if why else words.t("live.over")
            await socket.send_text(json.dumps({"state": "ended", "why": why, "words": said}))
            return
        await socket.send_text(json.dumps(asdict(status)))
        if clock.monotonic() - touched > TOUCH_EVERY_S:
            touched = clock.monotonic()
            if not await run_in_threadpool(still_in, office.ctx, token):
                if not mouth.ended:
                    room.end(mouth.session, End.RULES)
                raise Refused("login.first")
        await asyncio.sleep(TELL_EVERY_S)


async def _refuse(socket: WebSocket, words: Words, error: LoaError) -> None:
    said = json.dumps({"state": "refused", "why": error.key, "words": words.failure(error)})
    await socket.send_text(said)
    await socket.close(FOREIGN if error.key == "form.foreign" else NO)
