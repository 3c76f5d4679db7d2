"""A whole first day in a demo, at the buttons only: from the passwords that are printed at the start to a bulletin
that every pole is proven to have sounded. Nothing is put in beside the pages."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Error, Page, expect
from support.browser import PHONE, chromium, complains
from support.demo import Demo, demo, free_port, until_ready

pytestmark = pytest.mark.e2e
UNITS = 5
PASSWORD = "Ba muoi loa, 1 cai chuong."
SLOW_MS = 60_000
"""For what other processes do meanwhile, on a machine that is busy with other things."""


@dataclass
class Phones:
    base: str
    browser: Browser
    complaints: list[str]

    def first_log_in(self, name: str, printed: str) -> Page:
        """With the printed password, which has to be changed before anything else."""
        context = self.browser.new_context(
            viewport={"width": PHONE["width"], "height": PHONE["height"]}, locale="vi-VN", has_touch=True
        )
        context.set_default_timeout(SLOW_MS)
        page = context.new_page()
        page.on("console", self._note)
        page.on("pageerror", self._error)
        page.goto(f"{self.base}/login")
        page.fill("#name", name)
        page.fill("#password", printed)
        page.get_by_role("button", name="Vào").click()
        expect(page.get_by_role("heading", name="Đổi mật khẩu")).to_be_visible()
        page.fill("#old", printed)
        page.fill("#new", PASSWORD)
        page.fill("#again", PASSWORD)
        page.get_by_role("button", name="Lưu mật khẩu").click()
        expect(page.get_by_text("Đã đổi mật khẩu.")).to_be_visible()
        return page

    def _note(self, message: ConsoleMessage) -> None:
        if complains(message):
            self.complaints.append(f"{message.text} {message.location}")

    def _error(self, error: Error) -> None:
        self.complaints.append(str(error))


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with demo(tmp_path_factory.mktemp("first-day") / "data", free_port(), "--units", str(UNITS)) as one:
        until_ready(one)
        yield one


@pytest.fixture
def phones(running: Demo) -> Iterator[Phones]:
    with chromium() as browser:
        found = Phones(f"http://127.0.0.1:{running.port}", browser, [])
        yield found
    assert found.complaints == [], "the browser's console complained"


def fits(page: Page) -> None:
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, f"{page.url} is {wide} px too wide on a phone"


@pytest.mark.requirement("R-029", "R-030", "R-048")
def test_from_the_printed_passwords_to_a_bulletin_that_every_pole_was_heard_with(
    running: Demo, phones: Phones, tmp_path: Path, eventually: Callable[..., object]
) -> None:
    printed = running.passwords()
    author = phones.first_log_in("phatthanh", printed["phatthanh"])

    # At night the sample stations are silent, at dawn one asks twice: their clock, which the poles share, goes on.
    author.goto(f"{phones.base}/sandbox")
    fits(author)
    for button, shown in (("open", "05:"), ("hour", "06:"), ("hour", "07:"), ("hour", "08:")):
        author.locator(f"button[name=to][value={button}]").click()
        expect(author.locator(".topbar-clock")).to_contain_text(shown)
    expect(author.locator(".pole")).to_have_count(UNITS)
    expect(author.locator(".pole-on")).to_have_count(0)

    author.goto(f"{phones.base}/broadcasts/new")
    author.locator("#sample").click()
    expect(author.locator("#recording audio")).to_be_visible()
    title = "Mời bà con nghe thử"
    author.fill("#title", title)
    expect(author.locator("label.chip-check", has_text="Cù Lao Dung").first.locator("input")).to_be_checked()
    expect(author.locator("#preview .sentence")).to_contain_text(f"tại {UNITS} cụm")
    # In an hour and a minute; played late rather than never, should this machine need longer than that.
    hour, minute = map(int, author.locator(".topbar-clock").inner_text().strip().split(":"))
    author.locator("label.choice", has_text="Một lần").click()
    author.fill("#time", f"{hour + 1 + (minute + 1) // 60:02}:{(minute + 1) % 60:02}")
    author.locator("#step-time summary", has_text="Tùy chọn").click()
    author.select_option("#late", "play")
    author.get_by_role("button", name="Gửi phê duyệt").click()
    expect(author.get_by_role("status").filter(has_text="Đã gửi phê duyệt")).to_be_visible()
    fits(author)
    proof = author.url.split("?")[0]

    approver = phones.first_log_in("lanhdao", printed["lanhdao"])
    approver.goto(f"{phones.base}/approvals")
    fits(approver)
    approver.get_by_role("link", name="Nghe, xem và quyết định").click()
    heard = approver.locator("audio").first
    eventually(lambda: heard.evaluate("sound => sound.duration > 1"), 60)
    fits(approver)
    approver.get_by_role("button", name="Phê duyệt", exact=True).click()
    expect(approver.get_by_text("Đã phê duyệt. Lịch đang được gửi")).to_be_visible()

    # The page of poles is open in one hand, the proof in the other; neither is touched until the end.
    author.goto(proof)
    expect(author.locator("#live tbody .fine")).to_have_count(UNITS)
    approver.goto(f"{phones.base}/sandbox")
    approver.locator("button[name=to][value=hour]").click()
    expect(approver.locator(".pole-on")).to_have_count(UNITS, timeout=3 * SLOW_MS)
    expect(approver.locator(".pole-now").first).to_contain_text(title)
    expect(author.locator("#live tbody .mark-heard")).to_have_count(UNITS, timeout=3 * SLOW_MS)
    fits(author)
    assert re.search(rf"\b{UNITS}\D+{UNITS}\b", author.locator("#live .tally-number").inner_text())
    expect(approver.locator(".pole-on")).to_have_count(0)
    expect(approver.locator(".pole", has_text=title)).to_have_count(UNITS)

    author.goto(f"{phones.base}/clusters")
    expect(author.locator("#live .presence-online")).to_have_count(UNITS)
    fits(author)
