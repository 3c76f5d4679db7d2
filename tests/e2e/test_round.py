"""A technician's round where there is no signal, in a real Chromium: its pages open, what is written down waits on the
phone, and is on the server once when the line is back."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect
from sqlalchemy import select
from support.browser import PHONE, chromium, served, shoot
from support.office import PASSWORD, PROVINCE, House, open_house

from broadcasts.domain.round_rules import Kind
from controller.db.tables import FaultCase, RoundEntry, RoundStop
from controller.services import round_entries, rounds
from controller.services.rights import Role
from controller.services.round_entries import Told

pytestmark = pytest.mark.e2e
AREA, BROKEN = "c-31615", "cl-31615-2"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    found = open_house(tmp_path)
    found.add_user("tho", Role.TECHNICIAN, PROVINCE[0])
    found.add_user("tho-hai", Role.TECHNICIAN, PROVINCE[0])
    since = found.clock.now() - timedelta(hours=2)
    with found.ctx.db.write() as session:
        session.add(
            FaultCase(id="f-1", code="line_open", cluster_id=BROKEN, area_id=AREA, since=since, raised_at=since)
        )
    yield found
    found.ctx.db.close()


@pytest.fixture
def base(house: House) -> Iterator[str]:
    with served(house.app) as address:
        yield address


@pytest.fixture
def context(browser: Browser, base: str) -> Iterator[BrowserContext]:
    made = browser.new_context(viewport={"width": PHONE["width"], "height": PHONE["height"]}, locale="vi-VN")
    log_in(made.new_page(), base)
    yield made
    made.close()


def log_in(page: Page, base: str, name: str = "tho") -> None:
    page.goto(f"{base}/login")
    page.fill("#name", name)
    page.fill("#password", PASSWORD)
    page.get_by_role("button", name="Vào").click()
    page.wait_for_url(f"{base}/")


def begun(house: House, base: str, context: BrowserContext) -> tuple[Page, str, str]:
    """A round of two hands and one pole, open on a phone that has kept it; its id and its only stop's."""
    actor = house.actor("tho")
    name = rounds.make(house.ctx, actor, AREA, house.clock.now().date(), "phone-key-1", False)
    with house.ctx.db.read() as session:
        [stop] = session.scalars(select(RoundStop.id).where(RoundStop.round_id == name))
    page = context.pages[0]
    page.goto(f"{base}/rounds/{name}")
    expect(page.locator("[data-kept]")).to_have_attribute("data-here", "all")
    return page, name, stop


def taken(house: House) -> list[str]:
    with house.ctx.db.read() as session:
        return sorted(session.scalars(select(RoundEntry.kind)))


def picture() -> bytes:
    file = io.BytesIO()
    Image.effect_noise((1600, 1200), 80).convert("RGB").save(file, "JPEG", quality=95)
    return file.getvalue()


def take_photo(page: Page) -> None:
    page.set_input_files("#photo-before", {"name": "a.jpg", "mimeType": "image/jpeg", "buffer": picture()})
    page.locator("[data-round-photo] button").first.click()


def waiting(page: Page) -> int:
    return page.locator('[data-outbox-lines] [data-entry="waiting"]').count()


def test_a_stop_is_done_without_a_network_and_is_on_the_server_once(
    house: House, base: str, context: BrowserContext
) -> None:
    page, name, stop = begun(house, base, context)
    context.set_offline(True)
    page.reload()
    page.locator(f'[data-stop="{stop}"]').click()
    expect(page.locator("#round-form")).to_be_visible()
    take_photo(page)
    expect(page.locator('[data-outbox-lines] [data-entry="waiting"]')).to_have_count(1)
    page.check('input[name="check.cable"][value="no"]')
    page.fill("#part-cable", "2")
    page.select_option("#fault-f-1", "resolved")
    page.check('input[name="outcome"][value="done"]')
    page.locator("#round-form .finish button").click()
    assert waiting(page) == 1, "without a word on what was repaired nothing is written down"
    page.fill("#note", "nối lại dây")
    page.locator("#round-form .finish button").click()
    expect(page.locator('[data-outbox-lines] [data-entry="waiting"]')).to_have_count(4)
    page.reload()
    expect(page.locator('[data-outbox-lines] [data-entry="waiting"]')).to_have_count(4)
    expect(page.locator('input[name="check.cable"][value="no"]')).to_be_checked()
    expect(page.locator("#part-cable")).to_have_value("2")
    shoot(page, "round-offline")
    page.goto(f"{base}/rounds/{name}")
    expect(page.locator(f'[data-stop-waits="{stop}"]')).to_be_visible()
    assert taken(house) == []

    context.set_offline(False)
    expect(page.locator(f'[data-stop-waits="{stop}"]')).to_be_hidden()
    assert taken(house) == ["check", "finish", "part", "photo"]
    with house.ctx.db.read() as session:
        assert session.get_one(FaultCase, "f-1").state == "resolved"
    page.reload()
    assert taken(house) == ["check", "finish", "part", "photo"], "once"


