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
from playwright.sync_api import Browser, Page, expect, sync_playwright

from controller.services.preparing import Workshop

SHOTS = Path(__file__).parents[2] / "test-results"
PHONE = {"width": 360, "height": 740}
DESK = {"width": 1440, "height": 900}
PATIENCE_MS = 30_000
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
    for _ in range(500):
        if server.started:
            break
        pause.wait(0.02)
    assert server.started, "the server did not start within 10 s"
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        app.state.office.closing.set()
        server.should_exit = True
        thread.join(15)
        assert not thread.is_alive(), "the server did not stop"
        shop.wake()
        worker.join(60)
        assert not worker.is_alive(), "a recording is still being prepared"


def found_chromium() -> str:
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    assert found, "there is no Chromium: apt-get install chromium"
    return found


@contextmanager
def chromium() -> Iterator[Browser]:
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found_chromium(), args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


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
