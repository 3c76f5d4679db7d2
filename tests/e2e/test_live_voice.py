"""Somebody speaks to the horns with a phone: a real Chromium, whose microphone is a file, up to the signed packets."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect
from support.audio import wav
from support.browser import PHONE, chromium, complains, served, shoot
from support.live_voice import Ears, decoded, voice
from support.office import NOON, PASSWORD, House, open_house
from support.wait import until

from broadcasts.clock import SystemClock, unix_ms
from broadcasts.wire.trust import Use
from controller.db.tables import Asset, LiveSession
from controller.services import live_keeping
from controller.services.live_room import LiveRoom

RATE = 48_000
PATIENT_MS = 60_000
pytestmark = pytest.mark.e2e


class Running:
    """Noon of the house, going on as the machine's clock does."""

    def __init__(self) -> None:
        self._system = SystemClock()
        self._begun = self._system.monotonic()

    def now(self) -> datetime:
        return NOON + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        return self._system.monotonic() - self._begun


@dataclass
class Place:
    house: House
    base: str
    browser: Browser
    room: LiveRoom
    ears: Ears
    late: list[int] = field(default_factory=list)
    """How long before its playing each packet left, ms."""
    complaints: list[str] = field(default_factory=list)

    def enter(self, context: BrowserContext, name: str) -> Page:
        page = context.new_page()
        page.on("console", self._note)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("dialog", lambda dialog: dialog.accept())
        page.goto(f"{self.base}/login")
        page.fill("#name", name)
        page.fill("#password", PASSWORD)
        page.get_by_role("button", name="Vào").click()
        expect(page.locator("nav.places")).to_be_visible()
        return page

    def context(self) -> BrowserContext:
        size = {"width": PHONE["width"], "height": PHONE["height"]}
        return self.browser.new_context(viewport=size, locale="vi-VN", permissions=["microphone"])  # type: ignore[arg-type]

    def _note(self, message: ConsoleMessage) -> None:
        if complains(message, "WebSocket"):
            self.complaints.append(f"{message.text} {message.location}")

    def row(self) -> LiveSession:
        with self.house.ctx.db.read() as session:
            return session.query(LiveSession).order_by(LiveSession.asked_at.desc()).first()  # type: ignore[return-value]


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    spoken = tmp_path_factory.mktemp("microphone") / "voice.wav"
    spoken.write_bytes(wav(voice(8, RATE, -20).astype(np.float64) / 32768, RATE))
    with chromium(microphone=spoken) as launched:
        yield launched


@pytest.fixture
def place(tmp_path: Path, browser: Browser) -> Iterator[Place]:
    house = open_house(tmp_path)
    clock = Running()
    ctx = replace(house.ctx, clock=clock, wall=clock)
    house.ctx = ctx
    ears = Ears(ctx.keys.signer(Use.PLAN), ctx.keys.signer(Use.ALERT))
    late: list[int] = []

    def send(topic: str, payload: bytes) -> bool:
        before = len(ears.packets)
        ears.send(topic, payload)
        late.extend(packet.play_at - unix_ms(clock.now()) for _, packet in ears.packets[before:])
        return True

    room = LiveRoom(clock, send)
    house.app.state.office = replace(house.office, ctx=ctx, room=room)
    closing = threading.Event()
    threads = [threading.Thread(target=room.run, args=(closing,), daemon=True)]

    def look() -> None:
        while not closing.wait(0.2):
            live_keeping.step(ctx, room, clock.now())

    threads.append(threading.Thread(target=look, daemon=True))
    for thread in threads:
        thread.start()
    with served(house.app) as base:
        yield Place(house, base, browser, room, ears, late)
    closing.set()
    for thread in threads:
        thread.join(20)
    ctx.db.close()


def ask(page: Page, place: Place) -> None:
    page.goto(f"{place.base}/live")
    page.get_by_role("link", name="Xin phát trực tiếp").click()
    page.fill("#reason", "Nước lên, mời bà con ra đê")
    page.locator(f'input[name=areas][value="{place.house.commune}"]').check(force=True)
    page.fill("#minutes", "5")
    page.select_option("#chime", "rising")
    page.get_by_role("button", name="Xem sẽ phát ở đâu").click()
    expect(page.get_by_text("Sẽ nghe ở")).to_be_visible(timeout=PATIENT_MS)
    page.get_by_role("button", name="Gửi duyệt").click()
    expect(page.locator("h1")).to_have_text("Nước lên, mời bà con ra đê", timeout=PATIENT_MS)


