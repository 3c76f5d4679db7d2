"""Repeats on the pages and in the API: said in words, edited in part, copied, taken out and brought in as calendars."""

from __future__ import annotations

from datetime import date, time
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import func, select
from support.office import PASSWORD, House
from support.pages import Page, Person, person

from broadcasts.domain.model import Pattern
from controller.db.tables import Asset, Broadcast
from controller.services.approving import approve, look_at
from controller.services.composing import submit
from controller.services.schedules import pattern_of, schedule_of

AUTHOR = ("phatthanh", PASSWORD)


@pytest.fixture(scope="module")
def author(house: House) -> Person:
    return person(house, "phatthanh")


@pytest.fixture(scope="module")
def api(house: House) -> TestClient:
    return TestClient(house.app, base_url="http://localhost/api/v1", headers={"accept-language": "vi"})


def typed(house: House, asset: Asset, **changed: Any) -> dict[str, Any]:
    told = {
        "title": "Tin mùa vụ",
        "asset": asset.sha256,
        "areas": [house.commune],
        "day": "2026-03-04",
        "time": "17:00",
    }
    return told | changed


def look(author: Person, told: dict[str, Any]) -> Page:
    return author.send(author.get("/broadcasts/new").form("/broadcasts"), **told, act="preview")


def newest(house: House) -> Broadcast:
    with house.ctx.db.read() as session:
        return session.scalars(select(Broadcast).order_by(func.length(Broadcast.id).desc(), Broadcast.id.desc())).all()[
            0
        ]


def series(house: House, asset: Asset, **changed: Any) -> str:
    """Daily at 17:00 from 4 March, approved."""
    told = {"repeat": "daily", "first_day": date(2026, 3, 4), "at": time(17, 0)} | changed
    found = submit(house.ctx, house.actor("phatthanh"), house.draft(asset.sha256, **told))
    boss = house.actor("lanhdao")
    approve(house.ctx, boss, found, look_at(house.ctx, boss, found)[2])
    return found


SAID: list[tuple[dict[str, Any], str, str]] = [
    ({"when": "weekly", "days": ["0", "3"]}, "Thứ Hai, thứ Năm hằng tuần lúc 17:00", "17:00 thứ Năm, 05/03"),
    ({"when": "monthly", "month_days": "15, -1"}, "Ngày 15, cuối tháng hằng tháng", "17:00 Chủ nhật, 15/03"),
    ({"when": "lunar", "only_on": ["lunar_first", "lunar_full"]}, "chỉ mùng một âm lịch, ngày rằm", "thứ Năm, 19/03"),
    ({"when": "daily", "gap": "30", "last": "18:00"}, "từ 17:00 đến 18:00, cứ 30 phút một lần", "17:30 ngày mai"),
    ({"when": "daily", "skip": "05/03/2026", "not_on": ["tet"]}, "trừ Tết Nguyên đán, bỏ 05/03", "thứ Sáu, 06/03"),
]  # fmt: skip


@pytest.mark.parametrize(("told", "sentence", "start"), SAID)
def test_the_form_says_the_repeat_and_the_next_starts_in_words(
    house: House, asset: Asset, author: Person, told: dict[str, Any], sentence: str, start: str
) -> None:
    page = look(author, typed(house, asset, **told))
    assert sentence in page.text
    assert start in page.text


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"when": "monthly", "month_days": "31", "months": ["2"]}, "không bao giờ phát lượt nào"),
    ({"when": "weekly", "days": None}, "Chưa chọn thứ nào trong tuần"),
    ({"when": "daily", "skip": "ngày mai"}, "Không hiểu “ngày mai”"),
    ({"when": "daily", "gap": "30"}, "cần cả khoảng cách phút và giờ cuối"),
    ({"when": "daily", "until": "2026-03-02"}, "Ngày kết thúc sớm hơn ngày bắt đầu"),
    ({"when": "once", "day": "2026-03-02"}, "Giờ phát đã qua"),
]


