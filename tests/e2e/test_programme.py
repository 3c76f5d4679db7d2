"""A programme is put together on a phone, by finger and by keyboard, and looked at by the approver."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from support.audio import tone
from support.browser import PHONE, chromium, complains, served, shoot
from support.office import PASSWORD, House, open_house

from controller.services import sounds

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture
def house(tmp_path: Path) -> House:
    return open_house(tmp_path, sandbox=True)


def visit(browser: Browser, base: str, name: str, complaints: list[str]) -> Page:
    context = browser.new_context(viewport={"width": PHONE["width"], "height": PHONE["height"]}, locale="vi-VN")
    page = context.new_page()
    page.on("console", lambda said: complaints.append(said.text) if complains(said) else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(f"{base}/login")
    page.fill("#name", name)
    page.fill("#password", PASSWORD)
    page.get_by_role("button", name="Vào").click()
    expect(page.get_by_role("heading", name="Đang phát")).to_be_visible()
    return page


def recording(house: House, seconds: float) -> str:
    path = house.folder / f"{seconds}.wav"
    path.write_bytes(tone(seconds))
    return house.add_asset(path).sha256


def kinds(page: Page) -> list[str]:
    return page.locator(".part-head strong").all_inner_texts()


# Presses the button, and the one that takes its place the moment it is there (the times beside it change by
# themselves); a page opened anew forgets the reader.
PRESS_AT_ONCE = """(id) => {
  window.sameReader = true;
  const first = document.getElementById(id);
  const seen = new MutationObserver(() => {
    const now = document.getElementById(id);
    if (!now || now === first) return;
    seen.disconnect();
    now.click();
  });
  seen.observe(document.getElementById("parts"), { childList: true });
  first.click();
}"""


def test_parts_move_by_keyboard_and_the_focus_goes_with_them(house: House, browser: Browser) -> None:
    author = house.actor("phatthanh")
    for kind, name, seconds in (("chime", "Nhạc hiệu xã", 2.0), ("intro", "Lời chào buổi chiều", 3.0)):
        sounds.keep(house.ctx, author, kind, name, recording(house, seconds))
    complaints: list[str] = []
    with served(house.app) as base:
        page = visit(browser, base, "phatthanh", complaints)
        page.goto(f"{base}/programmes/new")
        shoot(page, "programme-empty")
        for label in ("Nhạc hiệu xã", "Lời chào buổi chiều"):
            value = page.locator("#add_known option", has_text=label).get_attribute("value")
            page.select_option("#add_known", value)
            page.locator("#add").click()
            expect(page.locator(".part-fields input").last).to_have_value(label)
        page.get_by_text("Thêm bản ghi mới").click()
        page.fill("#new_title", "Lịch tiêm chủng")
        path = house.folder / "new.wav"
        path.write_bytes(tone(5.0))
        page.set_input_files("#new_recording", path)
        # It goes in pieces at once; nothing can be added before something was made of it.
        expect(page.locator("#recording .player")).to_be_visible()
        page.get_by_role("button", name="Thêm bản ghi này vào chương trình").click()
        expect(page.locator(".part")).to_have_count(3)
        assert kinds(page) == ["Nhạc hiệu", "Lời chào", "Bản tin"]
        last = page.get_by_role("button", name="Đưa phần 3 lên trước")
        key = last.get_attribute("id")
        last.focus()
        page.keyboard.press("Enter")
        expect(page.locator(".part-head strong").nth(1)).to_have_text("Bản tin")
        expect(page.locator(f"#{key}")).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.locator(".part-head strong").first).to_have_text("Bản tin")
        expect(page.locator(f"#{key}")).to_be_focused()
        page.evaluate(PRESS_AT_ONCE, f"down-{key.removeprefix('up-')}")
        expect(page.locator(".part-head strong").last).to_have_text("Bản tin")
        assert page.evaluate("window.sameReader") is True
        for place in (1, 0):
            page.locator(f"#{key}").press("Enter")
            expect(page.locator(".part-head strong").nth(place)).to_have_text("Bản tin")
        page.select_option("#add_known", index=1)
        page.get_by_role("button", name="Thêm tiếp âm").click()
        expect(page.locator("[name=relay_source]")).to_be_visible()
        shoot(page, "programme-relay")
        page.get_by_role("button", name="Bỏ phần 4").click()
        expect(page.locator(".part")).to_have_count(3)
        page.fill("#title", "Chương trình chiều")
        page.get_by_text("Một lần").first.click()
        page.fill("#time", "17:00")
        page.locator("[name=areas]").first.check()
        expect(page.locator("#preview .programme li")).to_have_count(3)
        expect(page.locator("#preview .sentence")).to_be_visible()
        expect(page.locator(".part-head .pill").first).to_have_text("17:00:00")
        expect(page.locator(".part-head .pill").nth(1)).to_have_text("17:00:06")
        expect(page.locator("#parts-total")).to_contain_text("17:00:12")
        shoot(page, "programme-form")
        page.get_by_role("button", name="Gửi phê duyệt").click()
        expect(page.get_by_role("heading", name="Chương trình chiều")).to_be_visible()
        shoot(page, "programme-broadcast")
        page.goto(f"{base}/sounds")
        shoot(page, "sounds")
        page.goto(f"{base}/broadcasts/new")
        shoot(page, "broadcast-chime")
        page.goto(f"{base}/schedule")
        page.get_by_text("Chương trình có 3 phần").click()
        shoot(page, "programme-week")
        page.goto(f"{base}/ahead?waiting=1")
        page.locator(".tile-fold summary").click()
        expect(page.locator(".fold li")).to_have_count(3)
        shoot(page, "programme-ahead")
        boss = visit(browser, base, "lanhdao", complaints)
        boss.goto(f"{base}/approvals")
        boss.locator('a[href^="/approvals/"].btn').first.click()
        expect(boss.locator(".programme li")).to_have_count(3)
        shoot(boss, "programme-approval")
        for context in browser.contexts:
            context.close()
    assert complaints == [], "the browser's console complained"
