"""Planning in a real browser on a phone: an edit of all of a series that has begun, the week with what waits, a copied
week, what was played, a merger that is undone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, time, timedelta

import pytest
from playwright.sync_api import Browser, expect
from support.audio import recording
from support.browser import chromium, served, shoot
from support.office import PROVINCE, House, open_house
from support.visitor import Visitor

from broadcasts.clock import VIETNAM
from controller.db.tables import Asset
from controller.services import library, merging
from controller.services.approving import approve, look_at
from controller.services.composing import submit
from controller.services.merging import Wish
from controller.services.rights import Role

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("house")
    found = open_house(folder)
    found.add_user("quantri", Role.ADMINISTRATOR, PROVINCE[0])
    yield found
    found.ctx.db.close()


@pytest.fixture(scope="module")
def asset(house: House) -> Asset:
    path = recording(house.folder / "tin.wav", seconds=2.0)
    return library.add_recording(house.ctx, house.actor("phatthanh"), path, path.name)


@pytest.fixture(scope="module")
def series(house: House, asset: Asset) -> str:
    """Daily at 17:00, approved, and begun two days ago."""
    draft = house.draft(asset.sha256, title="Tin chiều", repeat="daily", first_day=date(2026, 3, 3), at=time(17))
    found = submit(house.ctx, house.actor("phatthanh"), draft)
    boss = house.actor("lanhdao")
    approve(house.ctx, boss, found, look_at(house.ctx, boss, found)[2])
    house.clock.advance(timedelta(days=2).total_seconds())
    return found


@pytest.fixture(scope="module")
def base(house: House, series: str) -> Iterator[str]:
    with served(house.app) as address:
        yield address


@pytest.fixture
def author(browser: Browser, base: str) -> Iterator[Visitor]:
    found = Visitor(browser, base, "phatthanh")
    yield found
    found.context.close()
    assert found.complaints == []


@pytest.fixture
def chief(browser: Browser, base: str) -> Iterator[Visitor]:
    found = Visitor(browser, base, "quantri")
    yield found
    found.context.close()
    assert found.complaints == []


def test_the_edit_of_all_of_a_series_says_what_was_played_and_what_stops(author: Visitor, series: str) -> None:
    author.go(f"/broadcasts/{series}/edit?extent=all")
    preview = author.page.locator("#preview")
    expect(preview).to_contain_text("Chưa thay đổi gì")
    author.page.locator("#title").fill("Tin chiều, bản mới")
    author.page.locator("#title").press("Tab")
    expect(preview).to_contain_text("Thay đổi: tiêu đề.")
    expect(preview).to_contain_text("Đã phát 2 lượt")
    expect(preview).to_contain_text("ngừng theo bản cũ")
    shoot(author.page, "edit-all")


def test_the_week_with_what_waits_and_a_week_to_copy_fit_a_phone(author: Visitor, house: House, asset: Asset) -> None:
    day = house.clock.now().astimezone(VIETNAM).date() + timedelta(days=1)
    draft = house.draft(asset.sha256, title="Tin chờ duyệt", priority=2, first_day=day, at=time(17))
    submit(house.ctx, house.actor("phatthanh"), draft)
    author.go("/ahead?waiting=1")
    expect(author.page.locator("main")).to_contain_text("Tin chờ duyệt")
    shoot(author.page, "ahead-waiting")
    author.go("/schedule/copy")
    shoot(author.page, "copy")


def test_what_was_played_fits_a_phone(author: Visitor) -> None:
    author.go("/playings?first=2026-03-03&last=2026-03-05")
    expect(author.page.locator("main .tile").first).to_contain_text("Tin chiều")
    shoot(author.page, "playings")


def test_a_merger_is_undone_on_a_phone(chief: Visitor, house: House) -> None:
    today = house.clock.now().astimezone(VIETNAM).date()
    wish = Wish(("c-31615", "c-31618"), "Xã An Thạnh", "31999", today, "NQ 1")
    made = merging.merge(house.ctx, "máy chủ", wish)
    chief.go("/areas")
    shoot(chief.page, "areas-merged")
    chief.page.locator(f"a[href='/areas/{made}/undo']").click()
    shoot(chief.page, "unmerge")
    chief.page.locator("#decision").fill("Nhập nhầm")
    chief.page.locator("main form button.btn-primary").click()
    expect(chief.page.locator("main")).to_contain_text("Đã hủy việc nhập xã")
    shoot(chief.page, "areas-undone")
