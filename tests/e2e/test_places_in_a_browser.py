"""Places in a real browser: an area drawn with mouse and finger, a group, what a cluster is, communes that merge."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Protocol

import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import select
from support.browser import chromium, served, shoot
from support.office import PROVINCE, House, open_house
from support.visitor import Visitor

from controller.db.tables import Area, Cluster, UnitStatus
from controller.services.rights import Role

pytestmark = pytest.mark.e2e
CLUSTERS = 40


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    found = open_house(tmp_path_factory.mktemp("house"), clusters=CLUSTERS)
    found.add_user("quantri", Role.ADMINISTRATOR, PROVINCE[0])
    with found.ctx.db.write() as session:
        for told in found.seeded.enrolments[:25]:
            session.add(UnitStatus(unit_id=told["unit"], connected=True, last_sign=found.clock.now()))
    yield found
    found.ctx.db.close()


@pytest.fixture(scope="module")
def base(house: House) -> Iterator[str]:
    with served(house.app) as address:
        yield address


class Visit(Protocol):
    def __call__(self, name: str, *, script: bool = True) -> Visitor: ...


@pytest.fixture
def visit(browser: Browser, base: str) -> Iterator[Visit]:
    made: list[Visitor] = []

    def come(name: str, *, script: bool = True) -> Visitor:
        made.append(Visitor(browser, base, name, script))
        return made[-1]

    yield come
    told = [each for one in made for each in one.complaints]  # before requests are cut off by the end of the page
    for one in made:
        one.context.close()
    assert told == [], "the browser's console complained"


def corners(page: Page, *parts: tuple[float, float], finger: bool = False) -> None:
    """Taps into the map, each at these parts of its width and height."""
    page.locator(".map-picture").evaluate("picture => picture.scrollIntoView({block: 'center', behavior: 'instant'})")
    for x, y in parts:
        box = page.locator(".map-picture").bounding_box()
        assert box is not None
        at = (box["x"] + x * box["width"], box["y"] + y * box["height"])
        if finger:
            page.touchscreen.tap(*at)
        else:
            page.mouse.click(*at)


WHOLE = ((0.02, 0.01), (0.98, 0.01), (0.98, 0.99), (0.02, 0.99))


def test_an_area_drawn_with_a_finger_counts_its_clusters_at_once_and_becomes_a_group(
    visit: Visit, house: House
) -> None:
    here = visit("phatthanh")
    page = here.go("/map")
    expect(page.locator(".map-legend")).to_contain_text("Đang kết nối 25")
    shoot(page, "map-empty")
    page.get_by_role("button", name="Vẽ vùng").click()
    corners(page, *WHOLE, finger=True)
    expect(page.locator("#map-count")).to_contain_text(f"{CLUSTERS} cụm")
    page.get_by_role("button", name="Bỏ điểm cuối").click()
    expect(page.locator("#map-count")).not_to_contain_text(f"có {CLUSTERS} cụm")
    ring = json.loads(page.locator("#shape").input_value())["coordinates"][0]
    assert (len(ring), ring[0]) == (4, ring[-1])
    shoot(page, "map-drawn")
    counted = page.locator("#map-count strong")
    expect(counted).to_have_text(re.compile(r"có \d+ cụm"))
    inside = int(counted.inner_text().split()[3])
    assert 0 < inside < CLUSTERS
    page.get_by_role("link", name="Lưu các cụm này thành nhóm").click()
    page.fill("#name", "Bờ đông")
    expect(page.locator("input[name=clusters]:checked")).to_have_count(inside)
    shoot(page, "group-new")
    page.get_by_role("button", name="Lưu nhóm").click()
    expect(page.get_by_role("status")).to_contain_text("Đã lưu nhóm")
    expect(page.locator(".tile")).to_contain_text(f"{inside} cụm")
    shoot(page, "groups")


def test_in_the_form_of_a_bulletin_the_map_draws_where_it_will_sound(visit: Visit) -> None:
    here = visit("phatthanh")
    page = here.go("/broadcasts/new")
    page.get_by_text("Chọn theo nhóm, nhãn hoặc vùng trên bản đồ").click()
    page.locator("#map-count").evaluate("place => place.scrollIntoView({block: 'center', behavior: 'instant'})")
    page.get_by_role("button", name="Vẽ vùng").click()
    corners(page, *WHOLE)
    expect(page.locator("#map-count")).to_contain_text(f"{CLUSTERS} cụm")
    expect(page.locator("#preview")).to_contain_text(f"{CLUSTERS} cụm")
    shoot(page, "new-with-map")
    page.get_by_role("button", name="Xóa hình").click()
    expect(page.locator("#map-count")).to_contain_text("Chưa vẽ vùng nào")
    expect(page.locator("#shape")).to_have_value("")


def test_the_map_moves_and_comes_closer_and_a_pull_sets_no_corner(visit: Visit) -> None:
    here = visit("kythuat")
    page = here.go("/map")
    picture = page.locator(".map-picture")
    before = picture.get_attribute("viewBox")
    page.get_by_role("button", name="Phóng to").click()
    expect(picture).not_to_have_attribute("viewBox", before or "")
    closer = picture.get_attribute("viewBox") or ""
    page.get_by_role("button", name="Vẽ vùng").click()
    picture.scroll_into_view_if_needed()
    box = picture.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 100, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + 160, box["y"] + 130, steps=4)
    page.mouse.up()
    expect(picture).not_to_have_attribute("viewBox", closer)
    expect(page.locator(".map-corners")).to_have_attribute("d", "")
    page.get_by_role("button", name="Xem tất cả").click()
    assert [float(each) for each in (picture.get_attribute("viewBox") or "").split()] == [
        float(each) for each in (before or "").split()
    ]
    page.get_by_text("Danh sách 40 cụm").click()
    page.locator(".map-list a").first.click()
    expect(page.locator("#description")).to_be_visible()


def test_without_script_a_pasted_shape_is_drawn_and_counted(visit: Visit) -> None:
    here = visit("phatthanh", script=False)
    page = here.go("/map")
    page.get_by_text("Dán GeoJSON").click()
    shape = {"type": "Polygon", "coordinates": [[[105, 9], [107, 9], [107, 10], [105, 10], [105, 9]]]}
    page.fill("#shape", json.dumps(shape))
    page.get_by_role("button", name="Đếm cụm trong vùng").click()
    expect(page.locator("#map-count")).to_contain_text(f"{CLUSTERS} cụm")
    expect(page.locator(".map-shape")).to_have_attribute("d", re.compile("^M"))
    page.get_by_text("Dán GeoJSON").click()
    page.fill("#shape", "{")
    page.get_by_role("button", name="Đếm cụm trong vùng").click()
    expect(page.get_by_role("alert")).to_contain_text("Không đọc được vùng")


@pytest.mark.requirement("R-027")
def test_a_technician_lets_a_cluster_play_khmer_first_and_reads_what_that_changes(visit: Visit, house: House) -> None:
    cluster = house.clusters()[0]
    here = visit("kythuat")
    page = here.go(f"/clusters/{cluster.id}")
    page.locator("#description summary").click()
    page.get_by_label("Phát trước").select_option("km")
    page.get_by_label("Rồi đến").select_option("vi")
    page.fill("#tags", "chợ, ven sông")
    page.fill("#hamlet", "Ấp Chợ")
    page.get_by_label("Loại địa điểm").select_option("school")
    shoot(page, "cluster-describe")
    page.get_by_role("button", name="Lưu thay đổi").click()
    expect(page.locator("#description")).to_contain_text("Từ giờ phát Tiếng Khmer rồi Tiếng Việt")
    shoot(page, "cluster-described")
    with house.ctx.db.read() as session:
        row = session.get_one(Cluster, cluster.id)
        assert (row.languages, row.tags, row.hamlet, row.site) == (
            ["km", "vi"],
            ["chợ", "ven sông"],
            "Ấp Chợ",
            "school",
        )


@pytest.mark.requirement("R-011")
def test_an_administrator_sees_what_a_merger_changes_and_the_form_then_offers_the_new_commune(
    visit: Visit, house: House
) -> None:
    here = visit("quantri")
    page = here.go("/areas")
    shoot(page, "areas")
    page.get_by_role("link", name="Nhập xã").click()
    for old in ("An Thạnh 1", "An Thạnh Tây"):
        page.locator("label", has_text=old).click()
    page.fill("#name", "Xã An Thạnh")
    page.fill("#code", "31618")
    page.fill("#day", "2026-03-03")
    page.fill("#decision", "Nghị quyết 1668/NQ-UBTVQH15")
    page.get_by_role("button", name="Xem trước thay đổi").click()
    expect(page.locator("#outlook")).to_contain_text("thành Xã An Thạnh (mã 31618)")
    expect(page.locator("#outlook")).to_contain_text("Cả đơn vị mới có 10 cụm")
    shoot(page, "merge-preview")
    page.get_by_role("button", name="Nhập các xã này").click()
    expect(page.get_by_role("status")).to_contain_text("Đã nhập xã")
    page.fill("#find", "an thanh tay")
    page.get_by_role("button", name="Tìm").click()
    expect(page.locator(".tile").first).to_contain_text("Trước đây: Xã An Thạnh 1")
    expect(page.locator(".tile-past")).to_contain_text("Nay thuộc Xã An Thạnh")
    shoot(page, "areas-found")
    author = visit("phatthanh")
    form = author.go("/broadcasts/new")
    merged = form.locator("label.chip-check", has_text="Trước đây")
    expect(merged).to_contain_text("An Thạnh Tây")
    merged.click()
    expect(form.locator("#preview")).to_contain_text("10 cụm")
    shoot(form, "new-after-merger")
    with house.ctx.db.read() as session:
        assert session.scalar(select(Area.name).where(Area.code == "31618", Area.valid_to.is_(None))) == "Xã An Thạnh"