@pytest.mark.parametrize(("told", "sentence"), WRONG)
def test_what_cannot_be_is_said_in_words_and_nothing_is_saved(
    house: House, asset: Asset, author: Person, told: dict[str, Any], sentence: str
) -> None:
    before = newest(house).id if _any(house) else ""
    assert sentence in look(author, typed(house, asset, **told)).text
    page = author.send(author.get("/broadcasts/new").form("/broadcasts"), **typed(house, asset, **told), act="submit")
    assert page.status == 422
    assert (newest(house).id if _any(house) else "") == before


def _any(house: House) -> bool:
    with house.ctx.db.read() as session:
        return session.scalar(select(Broadcast.id).limit(1)) is not None


def test_a_repeat_survives_the_way_into_the_database_and_back_into_the_form(
    house: House, asset: Asset, author: Person
) -> None:
    told = typed(house, asset, when="monthly", month_by="nth", nth="-1", nth_day="4", months=["3", "9"], count="4")
    author.send(author.get("/broadcasts/new").form("/broadcasts"), **told, act="submit")
    saved = newest(house)
    wanted = Pattern(nth_weekday=(-1, 4), months=(3, 9), count=4)
    assert pattern_of(saved.pattern) == wanted
    page = author.get(f"/broadcasts/{saved.id}/edit")
    author.send(page.form("/broadcasts"), act="submit", title="Tin khác")
    again = newest(house)
    assert (again.id, again.revision, pattern_of(again.pattern)) == (saved.id, 2, wanted)


def test_one_start_of_a_series_is_edited_from_its_page(house: House, asset: Asset, author: Person) -> None:
    found = series(house, asset)
    page = author.get(f"/broadcasts/{found}")
    edit = next(link for link in page.links if "extent=this" in link)
    form = author.get(edit).form("/broadcasts")
    assert dict(form.fields)["when"] == "once"
    author.send(form, time="18:30", act="submit")
    moved = newest(house)
    assert (moved.replaces, moved.repeat, moved.at_time, moved.status) == (found, "once", time(18, 30), "submitted")
    with house.ctx.db.read() as session:
        series_now = session.get_one(Broadcast, found)
        assert series_now.status == "approved"
        assert len(schedule_of(series_now).pattern.skip) == 1


def test_one_start_of_a_series_is_left_out_from_its_page(house: House, asset: Asset, author: Person) -> None:
    found = series(house, asset)
    page = author.get(f"/broadcasts/{found}")
    done = author.send(page.form(f"/broadcasts/{found}/leave-out"))
    assert "Đã bỏ lượt đó" in done.text


def test_a_week_is_copied_from_the_calendar_page(house: House, asset: Asset, author: Person) -> None:
    found = series(house, asset, title="Bản tin chép")
    page = author.get("/schedule/copy?from=2026-03-04&days=7&to=2026-04-01")
    assert "Bản tin chép" in page.text
    done = author.send(next(form for form in page.forms if form.method == "post"), of=[found])
    assert "Các bản chép đang chờ phê duyệt" in done.text
    again = author.get("/schedule/copy?from=2026-03-04&days=7&to=2026-04-01")
    assert "Đã chép rồi." in again.text


def test_a_calendar_goes_out_and_comes_in_as_drafts(house: House, asset: Asset, author: Person) -> None:
    series(house, asset, title="Tin ra lịch", pattern=Pattern(weekdays=(1,)), repeat="weekly")
    out = author.client.get("/schedule.ics")
    assert out.headers["content-type"].startswith("text/calendar")
    assert "SUMMARY:Tin ra lịch" in out.text
    page = author.get("/schedule/import")
    form = page.form("/schedule/import")
    lines = author.send(form, files={"calendar": ("a.ics", out.content, "text/calendar")})
    assert "Thứ Ba hằng tuần lúc 17:00" in lines.text
    opened = next(form for form in lines.forms if ("title", "Tin ra lịch") in form.fields)
    filled = dict(author.send(opened, act="preview").form("/broadcasts").fields)
    assert (filled["when"], filled["time"], filled["asset"]) == ("weekly", "17:00:00", asset.sha256)