def approve(place: Place, address: str) -> None:
    with place.context() as context:
        page = place.enter(context, "lanhdao")
        page.goto(address)
        page.get_by_role("button", name="Duyệt", exact=True).click()
        expect(page.get_by_text("đã duyệt").first).to_be_visible(timeout=PATIENT_MS)


def test_from_the_phone_to_signed_packets_and_the_recording(place: Place) -> None:
    with place.context() as context:
        page = place.enter(context, "phatthanh")
        ask(page, place)
        address = page.url.partition("?")[0]
        assert page.locator("[data-do=speak]").count() == 0, "nobody speaks before somebody else has approved it"
        approve(place, address)
        page.goto(address)
        shoot(page, "live-ready")
        page.locator("[data-do=speak]").click()
        state = page.locator("[data-state-words]")
        expect(state).to_have_text(re.compile("ĐANG PHÁT"), timeout=PATIENT_MS)
        until(lambda: len(place.ears.packets) > 18 + 40, "four seconds of sound behind the chime", 60)
        assert page.locator("[data-live]").get_attribute("data-state") == "on_air"
        # Between two words it may be low at the instant of a look.
        expect(page.locator("[data-level]")).not_to_have_js_property("value", -60, timeout=PATIENT_MS)
        expect(page.locator("[data-seconds]")).to_have_text(re.compile(r"0:\d\d"))
        shoot(page, "live-on-air")
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        page.locator("[data-do=stop]").click()
        expect(state).to_have_text(re.compile("Người nói đã dừng"), timeout=PATIENT_MS)
    until(lambda: place.row().state == "ended", "the end is written down", 60)
    row = place.row()
    assert (row.state, row.end_why, row.ended_by) == ("ended", "hand", "phatthanh")
    scopes = {scope for scope, _ in place.ears.packets}
    assert scopes == {place.house.commune}
    heard = decoded(place.ears.frames)
    middle = heard[3 * 16_000 : 5 * 16_000]
    assert 0.03 < float(np.sqrt(np.mean(middle**2))) < 0.4, "the voice of the file, not silence"
    # What leaves within half a second of its rhythm is never late at the poles. A busy machine holds others up.
    assert max(place.late) >= 1_000
    live_keeping.keep(place.house.ctx, place.house.ctx.clock.now())
    with place.house.ctx.db.read() as session:
        asset = session.get_one(Asset, place.row().asset_sha256)
    assert asset.duration_ms > 3_000
    assert not place.complaints


def test_another_person_cuts_it_off_from_his_own_phone(place: Place) -> None:
    with place.context() as context:
        page = place.enter(context, "phatthanh")
        ask(page, place)
        address = page.url.partition("?")[0]
        approve(place, address)
        page.goto(address)
        page.locator("[data-do=speak]").click()
        expect(page.locator("[data-state-words]")).to_have_text(re.compile("ĐANG PHÁT"), timeout=PATIENT_MS)
        with place.context() as other:
            chief = place.enter(other, "lanhdao")
            chief.goto(f"{place.base}/live")
            chief.get_by_text("Nước lên").click()
            chief.get_by_role("button", name="Cắt ngay").click()
            expect(chief.get_by_text("Người khác đã cắt").first).to_be_visible(timeout=PATIENT_MS)
        expect(page.locator("[data-state-words]")).to_have_text(re.compile("Người khác đã cắt"), timeout=PATIENT_MS)
    assert place.ears.last.ends_at is not None
    assert (place.row().end_why, place.row().ended_by) == ("stopped", "lanhdao")


def test_a_page_that_is_closed_ends_the_voice_by_itself(place: Place) -> None:
    with place.context() as context:
        page = place.enter(context, "phatthanh")
        ask(page, place)
        address = page.url.partition("?")[0]
        approve(place, address)
        page.goto(address)
        page.locator("[data-do=speak]").click()
        expect(page.locator("[data-state-words]")).to_have_text(re.compile("ĐANG PHÁT"), timeout=PATIENT_MS)
    until(lambda: place.row().state == "ended", "the lost microphone", 60)
    assert place.row().end_why == "lost"
