"""The dry run as page, paper and JSON; unusual hours asked about on the form and again on the approval."""

from __future__ import annotations

import io
import unicodedata
from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from pypdf import PdfReader
from sqlalchemy import select
from support.office import PASSWORD, House
from support.pages import Page, Person, person

from broadcasts.domain.relay import Relay
from controller.db.tables import Asset, Broadcast, RelaySource, Station
from controller.services.approving import approve, look_at
from controller.services.composing import submit
from controller.web.paper import SIZE, Paper


@pytest.fixture(scope="module")
def author(house: House) -> Person:
    return person(house, "phatthanh")


@pytest.fixture(scope="module")
def boss(house: House) -> Person:
    return person(house, "lanhdao")


def on_air(house: House, asset: Asset, **changed: Any) -> str:
    broadcast = submit(house.ctx, house.actor("phatthanh"), house.draft(asset.sha256, **changed))
    approve(house.ctx, house.actor("lanhdao"), broadcast, look_at(house.ctx, house.actor("lanhdao"), broadcast)[2])
    return broadcast


def test_the_week_ahead_says_what_sounds_and_who_gives_way(house: House, author: Person, asset: Asset) -> None:
    on_air(house, asset, title="Tin chiều ấp")
    on_air(house, asset, title="Tin gấp", priority=2)
    page = author.get(f"/ahead?area={house.commune}")
    assert page.status == 200
    assert "14:00:00–14:00:10 Tin gấp Ưu tiên lần đầu phát 5 cụm Phát trọn, đúng giờ." in page.text
    assert "(Tin gấp giành loa)" in page.text
    one = author.get(f"/ahead?cluster={house.clusters()[0].id}")
    assert "Tin chiều ấp" in one.text
    assert author.get("/ahead?cluster=khong-co").status == 404


def test_the_printed_week_holds_every_vietnamese_and_khmer_letter(house: House, author: Person, asset: Asset) -> None:
    on_air(house, asset, title="Ưỡn ẹo Ắ ằ ẵ Ộ ỗ Ử ữ Đặng ỷ ភាសាខ្មែរ", priority=2)
    answer = author.client.get(f"/ahead.pdf?area={house.commune}")
    assert answer.headers["content-type"] == "application/pdf"
    text = "".join(page.extract_text() for page in PdfReader(io.BytesIO(answer.content)).pages)
    text = unicodedata.normalize("NFC", text).replace("\n", " ")
    for word in ("Bảy ngày tới sẽ phát gì", "Ưỡn ẹo Ắ ằ ẵ Ộ ỗ Ử ữ Đặng ỷ", "thứ Ba, 03/03/2026", "Không phát gì."):
        assert word.lower() in text.lower()
    assert "ភាសា" in text


@pytest.mark.parametrize(
    "text",
    [
        "Lịch tiêm chủng mở rộng cho trẻ em dưới một tuổi",
        "A" * 90,
        "ភាសាខ្មែរនៅកម្ពុជាក្រោមដែលវែងណាស់",
        "Tin " + "ữ" * 70,
        "",
    ],
)
def test_no_line_on_paper_is_wider_than_its_column_and_none_is_lost(text: str) -> None:
    with Paper("Thử") as paper:
        paper.shape_for([text])
        paper.set_font("text", "", SIZE)
        lines = paper._lines(text, 30.0)
        assert "".join(lines).replace(" ", "") == text.replace(" ", "")
        assert all(paper.get_string_width(line) <= 30.1 for line in lines)
        assert len(lines) > 1 or not text


def test_a_row_is_never_torn_between_two_pages() -> None:
    with Paper("Thử") as paper:
        for number in range(80):
            paper.row((f"05:{number:02}", "Tin dài " * 12, "5 cụm"), (34.0, 90.0, 62.0))
            assert paper.get_y() <= paper.page_break_trigger + 0.01
        assert paper.page_no() > 2


def test_the_printed_week_says_which_station_is_relayed(house: House, author: Person, asset: Asset) -> None:
    with house.ctx.db.read() as session:
        source = session.scalars(select(RelaySource).order_by(RelaySource.id)).first()
    assert source is not None
    told = house.draft(asset.sha256, title="Thời sự", origin="relay", relay=Relay(source.id, 15))
    name = submit(house.ctx, house.actor("phatthanh"), told)
    boss, until = house.actor("lanhdao"), house.clock.now() + timedelta(days=2)
    approve(house.ctx, boss, name, look_at(house.ctx, boss, name)[2], until=until)
    answer = author.client.get(f"/ahead.pdf?area={house.commune}")
    text = "".join(page.extract_text() for page in PdfReader(io.BytesIO(answer.content)).pages)
    assert f"Tiếp âm {source.name}" in unicodedata.normalize("NFC", text).replace("\n", " ")


def test_programs_get_every_stretch_of_sound(house: House, asset: Asset) -> None:
    broadcast = on_air(house, asset, title="Cho máy", priority=2)
    api = TestClient(house.app, base_url="http://localhost/api/v1", headers={"accept-language": "vi"})
    answer = api.get("/dry-run", params={"cluster": house.clusters()[0].id}, auth=("phatthanh", PASSWORD))
    assert answer.status_code == 200
    line = next(each for each in answer.json()["lines"] if each["broadcast"] == broadcast)
    assert line["clusters"] == [house.clusters()[0].id]
    assert line["outcome"] in ("whole", "resumed", "displaced")
    assert api.get("/dry-run", params={"days": 8}, auth=("phatthanh", PASSWORD)).status_code == 422


@pytest.mark.requirement("R-053")
def test_an_unusual_hour_is_asked_about_in_words_of_author_and_of_approver(
    house: House, author: Person, boss: Person, asset: Asset
) -> None:
    with house.ctx.db.write() as session:
        session.get_one(Station, house.commune.replace("c-", "s-")).hours = [[0, 1440]]
    told = {"title": "Tiếp âm nhầm giờ", "asset": asset.sha256, "areas": [house.commune], "when": "once"}
    told |= {"day": "2026-03-04", "time": "03:15"}
    asked = author.send(author.get("/broadcasts/new").form("/broadcasts"), **told, act="submit")
    assert asked.status == 422
    assert "Giờ khác thường: loa sẽ kêu lúc 3 giờ 15 sáng mai, thứ Tư, tại 5 cụm." in asked.text
    assert house.clusters()[0].name in asked.text
    done = author.send(asked.form("/broadcasts"), unusual=mark(asked), act="submit")
    assert done.status == 200
    with house.ctx.db.read() as session:
        broadcast = session.query(Broadcast).filter(Broadcast.unusual != "").one()
    page = boss.get(f"/approvals/{broadcast.id}")
    assert "3 giờ 15 sáng mai, thứ Tư" in page.text
    form = page.form(f"/approvals/{broadcast.id}")
    again = boss.send(form, decision="approve")
    assert again.status == 422
    approved = boss.send(again.form(f"/approvals/{broadcast.id}"), decision="approve", unusual=mark(page))
    assert approved.status == 200
    with house.ctx.db.read() as session:
        assert session.get_one(Broadcast, broadcast.id).status == "approved"


def mark(page: Page) -> str:
    """The value of the box that is not ticked yet."""
    return page.html.split('name="unusual" value="')[1].split('"')[0]
