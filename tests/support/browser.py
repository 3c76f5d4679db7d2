"""A real Chromium against the real application on a real socket."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from controller.services.preparing import Workshop

SHOTS = Path(__file__).parents[2] / "test-results"
PHONE = {"width": 360, "height": 740}
DESK = {"width": 1440, "height": 900}
PATIENCE_MS = 60_000
"""For what a page is expected to come to: other tests and their fleets share the machine."""
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]


@contextmanager
def served(app: FastAPI) -> Iterator[str]:
    """The address of `app` on a free port of this machine. Recordings that come in pieces are prepared, by one core."""
    office = app.state.office
    shop = Workshop(office.ctx, office.shelf, office.closing)
    app.state.office = replace(office, came=shop.wake)
    worker = threading.Thread(target=shop.run, daemon=True)
    worker.start()
    server = uvicorn.Server(
        uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning", timeout_graceful_shutdown=1)
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    pause = threading.Event()
    for _ in range(3_000):
        if server.started:
            break
        pause.wait(0.02)
    assert server.started, "the server did not start within 60 s"
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        app.state.office.closing.set()
        server.should_exit = True
        thread.join(60)
        assert not thread.is_alive(), "the server did not stop"
        shop.wake()
        worker.join(60)
        assert not worker.is_alive(), "a recording is still being prepared"


def found_chromium() -> str:
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    assert found, "there is no Chromium: apt-get install chromium"
    return found


@contextmanager
def chromium(microphone: Path | None = None) -> Iterator[Browser]:
    """Every test's browser: also the patience of `expect` is set here. `microphone`: the sound file it hears."""
    expect.set_options(timeout=PATIENCE_MS)
    hears = ["--use-fake-device-for-media-stream", f"--use-file-for-fake-audio-capture={microphone}"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=found_chromium(), args=FLAGS + (hears if microphone is not None else [])
        )
        try:
            yield browser
        finally:
            browser.close()


def complains(message: ConsoleMessage, *quiet: str) -> bool:
    """Whether the console tells of a fault. None is what has one of the `quiet` words in it, and what a living page was
    just asking for when it was left: that breaks off, and the script says so."""
    left = message.text.startswith(("htmx:afterRequest", "htmx:sendError", "htmx:sendAbort"))
    return message.type in ("error", "warning") and not left and not any(each in message.text for each in quiet)


def shoot(page: Page, name: str, *, whole: bool = True) -> None:
    """Screenshots at both sizes, for a person to look at; nothing may stick out at the side."""
    SHOTS.mkdir(exist_ok=True)
    before = page.viewport_size or PHONE
    for kind, size in (("phone", PHONE), ("desktop", DESK)):
        page.set_viewport_size({"width": size["width"], "height": size["height"]})
        page.evaluate("scrollTo(0, 0)")
        page.screenshot(path=SHOTS / f"{name}-{kind}.png", full_page=whole)
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{name} is {wide} px too wide on a {kind}"
    page.set_viewport_size(before)
