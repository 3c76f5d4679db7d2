"""Recording with a phone in a real Chromium, whose microphone is a file of ours; and files on bad lines."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Route, expect
from sqlalchemy import select, update
from support.audio import speechlike, tone, wav
from support.browser import PHONE, chromium, complains, served, shoot
from support.office import PASSWORD, House, open_house
from support.wait import until

from controller.db.tables import Asset, EmergencyRecording, KeptSound, Upload
from controller.services.rights import Role
from controller.services.seeding import PROVINCE
from controller.services.uploads import State

RATE = 48_000


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the microphone hears, again and again: words, and pauses between them."""
    words = np.concatenate([speechlike(1.2, RATE, level=0.4), np.zeros(RATE // 2)])
    path = tmp_path_factory.mktemp("microphone") / "voice.wav"
    path.write_bytes(wav(np.tile(words, 6), RATE))
    return path


@pytest.fixture(scope="module")
def browser(spoken: Path) -> Iterator[Browser]:
    with chromium(microphone=spoken) as launched:
        yield launched


@dataclass
class Studio:
    house: House
    base: str
    browser: Browser
    complaints: list[str] = field(default_factory=list)

    def context(self, *, microphone: bool = True) -> BrowserContext:
        return self.browser.new_context(
            viewport={"width": PHONE["width"], "height": PHONE["height"]},
            locale="vi-VN",
            permissions=["microphone"] if microphone else [],
        )

    def enter(self, context: BrowserContext, name: str = "phatthanh") -> Page:
        page = self.page(context)
        page.goto(f"{self.base}/login")
        page.fill("#name", name)
        page.fill("#password", PASSWORD)
        page.get_by_role("button", name="Vào").click()
        expect(page.locator("nav.places")).to_be_visible()
        return page

    def page(self, context: BrowserContext) -> Page:
        page = context.new_page()
        page.on("console", self._note)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("dialog", lambda dialog: dialog.accept())
        return page

    def _note(self, message: ConsoleMessage) -> None:
        # Without a connection the page's own looks ahead fail too, and say so.
        if complains(message, "status of 4", "ERR_INTERNET_DISCONNECTED", "ERR_FAILED"):
            self.complaints.append(f"{message.text} {message.location}")

    def uploads(self) -> list[Upload]:
        with self.house.ctx.db.read() as session:
            return list(session.scalars(select(Upload).order_by(Upload.opened_at, Upload.id)))

    def asset(self, sha256: str | None) -> Asset:
        with self.house.ctx.db.read() as session:
            return session.get_one(Asset, sha256)


@pytest.fixture
def studio(tmp_path: Path, browser: Browser) -> Iterator[Studio]:
    house = open_house(tmp_path)
    with served(house.app) as base:
        found = Studio(house, base, browser)
        yield found
        for context in browser.contexts:
            context.close()
    house.ctx.db.close()
    assert found.complaints == [], "the browser's console complained"


def spoke_for(page: Page, seconds: int) -> None:
    """At least so long: a look may come late, and each number stands for a second only."""
    expect(page.locator("[data-time]")).to_have_text(re.compile(rf"0:0[{seconds}-9]|0:[1-5]\d|[1-9]\d*:\d\d"))


PREPARED = "#recording .player[data-there]"


def test_a_bulletin_is_spoken_into_a_phone_looked_at_cut_and_heard(studio: Studio) -> None:
    page = studio.enter(studio.context())
    page.goto(f"{studio.base}/broadcasts/new")
    page.get_by_role("button", name="Thu âm").click()
    expect(page.locator("[data-level]")).to_be_visible()
    spoke_for(page, 3)
    expect(page.locator("[data-hint]")).to_contain_text("Âm lượng tốt")
    level = page.locator("[data-level]")
    until(lambda: float(level.evaluate("each => each.value")) > -60, "a word after a pause", 60)
    shoot(page, "studio-recording")
    page.get_by_role("button", name="Tạm dừng").click()
    before = page.locator("[data-time]").inner_text()
    expect(page.locator("[data-hint]")).to_contain_text("tạm dừng")
    page.get_by_role("button", name="Thu tiếp").click()
    expect(page.locator("[data-time]")).not_to_have_text(before)
    page.get_by_role("button", name="Xong").click()

    expect(page.locator(PREPARED)).to_be_visible(timeout=90_000)
    expect(page.locator("#recording [data-cut]")).to_be_visible()
    whole = page.locator("#asset").input_value()
    asset = studio.asset(whole)
    assert 3_000 <= asset.duration_ms <= 300_000
    shoot(page, "studio-prepared")
    expect(page.locator("[data-unfinished]")).to_be_hidden()
    expect(page.get_by_role("button", name="Thu âm")).to_be_enabled()

    bar = page.locator("#recording [data-seek]")
    bar.focus()
    page.keyboard.press("End")
    until(lambda: int(bar.get_attribute("aria-valuenow") or 0) >= asset.duration_ms // 1000 - 1, "its end", 60)
    page.keyboard.press("Home")
    expect(bar).to_have_attribute("aria-valuenow", "0")
    bar.click(position={"x": 100, "y": 20})
    sound = page.locator("#recording audio")
    expect(sound).not_to_have_js_property("currentTime", 0)
    page.keyboard.press(" ")
    expect(sound).to_have_js_property("paused", True)

    page.locator("#recording [data-cut] summary").click()
    page.locator("[name=cut_from]").fill("1000")
    page.locator("[name=cut_from]").dispatch_event("input")
    expect(page.locator("[data-says=cut_from]")).to_have_text("0:01,0")
    waits = threading.Event()
    page.route("**/uploads/*/rows", lambda route: route.continue_() if waits.is_set() else route.abort())
    page.locator("#recording [data-cut]").get_by_role("button", name="Cắt", exact=True).click()
    expect(page.locator("#preparing")).to_be_visible()
    page.get_by_role("button", name="Gửi phê duyệt").click()
    expect(page.locator("[data-hint]")).to_contain_text("Bản ghi chưa xong")
    assert page.url.endswith("/broadcasts/new"), "the whole is not handed in while a part of it is cut out"
    waits.set()
    expect(page.get_by_role("button", name="Bỏ cắt")).to_be_visible(timeout=90_000)
    part = studio.asset(page.locator("#asset").input_value())
    assert part.duration_ms == pytest.approx(asset.duration_ms - 1_000, abs=2)
    page.get_by_role("button", name="Bỏ cắt").click()
    expect(page.locator("#asset")).to_have_value(whole)


def test_a_page_that_dies_without_a_connection_loses_a_second_and_the_rest_is_there_again(studio: Studio) -> None:
    context = studio.context()
    page = studio.enter(context)
    page.goto(f"{studio.base}/broadcasts/new")
    page.get_by_role("button", name="Thu âm").click()
    context.set_offline(True)
    spoke_for(page, 4)
    page.close(run_before_unload=False)
    context.set_offline(False)

    again = studio.page(context)
    again.goto(f"{studio.base}/broadcasts/new")
    row = again.locator(".studio-row")
    expect(row).to_have_count(1)
    shoot(again, "studio-unfinished")
    row.get_by_role("button", name="Gửi bản này").click()

    expect(again.locator(PREPARED)).to_be_visible(timeout=90_000)
    assert studio.asset(again.locator("#asset").input_value()).duration_ms >= 2_000
    expect(row).to_have_count(0)
    again.reload()
    expect(again.locator("[data-studio]")).to_be_visible()
    expect(again.locator(".studio-row")).to_have_count(0)


def test_a_recording_that_is_done_without_a_connection_is_sent_when_there_is_one(studio: Studio) -> None:
    context = studio.context()
    page = studio.enter(context)
    page.goto(f"{studio.base}/broadcasts/new")
    page.get_by_role("button", name="Thu âm").click()
    spoke_for(page, 3)
    context.set_offline(True)
    page.get_by_role("button", name="Xong").click()
    expect(page.locator("[data-sent-words]")).to_contain_text(re.compile(r"Mất kết nối ở \d+%"))
    expect(page.locator("[data-hint]")).to_contain_text(re.compile(r"Đã thu \d+:\d\d"))
    expect(page.locator("[data-local]")).to_be_visible()
    shoot(page, "studio-offline")
    assert studio.uploads() == []

    context.set_offline(False)

    expect(page.locator(PREPARED)).to_be_visible(timeout=120_000)


def test_what_is_still_being_prepared_stays_on_the_phone_though_something_else_takes_its_place(studio: Studio) -> None:
    page = studio.enter(studio.context())
    page.goto(f"{studio.base}/broadcasts/new")
    page.route("**/uploads/*/rows", lambda route: route.abort())
    page.get_by_role("button", name="Thu âm").click()
    spoke_for(page, 2)
    page.get_by_role("button", name="Xong").click()
    expect(page.locator("[data-sent-words]")).to_contain_text("Đã gửi")
    page.locator("#sample").click()
    expect(page.locator(PREPARED)).to_be_visible()
    expect(page.locator("[data-sending]")).to_be_hidden()
    expect(page.locator(".studio-row")).to_have_count(1)


def test_a_file_on_a_bad_line_is_sent_once_in_pieces_and_the_form_waits_for_it(studio: Studio, tmp_path: Path) -> None:
    recording = tmp_path / "bản tin.wav"
    recording.write_bytes(tone(50.0))  # 1.6 MB: four pieces
    context = studio.context()
    page = studio.enter(context)
    page.goto(f"{studio.base}/broadcasts/new")
    came: list[int] = []
    broken = threading.Event()

    def breaking(route: Route) -> None:
        if len(came) == 2 and not broken.is_set():
            broken.set()
            route.abort()
            return
        if route.request.method == "PATCH":
            came.append(len(route.request.post_data_buffer or b""))
        route.continue_()

    page.route("**/api/v1/uploads/*", breaking)
    page.set_input_files("#file", recording)
    page.fill("#title", "Trong lúc gửi")
    expect(page.locator(PREPARED)).to_be_visible(timeout=90_000)
    assert broken.is_set()
    assert sum(came) == recording.stat().st_size
    assert max(came) == 512 * 1024
    assert page.locator("#title").input_value() == "Trong lúc gửi"
    assert page.locator("#file").evaluate("each => each.files.length") == 0


def test_looks_that_are_lost_on_a_bad_line_are_looked_again(studio: Studio, tmp_path: Path) -> None:
    recording = tmp_path / "tin.wav"
    recording.write_bytes(tone(3.0))
    page = studio.enter(studio.context())
    page.goto(f"{studio.base}/broadcasts/new")
    looks: list[str] = []

    def put(state: State) -> None:
        with studio.house.ctx.db.write() as session:
            session.execute(update(Upload).values(state=state))

    def losing(route: Route) -> None:
        looks.append(route.request.url)
        if len(looks) in (1, 3):
            # The studio's own first look, and one that the piece of the page takes by itself.
            route.abort()
        elif len(looks) == 2:
            until(lambda: studio.uploads()[0].state == State.DONE, "it is prepared", seconds=60)
            put(State.WORKING)
            told = route.fetch()
            put(State.DONE)
            route.fulfill(response=told)
        else:
            route.continue_()

    page.route("**/uploads/*/rows", losing)
    page.set_input_files("#file", recording)
    expect(page.locator(PREPARED)).to_be_visible(timeout=90_000)
    assert len(looks) >= 4


def test_a_refused_file_says_why_and_the_form_keeps_what_was_typed(studio: Studio, tmp_path: Path) -> None:
    wrong = tmp_path / "thư.mp3"
    wrong.write_text("<html>không phải âm thanh</html>", encoding="utf-8")
    page = studio.enter(studio.context())
    page.goto(f"{studio.base}/broadcasts/new")
    page.fill("#title", "Còn nguyên")
    page.set_input_files("#file", wrong)
    expect(page.locator("#recording .alert-danger")).to_be_visible()
    assert page.locator("#title").input_value() == "Còn nguyên"
    shoot(page, "studio-refused")
    large = tmp_path / "dài.wav"
    large.write_bytes(b"RIFF" + b"\0" * 3_100_000)
    page.set_input_files("#file", large)
    expect(page.locator("[data-hint]")).to_contain_text("3")
    assert len(studio.uploads()) == 1


def test_without_permission_it_says_what_to_do_and_a_file_still_goes(studio: Studio, tmp_path: Path) -> None:
    recording = tmp_path / "a.wav"
    recording.write_bytes(tone(2.0))
    page = studio.enter(studio.context(microphone=False))
    page.goto(f"{studio.base}/broadcasts/new")
    page.get_by_role("button", name="Thu âm").click()
    expect(page.locator("[data-hint]")).to_contain_text("chưa được phép dùng micro")
    expect(page.get_by_role("button", name="Thu âm")).to_be_enabled()
    shoot(page, "studio-no-permission")
    page.set_input_files("#file", recording)
    expect(page.locator(PREPARED)).to_be_visible()


def test_without_https_it_says_why_the_microphone_is_off(studio: Studio) -> None:
    page = studio.enter(studio.context())
    page.add_init_script("Object.defineProperty(window, 'isSecureContext', { value: false })")
    page.goto(f"{studio.base}/broadcasts/new")
    expect(page.get_by_role("button", name="Thu âm")).to_be_disabled()
    expect(page.locator("[data-hint]")).to_contain_text("HTTPS")


def test_a_sound_is_spoken_and_kept(studio: Studio) -> None:
    page = studio.enter(studio.context())
    page.goto(f"{studio.base}/sounds")
    page.get_by_role("button", name="Thu âm").click()
    spoke_for(page, 2)
    page.get_by_role("button", name="Xong").click()
    expect(page.locator(PREPARED)).to_be_visible(timeout=90_000)
    page.fill("input[name=name]", "Lời chào")
    page.select_option("#kind", "intro")
    shoot(page, "studio-sounds")
    page.locator("button[name=act][value=upload]").click()
    expect(page.locator(".sound strong")).to_have_text("Lời chào")
    with studio.house.ctx.db.read() as session:
        assert session.scalars(select(KeptSound)).one().name == "Lời chào"


def test_an_emergency_is_spoken_as_loud_as_emergencies_are(studio: Studio) -> None:
    studio.house.add_user("khancap", Role.EMERGENCY, PROVINCE[0])
    page = studio.enter(studio.context(), "khancap")
    page.goto(f"{studio.base}/emergency-set")
    page.get_by_role("button", name="Thu âm").click()
    spoke_for(page, 2)
    page.get_by_role("button", name="Xong").click()
    expect(page.locator(PREPARED)).to_be_visible(timeout=90_000)
    shoot(page, "studio-emergency")
    page.locator("form[action='/emergency-set'] button.btn-primary:not([data-do]):not([hx-post])").last.click()
    expect(page.get_by_role("status").first).to_be_attached()
    until(lambda: _kept(studio) is not None, "the set was never changed", 60)
    kept = _kept(studio)
    assert kept is not None
    assert studio.asset(kept).loudness_lufs == pytest.approx(-14.0, abs=1.0)
    assert [each.state for each in studio.uploads()] == [State.DONE]


def _kept(studio: Studio) -> str | None:
    with studio.house.ctx.db.read() as session:
        found = session.scalars(select(EmergencyRecording)).first()
        return found.asset_sha256 if found else None


def test_what_was_recorded_by_somebody_else_is_not_shown_on_a_shared_phone(studio: Studio) -> None:
    context = studio.context()
    page = studio.enter(context)
    page.goto(f"{studio.base}/broadcasts/new")
    page.get_by_role("button", name="Thu âm").click()
    context.set_offline(True)
    spoke_for(page, 2)
    page.close(run_before_unload=False)
    context.set_offline(False)
    studio.house.add_user("khac", Role.BROADCASTER, studio.house.commune)
    context.clear_cookies()
    other = studio.enter(context, "khac")
    other.goto(f"{studio.base}/broadcasts/new")
    expect(other.get_by_role("button", name="Thu âm")).to_be_visible()
    expect(other.locator(".studio-row")).to_have_count(0)
    context.clear_cookies()
    mine = studio.enter(context)
    mine.goto(f"{studio.base}/broadcasts/new")
    expect(mine.locator(".studio-row")).to_have_count(1)
    mine.get_by_role("button", name="Xoá", exact=True).click()
    expect(mine.locator(".studio-row")).to_have_count(0)
