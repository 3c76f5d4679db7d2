"""The registry of stations and the form of a relay, as people and programs use them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from support.office import House
from support.pages import Person, person

from broadcasts.clock import VIETNAM
from controller.db.tables import Asset, Delivery
from controller.web.relay_form import kilohertz, megahertz

URL = "https://phat.example.vn/vov1"


@pytest.fixture(scope="module")
def province(house: House) -> Person:
    return person(house, "tinh")


@pytest.fixture(scope="module")
def author(house: House) -> Person:
    return person(house, "phatthanh")


def added(province: Person, **told: Any) -> dict[str, Any]:
    token = {"x-form-token": province.token()}
    body = {"name": "Đài thử", "kind": "vov", "url": URL} | told
    answer = province.client.post("/api/v1/relay-sources", json=body, headers=token)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def fields(house: House, asset: Asset, **told: Any) -> dict[str, Any]:
    start = house.clock.now().astimezone(VIETNAM) + timedelta(hours=2)
    form = {"title": "Bản tin thời sự", "asset": asset.sha256, "areas": "c-31615", "when": "once", "field": "1"}
    return form | {"day": start.date().isoformat(), "time": f"{start:%H:%M}", "act": "submit"} | told


@pytest.mark.parametrize(
    ("told", "khz"),
    [
        ("99,9", 99_900),
        ("100", 100_000),
        ("87.525", 87_525),
        ("", None),
        ("x", 0),
        ("99,9,9", 0),
        ("1e5", 0),
        ("-1", 0),
    ],
)
def test_a_frequency_is_read_as_people_write_it(told: str, khz: int | None) -> None:
    assert kilohertz(told) == khz
    if khz:
        assert kilohertz(megahertz(khz)) == khz


@pytest.mark.requirement("R-024")
def test_the_province_adds_changes_and_takes_out_a_station_on_its_page(province: Person) -> None:
    page = province.get("/relays")
    assert "Đài quốc gia (ví dụ)" in page.text
    page = province.send(page.form("/relays"), name="Đài FM thử", kind="province", megahertz="99,9", url="")
    assert "Đã thêm đài." in page.text
    assert "FM 99,9 MHz" in page.text
    [row] = [one for one in province.client.get("/api/v1/relay-sources").json() if one["name"] == "Đài FM thử"]
    assert (row["frequency_khz"], row["area"], row["changed_by"]) == (99_900, None, "tinh")
    address = f"/relays/{row['id']}"
    page = province.send(page.form(address), megahertz="101", act="save")
    assert "FM 101 MHz" in page.text
    again = province.send(page.form(address), megahertz="102", act="save", revision="1")
    assert again.status == 409
    assert "Có người vừa sửa" in again.text
    page = province.send(page.form(address), act="retire")
    assert "Đã bỏ" in page.text
    assert address not in {form.action for form in page.forms}


def test_what_is_wrong_is_said_and_what_was_typed_stays(province: Person) -> None:
    page = province.get("/relays")
    page = province.send(page.form("/relays"), name="Đài lạ", kind="other", url="http://127.0.0.1/a")
    assert page.status == 422
    assert "mạng nội bộ" in page.text
    assert ("name", "Đài lạ") in page.form("/relays").fields


def test_who_only_writes_reads_the_list_and_changes_nothing(author: Person) -> None:
    page = author.get("/relays")
    assert "Đài tỉnh (ví dụ)" in page.text
    assert not [form for form in page.forms if form.action.startswith("/relays")]


@pytest.mark.requirement("R-024", "R-030")
def test_a_relay_goes_from_the_form_to_the_week_with_an_end_and_can_be_edited(
    house: House, province: Person, author: Person, asset: Asset
) -> None:
    source = added(province, name="Đài buổi sáng")["id"]
    relay = {"relay_source": source, "relay_minutes": "20", "relay_silence": "15"}
    token = {"x-form-token": author.token()}
    told = fields(house, asset, **relay)
    look = author.client.post("/broadcasts/preview", data=told, headers=token).text
    assert "Tiếp âm Đài buổi sáng" in look
    assert "15 giây" in look
    handed = author.client.post("/broadcasts", data=told, headers=token, follow_redirects=False)
    assert handed.status_code == 303, handed.text
    name = handed.headers["location"].split("/")[2].split("?")[0]
    edit = author.get(f"/broadcasts/{name}/edit")
    assert {("relay_source", source), ("relay_minutes", "20"), ("relay_silence", "15")} <= set(
        edit.form("/broadcasts").fields
    )
    boss = person(house, "lanhdao")
    page = boss.get(f"/approvals/{name}")
    assert "Tiếp âm Đài buổi sáng" in page.text
    assert URL in page.text
    approval = page.form(f"/approvals/{name}")
    without = boss.send(approval, until="", decision="approve")
    assert without.status == 422
    done = boss.send(approval, decision="approve")
    assert done.status == 200
    assert "Tiếp âm Đài buổi sáng" in boss.get("/schedule").text
    rows = boss.client.get(f"/api/v1/broadcasts/{name}/deliveries").json()
    assert {(row["relayed"], row["source_ms"]) for row in rows} == {("Đài buổi sáng", None)}


@pytest.mark.requirement("R-024", "R-099")
def test_the_pages_of_a_relay_that_sounded_say_whose_sound_it_was(
    house: House, province: Person, author: Person, asset: Asset
) -> None:
    source = added(province, name="Đài im lặng")["id"]
    token = {"x-form-token": author.token()}
    told = fields(house, asset, relay_source=source, relay_minutes="10", time="19:00")
    handed = author.client.post("/broadcasts", data=told, headers=token, follow_redirects=False)
    name = handed.headers["location"].split("/")[2].split("?")[0]
    boss = person(house, "lanhdao")
    boss.send(boss.get(f"/approvals/{name}").form(f"/approvals/{name}"), decision="approve")
    with house.ctx.db.write() as session:
        row = session.scalars(select(Delivery).where(Delivery.broadcast_id == name).order_by(Delivery.id)).first()
        assert row is not None
        row.state, row.verdict, row.reason = "played", "heard", "relay_fallback"
        row.source_ms, row.fallback_ms, row.coverage = 420_000, 180_000, 1.0
        delivery, start = row.id, row.start
    shares = "Nguồn Đài im lặng 70%, bản dự phòng 30%"
    assert shares in boss.get(f"/broadcasts/{name}?start={start.isoformat().replace('+', '%2B')}").text
    page = boss.get(f"/deliveries/{delivery}").text
    assert shares in page
    assert "Tiếp âm Đài im lặng" in page
    assert "bản dự phòng đã phát thay" in page


def test_a_program_hands_in_a_relay_and_hears_why_not(
    house: House, province: Person, author: Person, asset: Asset
) -> None:
    source = added(province, name="Đài của chương trình")["id"]
    start = house.clock.now().astimezone(VIETNAM) + timedelta(hours=3)
    draft = {
        "title": "Thời sự",
        "asset": asset.sha256,
        "areas": ["c-31615"],
        "origin": "relay",
        "first_day": start.date().isoformat(),
        "at": f"{start:%H:%M}",
    }
    token = {"x-form-token": author.token()}
    missing = author.client.post("/api/v1/broadcasts/preview", json=draft, headers=token).json()
    assert [each["key"] for each in missing["problems"]] == ["relay.missing"]
    draft["relay"] = {"source": source, "minutes": 10}
    seen = author.client.post("/api/v1/broadcasts/preview", json=draft, headers=token).json()
    assert (seen["problems"], seen["duration_ms"]) == ([], 600_000)
    assert author.client.post("/api/v1/broadcasts", json=draft, headers=token).status_code == 201


def test_a_program_without_the_right_is_told_so_before_anything_else(author: Person) -> None:
    answer = author.client.post("/api/v1/relay-sources", json={}, headers={"x-form-token": author.token()})
    assert answer.status_code == 403
