"""Feedback of citizens on its pages, in its file, and as programs send it."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from support.audio import recording
from support.office import House, open_house
from support.pages import Page, Person, person

from controller.services.composing import submit

WHO = "Bà Năm, ấp 3"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    return open_house(tmp_path_factory.mktemp("house"))


@pytest.fixture(scope="module")
def bulletin(house: House, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = recording(Path(tmp_path_factory.mktemp("sound")) / "a.wav", seconds=1.5)
    return submit(house.ctx, house.actor("phatthanh"), house.draft(house.add_asset(path).sha256))


@pytest.fixture(scope="module")
def who(house: House) -> Person:
    return person(house, "phatthanh")


def post(who: Person, path: str, **told: str) -> Page:
    return Page(who.client.post(path, data={"form_token": who.token(), **told}))


@pytest.mark.requirement("R-028")
def test_an_officer_takes_it_down_answers_it_and_the_bulletin_says_whom_it_answers(
    house: House, who: Person, bulletin: str
) -> None:
    page = who.get(f"/feedback?broadcast={bulletin}")
    assert "Không cần ghi tên người phản ánh" in page.text
    empty = post(who, "/feedback", text=" ", contact=WHO)
    assert (empty.status, "Hãy ghi nội dung" in empty.text, WHO in empty.html) == (422, True, True)
    words = "=Loa <b>to</b> quá"
    kept = post(who, "/feedback", text=words, channel="phone", broadcast=bulletin, contact=WHO)
    assert "Đã lưu phản ánh" in kept.text
    assert "<b>to</b>" not in who.get("/feedback").html
    [name] = [form["id"] for form in _listed(house)]
    assert WHO in who.get(f"/feedback/{name}").text
    told = {"act": "answer", "text": "Đã chỉnh lại.", "broadcast": bulletin}
    assert "Đã chỉnh lại." in post(who, f"/feedback/{name}", **told).text
    late = post(who, f"/feedback/{name}", **told)
    assert (late.status, "vừa được trả lời" in late.text) == (409, True)
    assert "Bản tin này trả lời phản ánh" in who.get(f"/broadcasts/{bulletin}").text
    boss = person(house, "lanhdao")
    shown = boss.get(f"/feedback/{name}")
    assert (WHO in shown.html, "Đã chỉnh lại." in shown.text) == (False, True)
    file = who.client.get("/feedback.csv")
    assert file.headers["content-type"].startswith("text/csv")
    text = file.content.decode("utf-8-sig")
    assert "'=Loa <b>to</b> quá" in text, "no formula for a spreadsheet"
    assert WHO not in text
    assert WHO not in post(who, f"/feedback/{name}", act="erase").html
    assert "Đã xóa" in who.get(f"/feedback/{name}").text


def _listed(house: House) -> list[dict[str, str]]:
    return api(house).get("/api/v1/feedback").json()


def api(house: House) -> TestClient:
    return person(house, "phatthanh").client


def test_a_program_does_the_same(house: House, who: Person, bulletin: str) -> None:
    headers = {"x-form-token": who.token()}
    made = who.client.post(
        "/api/v1/feedback", json={"text": "Mất tiếng", "contact": WHO, "area": house.commune}, headers=headers
    )
    assert made.status_code == 201, made.json()
    assert (made.status_code, made.json()["contact"], made.json()["channel"]) == (201, WHO, "person")
    path = f"/api/v1/feedback/{made.json()['id']}"
    open_ = who.client.post(f"{path}/link", json={"broadcast": bulletin}, headers=headers)
    assert (open_.status_code, open_.json()["title"]) == (409, "feedback.open")
    told = who.client.post(f"{path}/answer", json={"text": "Đã sửa"}, headers=headers).json()
    assert (told["answer"], told["on_air"]) == ("Đã sửa", None)
    linked = who.client.post(f"{path}/link", json={"broadcast": bulletin}, headers=headers).json()
    assert linked["on_air"] == bulletin
    assert who.client.post(f"{path}/erase-contact", json={}, headers=headers).status_code == 204
    found = who.client.get(path).json()
    assert (found["contact"], found["contact_erased_at"] is not None) == ("", True)
    states = {state: len(who.client.get(f"/api/v1/feedback?state={state}").json()) for state in ("", "open")}
    assert states[""] > states["open"]
