"""The page of what hangs on a pole, as a technician fills it in."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from sqlalchemy import select
from support.office import House, open_house
from support.pages import Page, Person, person

from controller.db.tables import Assignment, Cluster, Unit
from controller.services import hardware, sheet_files, sheets
from controller.services.sheets import COLUMNS
from controller.web.catalogue import say
from controller.web.sheet_words import labels

CLUSTER, UNIT = "cl-31615-1", "u-31615-1"
ADDRESS = f"/clusters/{CLUSTER}/hardware"


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    found = open_house(tmp_path)
    with found.ctx.db.write() as session:
        session.add(Unit(id="u-moi", vendor="loasim", key_x="x" * 43, secret_hashes={"sha256": "0"},
                         enrolled_at=found.clock.now()))  # fmt: skip
    yield found
    found.ctx.db.close()


@pytest.fixture
def tech(house: House) -> Person:
    return person(house, "kythuat")


def serving(house: House) -> str | None:
    with house.ctx.db.read() as session:
        return session.scalar(
            select(Assignment.unit_id).where(Assignment.cluster_id == CLUSTER, Assignment.until.is_(None))
        )


@pytest.mark.requirement("R-085")
def test_a_technician_scans_the_label_picks_the_cluster_and_is_told_until_when_the_old_unit_may_sound(
    house: House, tech: Person
) -> None:
    choice = tech.get("/swap?unit=u-moi")
    assert "u-moi" in choice.text
    assert f"{ADDRESS}?unit=u-moi#swap" in choice.links
    form = tech.get(f"{ADDRESS}?unit=u-moi").form(f"/clusters/{CLUSTER}/swap")
    assert ("unit", "u-moi") in form.fields
    page = tech.send(form, why="hỏng nguồn")
    assert "Đã thay bộ thu" in page.text
    assert f"{UNIT} đã gỡ" in page.text
    assert serving(house) == "u-moi"
    again = tech.send(form, unit="u-31615-2")
    assert again.status == 409
    assert "Có người vừa thay bộ thu" in again.text
    wrong = tech.send(again.form(f"/clusters/{CLUSTER}/swap"), unit="u-31615-2")
    assert "đang phục vụ cụm khác (Cụm 2" in wrong.text
    released = tech.send(wrong.form(f"/clusters/{CLUSTER}/release"), why="mang về sửa")
    assert "Đã gỡ bộ thu" in released.text
    assert serving(house) is None


def test_papers_are_kept_as_typed_and_what_is_wrong_leaves_the_form_as_it_was_typed(house: House, tech: Person) -> None:
    form = tech.get(ADDRESS).form(f"/clusters/{CLUSTER}/papers")
    wrong = tech.send(form, vendor="Bộ Thu Việt", model="", serial="BT-1")
    assert wrong.status == 422
    assert "Ghi cả hãng và kiểu máy" in wrong.text
    form = wrong.form(f"/clusters/{CLUSTER}/papers")
    assert ("serial", "BT-1") in form.fields
    page = tech.send(form, model="BT-60", cost_vnd="28.500.000", purchased_on="2025-01-10", funding="central",
                     purpose="new_station", sim_iccid="8984012345678901234", sim_quota_mb="300")  # fmt: skip
    assert "Đã lưu hồ sơ" in page.text
    assert "28.500.000" in page.text
    assert "Ngân sách trung ương" in page.text
    with house.ctx.db.read() as session:
        found = hardware.of_unit(session, UNIT)
    assert (found.cost_vnd, found.sim_quota_mb, found.model) == (28_500_000, 300, "BT-60")


def test_watts_that_the_circular_does_not_have_are_kept_and_flagged(house: House, tech: Person) -> None:
    form = tech.get(ADDRESS).form(f"/clusters/{CLUSTER}/place")
    page = tech.send(form, horns="5", horn_watts="30", latitude="9,65")
    assert "Tổng công suất loa 150 W, ngoài khoảng 50 đến 120 W" in page.text
    with house.ctx.db.read() as session:
        row = session.get_one(Cluster, CLUSTER)
        assert (row.horns, row.latitude) == (5, 9.65)


def test_a_new_pole_is_put_up_and_taken_down_from_a_phone(house: House, tech: Person) -> None:
    page = tech.get("/clusters/new")
    told = {"name": "Cụm bến đò", "latitude": "9.6", "longitude": "106.1", "horns": "2", "horn_watts": "30"}
    wrong = tech.send(page.form("/clusters/new"), **told | {"latitude": "106.1", "longitude": "9.6"})
    assert (wrong.status, "không ở Việt Nam" in wrong.text) == (422, True)
    there = tech.send(wrong.form("/clusters/new"), **told)
    assert "Cụm bến đò" in there.text
    assert "Giờ lắp bộ thu" in there.text
    down = next(form for form in there.forms if form.action.endswith("/take-down"))
    assert tech.send(down, sure="").status == 422
    assert "Đã tháo dỡ" in tech.send(down, sure="yes").text
    assert "Cụm bến đò" not in tech.get("/clusters").text


def test_a_photo_is_shown_without_what_the_camera_wrote(house: House, tech: Person) -> None:
    taken = io.BytesIO()
    exif = Image.Exif()
    exif[0x010F] = "camera"
    Image.new("RGB", (400, 300)).save(taken, "JPEG", exif=exif)
    form = tech.get(ADDRESS).form(f"/clusters/{CLUSTER}/photo")
    page = tech.send(form, files={"photo": ("cot.jpg", taken.getvalue())})
    assert "Đã lưu ảnh" in page.text
    shown = tech.client.get(f"/clusters/{CLUSTER}/photo")
    assert (shown.status_code, shown.headers["content-type"]) == (200, "image/jpeg")
    assert b"camera" not in shown.content
    broken = tech.send(page.form(f"/clusters/{CLUSTER}/photo"), files={"photo": ("x.jpg", b"<svg/>")})
    assert (broken.status, "Không đọc được ảnh" in broken.text) == (415, True)


def test_the_asset_book_takes_a_repair(house: House, tech: Person) -> None:
    form = tech.get(ADDRESS).form(f"/clusters/{CLUSTER}/book")
    page = tech.send(form, what="repair", on_day="2026-03-01", cost_vnd="450.000", note="thay nguồn")
    assert "Đã ghi vào sổ tài sản" in page.text
    assert "450.000 đ" in page.text


def test_who_only_writes_sees_the_papers_and_no_form(house: House) -> None:
    page: Page = person(house, "phatthanh").get(ADDRESS)
    assert page.status == 200
    assert [form.action for form in page.forms if CLUSTER in form.action] == []


def test_a_program_swaps_and_reads_the_same(house: House, tech: Person) -> None:
    headers = {"x-form-token": tech.token()}
    address = f"/api/v1/clusters/{CLUSTER}"
    assert tech.client.get(f"{address}/hardware").json()["unit"] == UNIT
    done = tech.client.post(f"{address}/swap", json={"unit": "u-moi", "seen": UNIT}, headers=headers)
    assert done.json() == {"unit": "u-moi"}
    told = tech.client.get(f"{address}/hardware").json()
    assert told["convergence"] == {"reason": "no_plan", "since": None, "lag_s": 0, "detail": ""}
    assert (told["unit"], told["before"][0]["unit"], told["before"][0]["silent"]) == ("u-moi", UNIT, True)
    clash = tech.client.post(f"{address}/swap", json={"unit": UNIT, "seen": UNIT}, headers=headers)
    assert clash.status_code == 409
    papers = {"serial": "S-9", "revision": told["papers_revision"]}
    assert tech.client.put(f"{address}/hardware", json=papers, headers=headers).status_code == 204
    assert tech.client.get(f"{address}/hardware").json()["papers"]["serial"] == "S-9"


def test_a_table_is_taken_out_changed_shown_and_kept(house: House, tech: Person) -> None:
    out = tech.client.get("/inventory.csv")
    assert out.content.startswith(b"\xef\xbb\xbfid,station,name")
    wrong = out.content + b"cl-never,1"
    form = tech.get("/inventory").form("/inventory")
    page = tech.send(form, files={"table": ("bang.csv", wrong)})
    assert (page.status, "bị cắt ngang" in page.text) == (422, True)
    changed = out.content.replace("Ấp mẫu 1".encode(), "Ấp Chợ".encode(), 1)
    shown = tech.send(form, files={"table": ("bang.csv", changed)})
    assert "1 cụm thay đổi" in shown.text
    assert "“Ấp mẫu 1” thành “Ấp Chợ”" in shown.text
    assert "Ấp Chợ" not in tech.get(f"/clusters/{CLUSTER}").text
    keep = next(form for form in shown.forms if form.action.startswith("/inventory/"))
    assert "Đã lưu bảng" in tech.send(keep).text
    assert "Ấp Chợ" in tech.get(f"/clusters/{CLUSTER}").text
    assert tech.client.get("/inventory.xlsx").content.startswith(b"PK")


def test_notes_on_the_pole_are_kept_and_what_is_too_long_stays_in_the_form(house: House, tech: Person) -> None:
    form = tech.get(ADDRESS).form(f"/clusters/{CLUSTER}/notes")
    wrong = tech.send(form, pole_notes="x" * 501)
    assert wrong.status == 422
    assert ("pole_notes", "x" * 501) in wrong.form(f"/clusters/{CLUSTER}/notes").fields
    page = tech.send(form, pole_notes="Chìa khóa ở nhà ông Ba")
    assert "Đã lưu ghi chú về cột" in page.text
    assert ("pole_notes", "Chìa khóa ở nhà ông Ba") in page.form(f"/clusters/{CLUSTER}/notes").fields


def test_what_was_typed_of_a_place_or_of_the_book_stays_after_a_refusal(house: House, tech: Person) -> None:
    form = tech.get(ADDRESS).form(f"/clusters/{CLUSTER}/place")
    wrong = tech.send(form, name="Cột mới", horns="nhiều")
    assert wrong.status == 422
    fields = wrong.form(f"/clusters/{CLUSTER}/place").fields
    assert {("name", "Cột mới"), ("horns", "nhiều")} <= set(fields)
    line = tech.send(wrong.form(f"/clusters/{CLUSTER}/book"), on_day="", cost_vnd="500.000", note="thay loa")
    assert line.status == 422
    assert {("cost_vnd", "500.000"), ("note", "thay loa")} <= set(line.form(f"/clusters/{CLUSTER}/book").fields)
    assert ("name", "Cột mới") not in line.form(f"/clusters/{CLUSTER}/place").fields


@pytest.mark.parametrize("language", ["vi", "en"])
def test_a_sheet_may_have_heads_in_words(house: House, tech: Person, language: str) -> None:
    heads = [say(language, f"sheet.column.{name}") for name in COLUMNS]
    assert len(labels().values()) >= len(set(labels().values())) == len(COLUMNS)
    rows = sheets.table(house.ctx, house.actor("kythuat"))
    rows[0][COLUMNS.index("hamlet")] = "Ấp Chợ"
    form = tech.get("/inventory").form("/inventory")
    page = tech.send(form, files={"table": ("bang.csv", sheet_files.write_csv(heads, rows))})
    assert "Ấp Chợ" in page.text
    assert "Thôn, ấp" in page.text


def test_programs_bring_a_table_look_at_it_and_take_it(house: House, tech: Person) -> None:
    client, headers = tech.client, {"x-form-token": tech.token()}
    rows = sheets.table(house.ctx, house.actor("kythuat"))
    rows[0][COLUMNS.index("notes")] = "gần chợ"
    data = sheet_files.write_csv(COLUMNS, rows)
    told = client.post("/api/v1/inventory?name=bang.csv", content=data, headers=headers)
    assert told.status_code == 201, told.text
    [change] = told.json()["changed"]
    assert change["fields"] == [["notes", "", "gần chợ"]]
    address = f"/api/v1/inventory/{told.json()['id']}"
    assert client.get(address).json() == told.json()
    assert client.post(f"{address}/take", json={"seen": "another"}, headers=headers).status_code == 409
    assert client.post(f"{address}/take", json={"seen": told.json()["seen"]}, headers=headers).status_code == 200
    with house.ctx.db.read() as session:
        assert hardware.of_unit(session, UNIT).notes == "gần chợ"


def test_programs_say_classes_of_hardware_notes_and_photos(house: House, tech: Person) -> None:
    client, headers = tech.client, {"x-form-token": tech.token()}
    told = {"kind": "cluster", "vendor": "Hãng", "model": "M1", "watts": 60, "power": "mains_dc", "codecs": ["opus"]}
    assert client.put("/api/v1/hardware-classes", json=told, headers=headers).status_code == 200
    [row] = [row for row in client.get("/api/v1/hardware-classes").json() if row["model"] == "M1"]
    assert (row["watts"], row["codecs"]) == (60, ["opus"])
    wrong = client.put("/api/v1/hardware-classes", json=told | {"watts": -1}, headers=headers)
    assert wrong.status_code == 422
    picture = io.BytesIO()
    Image.new("RGB", (40, 30)).save(picture, "JPEG")
    address = f"/api/v1/clusters/{CLUSTER}"
    assert client.put(f"{address}/photo", content=picture.getvalue(), headers=headers).status_code == 200
    assert client.get(f"/clusters/{CLUSTER}/photo").status_code == 200
    assert client.put(f"{address}/notes", json={"notes": "cẩn thận ong"}, headers=headers).status_code == 204
    assert "cẩn thận ong" in tech.get(ADDRESS).html
