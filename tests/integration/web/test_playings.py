"""The table of what was played: every field that the law asks for, on the page, as a spreadsheet, and for programs."""

from __future__ import annotations

import csv
import html
import io
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import update
from support.audio import recording
from support.office import PASSWORD, House
from support.pages import Person, person

from broadcasts.clock import VIETNAM
from broadcasts.domain.content import TypeCode, type_code
from broadcasts.wire.alert import AlertKind
from controller.db.tables import Asset, Delivery
from controller.services import drilling, emergencies, emergency_set
from controller.services.alert_calls import Call
from controller.services.approving import approve, look_at, withdraw
from controller.services.composing import submit
from controller.services.drilling import Exercise
from controller.services.rights import Role
from controller.services.seeding import PROVINCE
from controller.services.targets import Target
from controller.web.pages import playings as pages_of_playings

AUTHOR, DAY = ("phatthanh", PASSWORD), "2026-03-03"
ASKED = {"first": DAY, "last": DAY}
MINUTES = timedelta(minutes=30)


@pytest.fixture(scope="module")
def author(house: House) -> Person:
    return person(house, "phatthanh")


@pytest.fixture(scope="module")
def api(house: House) -> TestClient:
    return TestClient(house.app, base_url="http://localhost/api/v1", headers={"accept-language": "vi"})


@pytest.fixture(scope="module")
def played(house: House, asset: Asset) -> str:
    """Handed in by one and approved by another, then heard at all poles but one, of which nothing is known yet."""
    found = submit(house.ctx, house.actor("phatthanh"), house.draft(asset.sha256, title="=Tin sáng"))
    boss = house.actor("lanhdao")
    approve(house.ctx, boss, found, look_at(house.ctx, boss, found)[2])
    with house.ctx.db.write() as session:
        every = [row.id for row in session.query(Delivery).where(Delivery.broadcast_id == found).order_by(Delivery.id)]
        start = session.get_one(Delivery, every[0]).start
        heard: dict[str, Any] = {"state": "played", "verdict": "heard", "coverage": 1.0, "started_at": start}
        session.execute(update(Delivery).where(Delivery.id.in_(every[1:])).values(**heard))
        missed = {"state": "missed", "verdict": "not_played", "reason": "power_off"}
        session.execute(update(Delivery).where(Delivery.id == every[1]).values(missed | {"started_at": None}))
    house.clock.set(start + timedelta(minutes=5))
    return found


@pytest.mark.requirement("R-099")
def test_each_playing_at_each_cluster_is_a_record_of_everything_that_the_law_names(
    house: House, api: TestClient, played: str
) -> None:
    rows = [row for row in api.get("/playings", params=ASKED, auth=AUTHOR).json() if row["bulletin"] == played]
    assert len(rows) == 5
    one = next(row for row in rows if row["verdict"] == "heard")
    with house.ctx.db.read() as session:
        delivery = session.get_one(Delivery, one["delivery"])
    same = ("delivery", "title", "type", "field", "priority", "author", "approver", "source", "relay", "verdict")
    assert [one[name] for name in same] == [
        *(delivery.id, "=Tin sáng", 3, 1, 3),
        *(house.actor("phatthanh").full_name, house.actor("lanhdao").full_name, "", "", "heard"),
    ]
    assert (one["volume"], one["watts"], one["coverage"]) == (delivery.volume, 60, 1.0)
    assert one["length_ms"] == round((delivery.end - delivery.start).total_seconds() * 1000)
    assert one["started"] is not None
    assert all(one[name] for name in ("commune", "hamlet", "cluster", "planned"))
    assert max(str(row["reason"]) for row in rows) == "power_off"


@pytest.mark.requirement("R-099")
def test_the_page_shows_it_and_the_spreadsheet_has_every_column(
    house: House, author: Person, api: TestClient, played: str
) -> None:
    page = author.get(f"/playings?first={DAY}&last={DAY}")
    assert "=Tin sáng" in page.text
    assert "chưa có kết quả" in page.text
    table = author.client.get(f"/playings.csv?first={DAY}&last={DAY}")
    head, *rows = list(csv.reader(io.StringIO(table.content.decode("utf-8-sig"))))
    assert head[:4] == ["Giờ đã định", "Bắt đầu thật", "Độ dài (giây)", "Bản tin"]
    assert {len(row) for row in rows} == {len(head)}
    assert "'=Tin sáng" in {row[3] for row in rows}, "a formula is text"


@pytest.mark.requirement("R-020")
def test_what_sounds_has_the_code_of_its_kind() -> None:
    assert [int(each) for each in TypeCode] == [1, 2, 3, 4, 5, 6]
    assert type_code(None) is TypeCode.SOUND
    assert type_code({"url": "https://radio.example/a.mp3", "frequency_khz": None}) is TypeCode.LIVE
    assert type_code({"url": "", "frequency_khz": 96_500}) is TypeCode.FM


def test_what_is_to_come_and_what_is_elsewhere_is_not_in_it(house: House, api: TestClient, played: str) -> None:
    assert api.get("/playings", params={"first": "2026-03-20", "last": "2026-03-20"}, auth=AUTHOR).json() == []
    other = api.get("/playings", params=ASKED | {"area": "c-31618"}, auth=AUTHOR).json()
    assert played not in {row["bulletin"] for row in other}
    assert api.get("/playings", params=ASKED | {"area": "c-never"}, auth=AUTHOR).status_code == 404


