"""The phones of a demo's sample people: the first log-in, a bulletin of the sample recording, its approval. Buttons
only, in Vietnamese, as they come up."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from playwright.sync_api import Browser, ConsoleMessage, Error, Page, expect
from support.browser import PHONE, complains

PASSWORD = "Ba muoi loa, 1 cai chuong."
SLOW_MS = 60_000
"""For what other processes do meanwhile, on a machine that is busy with other things."""

ITS_LENGTH = """sound => new Promise(told => sound.duration ? told(sound.duration)
    : sound.addEventListener("loadedmetadata", () => told(sound.duration)))"""


@dataclass
class Phones:
    """`base` is the address that the demo printed; `complaints` what any browser's console found wrong."""

    base: str
    browser: Browser
    complaints: list[str] = field(default_factory=list)

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

    def move_clock(self, page: Page, *steps: tuple[str, str]) -> None:
        """Press the clock's buttons (`open`, `hour`), each until the bar shows a time that begins as it says."""
        for button, shown in steps:
            page.locator(f"button[name=to][value={button}]").click()
            expect(page.locator(".topbar-clock")).to_contain_text(shown)

    def begin_bulletin(self, author: Page, title: str, units: int) -> None:
        """The form with the sample recording, a title, and everywhere; that is `units` clusters."""
        author.goto(f"{self.base}/broadcasts/new")
        author.locator("#sample").click()
        expect(author.locator("#recording audio")).to_be_visible()
        author.fill("#title", title)
        everywhere = author.get_by_label(f"Tất cả ({units} cụm)")
        if everywhere.count():  # the only commune that there is was chosen already
            everywhere.check()
        expect(author.locator("#preview .sentence")).to_contain_text(f"tại {units} cụm")

    def hand_in(self, author: Page) -> str:
        """The address of the bulletin that waits for approval now."""
        author.get_by_role("button", name="Gửi phê duyệt").click()
        expect(author.get_by_role("status").filter(has_text="Đã gửi phê duyệt")).to_be_visible()
        return author.url.split("?")[0]

    def approve(self, approver: Page) -> None:
        """What opens from the approver's list, once its recording can be heard."""
        approver.goto(f"{self.base}/approvals")
        approver.get_by_role("link", name="Nghe, xem và quyết định").click()
        length = approver.locator("audio").first.evaluate(ITS_LENGTH)
        assert length > 1, "there is nothing to hear"
        approver.get_by_role("button", name="Phê duyệt", exact=True).click()
        expect(approver.get_by_text("Đã phê duyệt. Lịch đang được gửi")).to_be_visible()

    def _note(self, message: ConsoleMessage) -> None:
        if complains(message):
            self.complaints.append(f"{message.text} {message.location}")

    def _error(self, error: Error) -> None:
        self.complaints.append(str(error))


def hour_and_minute(page: Page) -> tuple[int, int]:
    """What the clock in the bar shows."""
    found = re.match(r"\s*(\d+):(\d+)", page.locator(".topbar-clock").inner_text())
    assert found, "there is no clock in the bar"
    return int(found[1]), int(found[2])
