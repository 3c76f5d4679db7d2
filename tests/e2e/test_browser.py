"""A broadcaster and an approver with a real browser: from the one-time password to a bulletin on its way."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect
from sqlalchemy import update
from support.audio import tone
from support.browser import PHONE, chromium, complains, served, shoot
from support.office import PASSWORD, House, give_password, open_house

from broadcasts.domain.delivery import State
from broadcasts.domain.verdict import Verdict
from controller.db.tables import Broadcast, LoginSession

pytestmark = pytest.mark.e2e


@dataclass
class Stage:
    house: House
    base: str
    browser: Browser
    complaints: list[str] = field(default_factory=list)

    def visit(self, name: str, password: str = PASSWORD, script: bool = True) -> Page:
        """Logged in, on a phone. What the console complains of is collected."""
        context: BrowserContext = self.browser.new_context(
            viewport={"width": PHONE["width"], "height": PHONE["height"]}, locale="vi-VN", java_script_enabled=script
        )
        page = context.new_page()
        page.on("console", self._note)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.goto(f"{self.base}/login")
        page.fill("#name", name)
        page.fill("#password", password)
        page.get_by_role("button", name="Vào").click()
        return page

    def _note(self, message: ConsoleMessage) -> None:
        if complains(message, "status of 4"):
            self.complaints.append(f"{message.text} {message.location}")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture
def stage(tmp_path: Path, browser: Browser) -> Iterator[Stage]:
    house = open_house(tmp_path, sandbox=True, fresh_passwords=True)
    with served(house.app) as base:
        stage = Stage(house, base, browser)
        yield stage
        for context in browser.contexts:
            context.close()
    assert stage.complaints == [], "the browser's console complained"


def first_log_in(stage: Stage, name: str) -> Page:
    page = stage.visit(name, stage.house.seeded.passwords[name])
    expect(page.get_by_role("heading", name="Đổi mật khẩu")).to_be_visible()
    page.fill("#old", stage.house.seeded.passwords[name])
    page.fill("#new", PASSWORD)
    page.fill("#again", PASSWORD)
    page.get_by_role("button", name="Lưu mật khẩu").click()
    expect(page.get_by_text("Đã đổi mật khẩu.")).to_be_visible()
    return page


@pytest.mark.requirement("R-029", "R-030", "R-145")
def test_a_bulletin_goes_from_a_phone_to_the_approver_and_on_air(stage: Stage, tmp_path: Path) -> None:
    recording = tmp_path / "tiêm chủng.wav"
    recording.write_bytes(tone(20.0))
    page = stage.visit("phatthanh", "sai-mat-khau")
    expect(page.get_by_role("alert")).to_contain_text("không đúng")
    shoot(page, "login")

    page = first_log_in(stage, "phatthanh")
    shoot(page, "today-first-visit")
    page.get_by_role("link", name="Soạn bản tin đầu tiên").click()
    shoot(page, "new-empty")

    page.set_input_files("#file", recording)
    expect(page.locator("#recording audio")).to_be_visible()
    page.fill("#title", "Lịch tiêm chủng tháng 12")
    page.locator("label.chip-check", has_text="Cù Lao Dung").first.click()
    expect(page.locator("#preview .sentence")).to_contain_text("tại 5 cụm (10 loa)")
    expect(page.locator("#preview")).to_contain_text("Gửi ngay")
    page.get_by_label("Gửi ngay").check()
    expect(page.locator("#preview")).to_contain_text("Không trùng giờ")
    expect(page.locator("#preview .alert-danger")).to_have_count(0)
    shoot(page, "new-filled")
    page.get_by_role("button", name="Gửi phê duyệt").click()
    expect(page.get_by_role("status").filter(has_text="Đã gửi phê duyệt")).to_be_visible()
    said = page.locator(".sentence").inner_text()
    shoot(page, "broadcast-waiting")

    approver = first_log_in(stage, "lanhdao")
    shoot(approver, "today-approver")
    approver.goto(f"{stage.base}/approvals")
    shoot(approver, "approvals")
    approver.get_by_role("link", name="Nghe, xem và quyết định").click()
    expect(approver.locator(".sentence")).to_contain_text("tại 5 cụm (10 loa)")
    expect(approver.locator("audio")).not_to_have_js_property("readyState", 0)
    assert approver.evaluate("document.querySelector('audio').duration") == pytest.approx(20.0, abs=0.3)
    shoot(approver, "approval")
    approver.get_by_role("button", name="Phê duyệt", exact=True).click()
    expect(approver.get_by_text("Đã phê duyệt. Lịch đang được gửi")).to_be_visible()
    assert approver.locator(".sentence").inner_text() == said
    shoot(approver, "broadcast-approved")

    # The page of the author follows without being touched.
    page.goto(approver.url)
    expect(page.locator("#live")).to_contain_text("Đã lên lịch")
    _tell(stage.house, page.url)
    expect(page.locator("#live .mark-heard").first).to_be_visible()
    expect(page.locator("#live")).to_contain_text("12:02:00,1")
    expect(page.locator("#live")).to_contain_text("Không ra tiếng")
    shoot(page, "broadcast-proof")
    page.get_by_role("link", name="Vì sao?").first.click()
    shoot(page, "delivery")
    for path, name in (("/", "today"), ("/schedule", "schedule"), ("/clusters", "clusters"), ("/more", "more")):
        page.goto(f"{stage.base}{path}")
        shoot(page, name)
    page.goto(f"{stage.base}/clusters/{stage.house.clusters()[0].id}")
    shoot(page, "cluster")


def _tell(house: House, url: str) -> None:
    """What units would have told: one of each verdict."""
    found = re.search(r"/broadcasts/([^?]+)", url)
    assert found
    house.clock.advance(180)
    start = house.clock.now().replace(second=0) - timedelta(minutes=1)
    house.settle(
        found.group(1),
        state=State.PLAYED,
        verdict=Verdict.HEARD,
        started_at=start + timedelta(milliseconds=120),
        late_ms=120,
        coverage=1.0,
        signed_evidence=True,
        verdict_at=house.clock.now(),
    )
    ids = [cluster.id for cluster in house.clusters()]
    house.settle_one(found.group(1), ids[1], verdict=Verdict.FAILED_TO_SOUND, reason="silent_amplifier")
    house.settle_one(found.group(1), ids[2], verdict=Verdict.UNKNOWN, reason=None, started_at=None, late_ms=None)
    house.settle_one(
        found.group(1), ids[3], state=State.MISSED, verdict=Verdict.NOT_PLAYED, reason="no_asset", started_at=None
    )
    house.settle_one(found.group(1), ids[4], verdict=Verdict.PLAYED, signed_evidence=False)


def _end_sessions(house: House) -> None:
    with house.ctx.db.write() as session:
        session.execute(update(LoginSession).values(ended_at=house.clock.now()))


def _log_in_again(page: Page) -> None:
    page.fill("#name", "phatthanh")
    page.fill("#password", PASSWORD)
    page.get_by_role("button", name="Vào").click()


def test_what_was_typed_outlives_the_session_until_it_is_handed_in(stage: Stage, tmp_path: Path) -> None:
    house = stage.house
    give_password(house.ctx, "phatthanh")
    recording = tmp_path / "a.wav"
    recording.write_bytes(tone(5.0))
    page = stage.visit("phatthanh")
    page.goto(f"{stage.base}/broadcasts/new")
    page.set_input_files("#file", recording)
    expect(page.locator("#recording audio")).to_be_visible()
    page.locator("label.chip-check", has_text="Cù Lao Dung").first.click()
    page.fill("#title", "Viết dở")
    expect(page.locator("#preview")).to_contain_text("Gửi ngay")

    # The script's own look ahead meets the end of the session; the last letters were not even left yet.
    _end_sessions(house)
    page.locator("#title").press("End")
    # At once: letter by letter, a slow machine's look ahead goes out between two of them and takes the page away.
    page.keyboard.insert_text(" dang")
    expect(page.get_by_role("heading", name="Đăng nhập")).to_be_visible()
    _log_in_again(page)
    expect(page.locator("#title")).to_have_value("Viết dở dang")
    expect(page.locator("#kept")).to_be_visible()
    expect(page.locator("#recording audio")).to_be_visible()
    expect(page.locator("#preview .sentence")).to_contain_text("tại 5 cụm")
    shoot(page, "new-kept")

    # And so does handing it in, first refused by the server, then by the end of the session.
    page.get_by_role("button", name="Gửi phê duyệt").click()
    expect(page.get_by_role("alert").first).to_contain_text("Gửi ngay")
    expect(page.locator("#title")).to_have_value("Viết dở dang")
    page.get_by_label("Gửi ngay").check()
    _end_sessions(house)
    page.get_by_role("button", name="Gửi phê duyệt").click()
    _log_in_again(page)
    expect(page.locator("#title")).to_have_value("Viết dở dang")
    page.get_by_label("Gửi ngay").check()
    page.get_by_role("button", name="Gửi phê duyệt").click()
    expect(page.get_by_role("status").filter(has_text="Đã gửi phê duyệt")).to_be_visible()
    one = page.url

    # An edit has a drawer of its own, and the new bulletin's is empty now.
    page.goto(f"{one}/edit")
    expect(page.locator("#kept")).to_be_hidden()
    page.fill("#title", "Sửa dở dang")
    page.goto(f"{stage.base}/broadcasts/new")
    expect(page.locator("#title")).to_have_value("")
    expect(page.locator("#kept")).to_be_hidden()
    page.goto(f"{one}/edit")
    expect(page.locator("#title")).to_have_value("Sửa dở dang")

    # Edited by somebody else meanwhile: nothing is laid over it unasked.
    with house.ctx.db.write() as session:
        session.execute(update(Broadcast).values(revision=2))
    page.reload()
    expect(page.locator("#title")).to_have_value("Viết dở dang")
    page.locator("#kept-older [data-bring]").click()
    expect(page.locator("#title")).to_have_value("Sửa dở dang")
    page.goto(f"{one}/edit")
    page.locator("[data-forget]:visible").click()
    expect(page.locator("#title")).to_have_value("Viết dở dang")
    expect(page.locator(".kept:visible")).to_have_count(0)


def test_the_whole_form_works_without_script(stage: Stage, tmp_path: Path) -> None:
    house = stage.house
    give_password(house.ctx, "phatthanh")
    recording = tmp_path / "a.wav"
    recording.write_bytes(tone(5.0))
    page = stage.visit("phatthanh", script=False)
    page.goto(f"{stage.base}/broadcasts/new")
    page.set_input_files("#file", recording)
    page.fill("#title", "Không cần script")
    page.get_by_role("button", name="Tải lên").click()
    expect(page.locator("#recording audio")).to_be_visible()
    expect(page.locator("#title")).to_have_value("Không cần script")
    page.locator("label.chip-check", has_text="Cù Lao Dung").first.click()
    page.get_by_role("button", name="Xem trước").last.click()
    expect(page.locator("#preview")).to_contain_text("tại 5 cụm")
    page.get_by_label("Gửi ngay").check()
    page.get_by_role("button", name="Gửi phê duyệt").click()
    expect(page.get_by_text("Đã gửi phê duyệt")).to_be_visible()


def test_a_demo_at_night_offers_to_move_its_clock(stage: Stage) -> None:
    house = stage.house
    give_password(house.ctx, "phatthanh")
    house.clock.set(house.clock.now() + timedelta(hours=11))
    house.poles.shown = [
        {
            "cluster": cluster.id,
            "unit": f"u{cluster.id[2:]}",
            "online": number != 3,
            "sounding": "Bản tin thử" if number < 3 else None,
            "volume": 70 if number < 3 else 0,
            "faults": ["wire_cut"] if number == 4 else [],
            "heard": [
                {
                    "asset": "a" * 64,
                    "title": "Bản tin sáng",
                    "from": house.clock.now() - timedelta(hours=12),
                    "to": house.clock.now() - timedelta(hours=12, seconds=-30),
                    "volume": 70,
                }
            ],
        }
        for number, cluster in enumerate(house.clusters())
    ]
    house.up[0] = False
    page = stage.visit("phatthanh")
    expect(page.get_by_text("Các đài mẫu chỉ được phát từ 05:00 đến 21:00")).to_be_visible()
    expect(page.get_by_text("Máy chủ đang mất kết nối với bộ phát tin")).to_be_visible()
    shoot(page, "today-night")
    page.goto(f"{stage.base}/sandbox")
    expect(page.locator(".pole-on")).to_have_count(3)
    shoot(page, "sandbox")
    page.get_by_role("button", name="Đưa đồng hồ mô phỏng tới 05:00").first.click()
    expect(page.locator(".topbar-clock")).to_contain_text("05:00")


def test_khmer_and_english_fit_the_phone_too(stage: Stage) -> None:
    give_password(stage.house.ctx, "kythuat")
    page = stage.visit("kythuat")
    for own, name in (("ភាសាខ្មែរ", "khmer"), ("English", "english")):
        page.goto(f"{stage.base}/more")
        page.get_by_role("button", name=own).click()
        page.goto(f"{stage.base}/")
        assert page.evaluate("document.fonts.ready.then(() => document.fonts.check('16px \"Noto Sans Khmer\"', 'ថ្ងៃ'))")
        shoot(page, f"today-{name}")
