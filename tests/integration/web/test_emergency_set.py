"""The page and the API of the emergency set, as the province uses them."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.audio import recording
from support.office import House
from support.pages import Person, person

from controller.services.seeding import PROVINCE


@pytest.fixture(scope="module")
def province(house: House) -> Person:
    return person(house, "tinh")


@pytest.fixture(scope="module")
def storm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return recording(tmp_path_factory.mktemp("storm") / "storm.wav", seconds=1.0)


def test_the_province_keeps_listens_to_and_removes_a_recording(house: House, province: Person, storm: Path) -> None:
    token = {"x-form-token": province.token()}
    fields = {"area": PROVINCE[0], "kind": "flood", "language": "km"}
    with storm.open("rb") as file:
        kept = province.client.post(
            "/emergency-set", data=fields, files={"recording": ("lu.wav", file)}, headers=token, follow_redirects=False
        )
    assert (kept.status_code, kept.headers["location"]) == (303, "/emergency-set?done=preloaded")
    page = province.client.get(kept.headers["location"]).text
    assert "Đã lưu bản ghi" in page
    assert "Lũ, ngập" in page
    [held] = province.client.get("/api/v1/emergency-set").json()
    assert (held["area"], held["kind"], held["language"], held["set_by"]) == (PROVINCE[0], "flood", "km", "tinh")
    assert f"/assets/{held['asset']}/listen" in page
    assert province.client.get(f"/assets/{held['asset']}/listen").status_code == 200
    gone = province.client.post("/emergency-set/remove", data=fields, headers=token, follow_redirects=False)
    assert gone.status_code == 303
    assert province.client.get("/api/v1/emergency-set").json() == []
    assert "Chưa có bản ghi khẩn cấp nào." in province.client.get("/emergency-set").text


def test_a_form_without_a_file_says_so_and_keeps_what_was_chosen(province: Person) -> None:
    fields = {"area": "c-31615", "kind": "fire", "language": "vi"}
    answer = province.client.post("/emergency-set", data=fields, headers={"x-form-token": province.token()})
    assert answer.status_code == 422
    assert '<option value="fire" selected>' in answer.text
    assert '<option value="c-31615" selected>' in answer.text


def test_a_program_keeps_and_removes_a_recording(province: Person, storm: Path) -> None:
    token = {"x-form-token": province.token()}
    told = {"area": "c-31615", "kind": "storm", "language": "vi"}
    kept = province.client.post(
        "/api/v1/emergency-set/recordings", params=told, content=storm.read_bytes(), headers=token
    )
    assert kept.status_code == 201
    [held] = province.client.get("/api/v1/emergency-set").json()
    assert held["asset"] == kept.json()["asset"]
    assert held["loudness_lufs"] == pytest.approx(-14.0, abs=1.0)
    assert province.client.post("/api/v1/emergency-set/remove", json=told, headers=token).status_code == 204
    again = province.client.post("/api/v1/emergency-set/remove", json=told, headers=token)
    assert (again.status_code, again.json()["title"]) == (422, "choice.unknown")