def test_days_that_make_no_sense_are_refused_in_a_sentence(author: Person, played: str) -> None:
    assert "Hãy chọn ngày cuối" in author.get("/playings?first=2026-03-03&last=2026-03-01").text
    assert "Hãy chọn ngày cuối" in author.get("/playings?first=2026-01-01&last=2026-12-01").text


@pytest.mark.requirement("R-099")
def test_an_emergency_stands_in_page_and_file_beside_the_broadcasts_and_leads_to_its_own_page(
    house: House, author: Person, api: TestClient, played: str
) -> None:
    house.add_user("khancap", Role.EMERGENCY, PROVINCE[0])
    path = recording(house.folder / "storm.wav", seconds=2.0)
    emergency_set.put(house.ctx, house.actor("khancap"), PROVINCE[0], "storm", "vi", path, "storm.wav")
    target = Target(areas=(house.commune,))
    name = emergencies.sound(
        house.ctx, house.actor("khancap"), Call(AlertKind.STORM, target, reason="Bão số 3", confirmed="5")
    )
    drilling.ask(house.ctx, house.actor("khancap"), Exercise(AlertKind.STORM, target, reason="Quý một"))
    house.clock.advance(1)
    rows = api.get("/playings", params=ASKED, auth=AUTHOR).json()
    assert Counter(row["kind"] for row in rows) == {"broadcast": 5, "alert": 5, "silent_drill": 5}
    assert {row["bulletin"] for row in rows if row["kind"] == "alert"} == {name}
    page = author.get(f"/playings?first={DAY}&last={DAY}")
    assert "/emergency/" + name not in page.html, "its page is not for authors"
    assert f'href="/emergency/{name}"' in person(house, "khancap").get(f"/playings?first={DAY}&last={DAY}").html
    assert "Bão số 3" in page.text
    assert "DIỄN TẬP, không ra tiếng" in page.text
    table = author.client.get(f"/playings.csv?first={DAY}&last={DAY}").content.decode("utf-8-sig")
    lines = list(csv.DictReader(io.StringIO(table)))
    assert {line["Việc phát"] for line in lines} == {"Bản tin", "Khẩn cấp", "DIỄN TẬP, không ra tiếng"}
    loud = next(line for line in lines if line["Việc phát"] == "Khẩn cấp")
    assert loud["Mức ưu tiên"] == "Khẩn cấp"
    assert loud["Kết quả"] == "Chưa tới được: chưa kết nối lần nào"


@pytest.fixture
def twice(house: House, asset: Asset, played: str) -> Iterator[str]:
    """Another bulletin half an hour later, and it is later still."""
    later = house.draft(asset.sha256, title="Tin trưa")
    before = house.clock.now()
    with house.ctx.db.read() as session:
        start = session.query(Delivery).where(Delivery.broadcast_id == played).first().start
    found = submit(house.ctx, house.actor("phatthanh"), replace(later, at=(start + MINUTES).astimezone(VIETNAM).time()))
    boss = house.actor("lanhdao")
    approve(house.ctx, boss, found, look_at(house.ctx, boss, found)[2])
    house.clock.set(start + 2 * MINUTES)
    yield found
    withdraw(house.ctx, boss, found)
    assert house.clock.now() > before


def test_what_is_more_than_a_page_goes_on_on_the_next_one_in_page_api_and_file(
    house: House, author: Person, api: TestClient, twice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    every = api.get("/playings", params=ASKED, auth=AUTHOR)
    assert "link" not in every.headers
    read, address, pages = [], f"/playings?first={DAY}&last={DAY}&limit=5", 0
    while address:
        answer = api.get(address, auth=AUTHOR)
        read += answer.json()
        link = answer.links.get("next", {}).get("url", "")
        address, pages = link.removeprefix("/api/v1"), pages + 1
    assert read == every.json()
    assert pages > 1
    assert api.get("/playings", params=ASKED | {"limit": "0"}, auth=AUTHOR).status_code == 422
    monkeypatch.setattr(pages_of_playings, "SHOWN", 5)
    monkeypatch.setattr(pages_of_playings, "MOST", 5)
    first = author.get(f"/playings?first={DAY}&last={DAY}")
    assert f"{len(read)} dòng" in first.text
    assert ("=Tin sáng" in first.text, "Tin trưa" in first.text) == (True, False)
    shown, page = 1, first
    while following := re.findall(r'rel="next" href="([^"]+)"', page.html):
        page, shown = author.get(html.unescape(following[0])), shown + 1
        assert "Trang đầu" in page.text
    assert ("=Tin sáng" in page.text, "Tin trưa" in page.text, shown) == (False, True, pages)
    file = author.client.get(f"/playings.csv?first={DAY}&last={DAY}").content.decode("utf-8-sig")
    assert len(list(csv.reader(io.StringIO(file)))) == len(read) + 1, "the file has them all, and one head"
    assert "=Tin sáng" in author.get(f"/playings?first={DAY}&last={DAY}&since=nonsense").text