def test_a_line_that_breaks_while_it_is_sent_loses_nothing_and_doubles_nothing(
    house: House, base: str, context: BrowserContext
) -> None:
    page, name, stop = begun(house, base, context)
    page.goto(f"{base}/rounds/{name}/stops/{stop}")
    broken: list[str] = []

    def cut(route: Route) -> None:
        """The server has it all, and the phone never hears so."""
        if broken:
            route.continue_()
        else:
            broken.append(route.request.url)
            route.fetch()
            route.abort("connectionreset")

    page.route("**/api/v1/rounds/**", cut)
    take_photo(page)
    expect(page.locator("[data-outbox-state]")).not_to_be_empty()
    assert len(broken) == 1
    assert taken(house) == ["photo"]
    page.evaluate("dispatchEvent(new Event('online'))")
    expect(page.locator('[data-outbox-lines] [data-entry="sent"]')).to_have_count(1)
    assert taken(house) == ["photo"]


def test_a_session_that_ended_meanwhile_asks_to_log_in_and_then_sends(
    house: House, base: str, context: BrowserContext
) -> None:
    page, name, stop = begun(house, base, context)
    page.goto(f"{base}/rounds/{name}/stops/{stop}")
    expect(page.locator("#round-form")).to_be_visible()
    context.clear_cookies()
    page.fill("#note", "cột nghiêng")
    page.locator("#round-form .finish button").click()
    expect(page.locator("[data-outbox-login]")).to_be_visible()
    assert taken(house) == []
    page.locator("[data-outbox-login]").click()
    page.fill("#name", "tho")
    page.fill("#password", PASSWORD)
    page.get_by_role("button", name="Vào").click()
    expect(page.locator("#round-form")).to_be_visible()
    expect(page.locator('[data-outbox-lines] [data-entry="sent"]')).to_have_count(1)
    assert taken(house) == ["note"]


def test_what_stands_against_an_entry_stays_with_its_reason_until_it_is_removed(
    house: House, base: str, context: BrowserContext
) -> None:
    page, name, stop = begun(house, base, context)
    page.goto(f"{base}/rounds/{name}/stops/{stop}")
    told = Told("other-phone-1", stop, Kind.FINISH, {"outcome": "done", "note": "xong"})
    [result] = round_entries.take(house.ctx, house.actor("tho"), name, [told])
    assert result.outcome == "taken"
    page.check('input[name="outcome"][value="could_not"]')
    page.fill("#note", "không có thang")
    page.locator("#round-form .finish button").click()
    late = page.locator('[data-outbox-lines] [data-entry="sent"]')
    expect(late).to_contain_text("không có thang")
    expect(late).to_contain_text("đã được ghi là xong trước đó")
    page.set_input_files("#photo-before", {"name": "a.jpg", "mimeType": "image/jpeg", "buffer": b"no picture at all"})
    page.locator("[data-round-photo] button").first.click()
    refused = page.locator('[data-outbox-lines] [data-entry="refused"]')
    expect(refused).to_contain_text("Bị từ chối")
    page.reload()
    expect(late).to_contain_text("không có thang")
    expect(refused).to_contain_text("Ảnh")
    refused.get_by_role("button").click()
    expect(refused).to_have_count(0)
    expect(late).to_have_count(1)
    with house.ctx.db.read() as session:
        assert session.get_one(RoundStop, stop).state == "done", "as the first one left it"


def test_who_logs_out_leaves_no_page_on_the_phone_and_what_waits_is_sent_by_nobody_else(
    house: House, base: str, context: BrowserContext
) -> None:
    page, name, stop = begun(house, base, context)
    page.goto(f"{base}/rounds/{name}/stops/{stop}")
    page.route("**/api/v1/rounds/**", lambda route: route.abort("connectionreset"))
    page.fill("#note", "của thợ một")
    page.locator("#round-form .finish button").click()
    expect(page.locator("[data-outbox-state]")).not_to_be_empty()
    page.goto(f"{base}/more")
    page.locator('form[action="/logout"] button').click()
    page.wait_for_url(f"{base}/login*")
    assert page.evaluate("caches.has('loa-rounds')") is False
    page.unroute_all()
    log_in(page, base, "tho-hai")
    page.goto(f"{base}/rounds")
    expect(page.locator("[data-outbox-others]")).to_contain_text("người khác")
    assert taken(house) == []
