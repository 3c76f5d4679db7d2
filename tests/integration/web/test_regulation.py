"""The page of a regulation: read by all, typed as people write hours, shown what it takes off, put in force."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient
from support.office import PASSWORD, House
from support.pages import Person, person

from controller.db.tables import Asset
from controller.services.approving import approve, look_at
from controller.services.composing import submit
from controller.services.rights import Role

TYPED = {
    "number": "07/QC-UBND",
    "date": "2026-03-01",
    "hours": "5h-7h; 16:30 - 21:00",
    "weekend": "06:00-08:00",
    "ceilings": "05:00-06:00 = 40, 16:30-21:00: 60%",
    "day": "90",
    "early": "NQ 12/NQ-HĐND",
}


@pytest.fixture(scope="module")
def boss(house: House) -> Person:
    return person(house, "lanhdao")


@pytest.fixture(scope="module")
def page_of(house: House) -> str:
    return f"/regulations/{house.commune.replace('c-', 's-')}"


def test_everybody_of_the_station_reads_it_and_only_who_may_has_a_button(
    house: House, boss: Person, page_of: str
) -> None:
    reader = person(house, "phatthanh").get(page_of)
    assert "01/QC-MẪU" in reader.html
    assert 'name="act"' not in reader.html
    assert 'value="save"' not in boss.get(page_of).html, "first one sees what it does"
    assert page_of in boss.get("/regulations").links


def test_a_change_shows_what_it_takes_off_and_then_takes_it_off(
    house: House, boss: Person, page_of: str, asset: Asset
) -> None:
    broadcast = submit(house.ctx, house.actor("phatthanh"), house.draft(asset.sha256, title="Tin trưa"))
    seen = look_at(house.ctx, house.actor("lanhdao"), broadcast)[2]
    approve(house.ctx, house.actor("lanhdao"), broadcast, seen)
    looked = boss.send(boss.get(page_of).form(page_of), **TYPED, act="preview")
    assert looked.status == 200
    assert "1 lượt đã duyệt không còn phù hợp" in looked.text
    assert "Tin trưa" in looked.text
    assert "Ngoài giờ được phép theo quy chế của đài." in looked.text
    saved = boss.send(looked.form(page_of), act="save")
    assert "Đã ban hành thay đổi quy chế." in saved.text
    assert "Lần 1: Lãnh đạo phê duyệt (mẫu) sửa lúc 12:00 hôm nay, quy chế 07/QC-UBND." in saved.text
    assert "05:00-07:00, 16:30-21:00" in saved.html
    stale = boss.send(looked.form(page_of), act="save")
    assert stale.status == 409


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"hours": "từ sáng đến tối"}, "Không đọc được từ sáng đến tối."),
        ({"hours": ""}, "Quy chế này không cho phát vào giờ nào cả."),
        ({"hours": "22:00-05:00"}, "Qua nửa đêm thì viết thành hai khoảng."),
        ({"early": ""}, "Hãy ghi quyết định của xã cho phép việc đó."),
        ({"ceilings": "05:00-06:00"}, "Không đọc được 05:00-06:00."),
        ({"day": "nhiều"}, "Không đọc được nhiều."),
    ],
)
def test_what_cannot_be_read_or_forbids_everything_is_said_and_nothing_typed_is_lost(
    boss: Person, page_of: str, wrong: dict[str, str], sentence: str
) -> None:
    typed = {**TYPED, "weekend": "", "content": "Tin địa phương", **wrong}
    answer = boss.send(boss.get(page_of).form(page_of), **typed, act="save")
    assert answer.status == 422
    assert sentence in answer.text
    assert "Tin địa phương" in answer.html


def test_programs_read_it_look_ahead_and_change_it(house: House) -> None:
    house.add_user("sep", Role.APPROVER, "c-31618")
    address = "/api/v1/stations/s-31618/regulation"
    api = TestClient(house.app, base_url="http://localhost")
    auth = ("sep", PASSWORD)
    told = api.get(address, auth=auth).json()
    assert (told["revision"], told["hours"]) == (0, [[300, 1260]])
    new = {"number": "9/QC", "hours": [[360, 1200]], "sites": {"cl-31618-1": "school"}, "special": [[0, 1440, 30]]}
    assert api.post(f"{address}/preview", json=new, auth=auth).json() == []
    assert api.put(address, json=new | {"revision": 0}, auth=auth).json() == []
    told = api.get(address, auth=auth).json()
    assert (told["revision"], told["sites"]["cl-31618-1"], told["history"][0]["by"]) == (1, "school", "sep (thử)")
    assert api.put(address, json=new | {"revision": 0}, auth=auth).status_code == 409
