"""A bulletin that is typed on a phone and read by a machine's voice, with a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import select
from support.browser import PHONE, chromium, complains, served, shoot
from support.office import PASSWORD, House, open_house

from controller.db.tables import SpokenText

pytestmark = pytest.mark.e2e
TEXT = "UBND xã mời bà con tiêm phòng lúc 7h30 ngày 12/4. BCH họp sau đó."
QUIET = ("status of 4", "Error Code 422")
LONG = 60_000


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    found = open_house(tmp_path_factory.mktemp("house"), sandbox=True)
    yield found
    found.ctx.db.close()


@pytest.fixture
def form(house: House, browser: Browser, tmp_path: Path) -> Iterator[Page]:
    """The form of a new bulletin, on a phone, where nothing is complained of."""
    complaints: list[str] = []
    with served(house.app) as base:
        context = browser.new_context(viewport={"width": PHONE["width"], "height": PHONE["height"]}, locale="vi-VN")
        page = context.new_page()
        page.on("console", lambda told: complaints.append(told.text) if complains(told, *QUIET) else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(f"{base}/login")
        page.fill("#name", "phatthanh")
        page.fill("#password", PASSWORD)
        page.get_by_role("button", name="Vào").click()
        page.wait_for_url(f"{base}/")
        page.goto(f"{base}/broadcasts/new")
        yield page
        context.close()
    house.office.closing.clear()
    assert complaints == []


def test_a_typed_bulletin_is_seen_as_it_will_be_read_spoken_and_heard(house: House, form: Page) -> None:
    form.get_by_text("Viết lời và đọc bằng giọng máy").click()
    form.fill("#text", TEXT)
    form.get_by_role("button", name="Xem cách đọc").click()

    reading = form.locator("#reading")
    expect(reading.get_by_text("bảy giờ ba mươi phút").first).to_be_visible(timeout=LONG)
    expect(reading.locator("mark.doubt")).to_have_text("Ban Chấp hành")
    shoot(form, "speech-reading")
    reading.get_by_text("Ban Chỉ huy", exact=True).click()
    form.get_by_role("button", name="Đọc thành tiếng").click()

    expect(form.locator("#recording audio")).to_be_visible(timeout=LONG)
    expect(reading.locator("mark", has_text="Ban Chỉ huy")).to_be_visible(timeout=LONG)
    assert form.input_value("#text") == TEXT
    asset = form.input_value("#asset")
    length = "() => { const a = document.querySelector('#recording audio'); a.load(); return a.src }"
    assert asset in str(form.evaluate(length))
    with house.ctx.db.read() as session:
        row = session.scalars(select(SpokenText).where(SpokenText.asset_sha256 == asset)).one()
    assert row.spoken.endswith("Ban Chỉ huy họp sau đó.")
    shoot(form, "speech-spoken")


def test_what_cannot_be_spoken_is_said_beside_and_the_text_stays(form: Page) -> None:
    form.get_by_text("Viết lời và đọc bằng giọng máy").click()
    form.fill("#text", "\U0001f600")
    form.get_by_role("button", name="Đọc thành tiếng").click()

    expect(form.get_by_text("không có gì đọc được")).to_be_visible(timeout=LONG)
    assert form.input_value("#text") == "\U0001f600"
    assert form.input_value("#asset") == ""


def test_the_pages_of_words_phrases_and_sounds_fit_a_phone(form: Page) -> None:
    base = form.url.split("/broadcasts")[0]
    for path in ("/pronunciations", "/phrases", "/phrases/storm?language=km", "/sound-library"):
        form.goto(f"{base}{path}")
        expect(form.get_by_role("heading", level=1)).to_be_visible()
        shoot(form, f"speech{path.split('?')[0].replace('/', '-')}")