ALL_DAY = b"""BEGIN:VCALENDAR
VERSION:2.0
PRODID:x
BEGIN:VEVENT
UID:1
DTSTART;VALUE=DATE:20260401
END:VEVENT
END:VCALENDAR
"""


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"not a calendar", "không phải tệp lịch"),
        (ALL_DAY, "Sự kiện cả ngày không có giờ phát"),
    ],
)  # fmt: skip
def test_a_calendar_that_cannot_be_read_says_why(author: Person, data: bytes, sentence: str) -> None:
    form = author.get("/schedule/import").form("/schedule/import")
    page = author.send(form, files={"calendar": ("a.ics", data, "text/calendar")})
    assert sentence in page.text


def test_a_program_asks_for_repeats_edits_parts_copies_and_calendars(
    house: House, asset: Asset, api: TestClient
) -> None:
    draft = {"title": "Từ chương trình", "asset": asset.sha256, "areas": [house.commune], "first_day": "2026-03-04"}
    weekly = draft | {"at": "17:00", "repeat": "weekly", "pattern": {"weekdays": [3, 0], "not_on": ["tet"]}}
    seen = api.post("/broadcasts/preview", json=weekly, auth=AUTHOR).json()
    assert seen["problems"] == []
    assert seen["coming"][:2] == ["2026-03-05T10:00:00Z", "2026-03-09T10:00:00Z"]
    never = api.post("/broadcasts/preview", json=weekly | {"pattern": {"weekdays": [8]}}, auth=AUTHOR).json()
    assert [each["key"] for each in never["problems"]] == ["schedule.number"]
    made = api.post("/broadcasts", json=weekly, auth=AUTHOR).json()
    assert made["pattern"] == {"weekdays": [0, 3], "not_on": ["tet"]}
    boss = house.actor("lanhdao")
    approve(house.ctx, boss, made["id"], look_at(house.ctx, boss, made["id"])[2])
    part = {"extent": "this", "start": "2026-03-05T10:00:00Z", "revision": 1, "at": "18:00", "first_day": "2026-03-05"}
    moved = api.post(f"/broadcasts/{made['id']}/reschedule", json=draft | part, auth=AUTHOR)
    assert moved.status_code == 200, moved.text
    assert (moved.json()["status"], moved.json()["repeat"]) == ("submitted", "once")
    gone = {"start": "2026-03-09T10:00:00Z"}
    left = api.post(f"/broadcasts/{made['id']}/leave-out", json=gone, auth=AUTHOR).json()
    assert left["pattern"]["skip"] == ["2026-03-05T10:00:00Z", "2026-03-09T10:00:00Z"]
    days = {"first": "2026-03-12", "days": 1, "to": "2026-05-01", "only": [made["id"]]}
    assert len(api.post("/schedule/copy", json=days, auth=AUTHOR).json()) == 1
    calendar = api.get("/schedule.ics", auth=AUTHOR).content
    lines = api.post("/schedule/import", content=calendar, auth=AUTHOR).json()
    assert {"title", "schedule", "duration_ms", "asset", "problem"} == set(lines[0])
    assert "Từ chương trình" in {line["title"] for line in lines}


def test_the_preview_of_an_edit_of_all_says_what_changes_and_what_stays(
    house: House, asset: Asset, author: Person, api: TestClient
) -> None:
    found = series(house, asset)
    form = author.get(f"/broadcasts/{found}/edit?extent=all").form("/broadcasts")
    assert "Chưa thay đổi gì." in author.send(form, act="preview").text
    page = author.send(form, title="Tên khác", time="18:00", act="preview")
    assert "Thay đổi: tiêu đề, giờ phát." in " ".join(page.text.split())
    assert "6 lượt trong 7 ngày tới, từ 17:00" in page.text
    told = {"extent": "all", "revision": 1, "title": "Tên khác", "asset": asset.sha256, "areas": [house.commune]}
    told |= {"language": "vi", "field": 1, "repeat": "daily", "first_day": "2026-03-04", "at": "17:00:00"}
    seen = api.post(f"/broadcasts/{found}/preview", json=told, auth=AUTHOR).json()["edit"]
    assert (seen["in_place"], seen["kept"], seen["last"], seen["changed"]) == (True, 0, None, ["title"])
    assert len(seen["off"]) == 6
