"""The pages of a round without script, and the API that a phone sends to when it has a signal again."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from sqlalchemy import select
from support.office import PROVINCE, House, open_house
from support.pages import Page, Person, person

from controller.db.tables import Command, FaultCase, RoundEntry
from controller.services.rights import Role

AREA, BROKEN = "c-31615", "cl-31615-2"


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    found = open_house(tmp_path)
    found.add_user("tho", Role.TECHNICIAN, PROVINCE[0])
    found.add_user("tho-hai", Role.TECHNICIAN, PROVINCE[0])
    found.add_user("doc", Role.BROADCASTER, PROVINCE[0])
    found.add_user("xa-khac", Role.TECHNICIAN, "c-31618")
    since = found.clock.now() - timedelta(hours=2)
    with found.ctx.db.write() as session:
        session.add(
            FaultCase(id="f-1", code="line_open", cluster_id=BROKEN, area_id=AREA, since=since, raised_at=since)
        )
    yield found
    found.ctx.db.close()


def made(one: Person) -> str:
    """The address of a new round."""
    page = one.get("/rounds")
    one.send(page.form("/rounds"), area=AREA, routine=None)
    [address] = [link for link in one.get("/rounds").links if link.startswith("/rounds/")]
    return address


def stop_of(one: Person, address: str) -> str:
    return next(link for link in one.get(address).links if link.startswith(f"{address}/stops/"))


def jpeg() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (800, 600), "navy").save(file, "JPEG")
    return file.getvalue()


def send(one: Person, address: str, body: Any) -> Any:
    headers = {"x-form-token": one.token(), "content-type": "application/json"}
    answer = one.client.post(f"/api/v1{address}/entries", content=json.dumps(body), headers=headers)
    assert answer.status_code == 200, answer.text
    return [(each["id"], each["outcome"]) for each in answer.json()]


def test_a_stop_is_filled_in_without_script_and_the_fault_moves(house: House) -> None:
    one = person(house, "tho")
    address = made(one)
    assert "dây loa" in one.get(address).text, "what to bring"
    stop = stop_of(one, address)
    page = one.get(stop)
    assert any(link.startswith("geo:") for link in page.links)
    form = page.form(stop)
    told = {"check.cable": "no", "part.cable": "2", "fault.f-1": "resolved"}
    refused = one.send(form, **told, outcome="done")
    assert refused.status == 422
    assert 'value="no" checked' in refused.html, "what was typed is still there"
    whole = told | {"note": "nối lại dây", "outcome": "done"}
    saved = one.send(refused.form(stop), **whole)
    assert saved.status == 200, saved.text
    assert "Đã lưu" in saved.text
    assert one.send(refused.form(stop), **whole).status == 200, "sent twice, it is the same"
    assert one.send(form, **whole).status == 409, "another form: it was finished before"
    with house.ctx.db.read() as session:
        assert session.get_one(FaultCase, "f-1").state == "resolved"
        kinds = sorted(session.scalars(select(RoundEntry.kind)))
    assert kinds == ["check", "finish", "finish", "part"], "what the other form said is kept, and moved nothing"
    assert "Đã xong" in one.get(stop).text


def test_the_worker_may_answer_for_the_list_of_rounds_too_and_is_asked_for_anew_each_time(house: House) -> None:
    answer = person(house, "tho").client.get("/rounds/worker.js")
    assert answer.status_code == 200
    assert answer.headers["service-worker-allowed"] == "/rounds"
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["content-type"].startswith("text/javascript")


def test_a_photo_is_sent_shown_and_only_to_those_who_look_after_the_area(house: House) -> None:
    one = person(house, "tho")
    stop = stop_of(one, made(one))
    form = one.get(stop).form(f"{stop}/photos")
    sent = one.send(form, files={"photo": ("a.jpg", jpeg(), "image/jpeg")})
    [picture] = [link for link in sent.links if "/photos/" in link]
    assert one.client.get(picture).headers["content-type"] == "image/jpeg"
    bad = one.send(one.get(stop).form(f"{stop}/photos"), files={"photo": ("a.jpg", b"text", "image/jpeg")})
    assert bad.status == 415
    assert person(house, "doc").client.get(picture).status_code == 200
    assert person(house, "xa-khac").client.get(picture).status_code == 404
    assert one.client.get(picture.rpartition("/")[0] + "/999").status_code == 404


def test_a_quiet_test_is_one_press_and_its_answer_is_on_the_page(house: House) -> None:
    one = person(house, "tho")
    stop = stop_of(one, made(one))
    page = one.get(stop)
    assert "Thử im lặng" in one.send(page.form(f"{stop}/test")).text
    one.send(page.form(f"{stop}/test"))
    rows = one.get(f"{stop}/test/rows")
    assert rows.status == 200
    assert "Kiểm tra đường loa" in rows.text
    with house.ctx.db.read() as session:
        [command] = session.scalars(select(Command))
        [entry] = session.scalars(select(RoundEntry))
    assert (command.cluster_id, entry.command_id) == (BROKEN, command.id), "pressed twice, it is asked once"


def test_who_looks_after_the_area_reads_a_round_and_only_its_technician_writes(house: House) -> None:
    one, other = person(house, "tho"), person(house, "tho-hai")
    stop = stop_of(one, made(one))
    assert other.client.get(stop).status_code == 200
    assert [form for form in Page(other.client.get(stop)).forms if stop in form.action] == []


def test_of_a_batch_that_is_half_broken_the_other_half_is_taken_once(house: House) -> None:
    one = person(house, "tho")
    address = made(one)
    stop = stop_of(one, address).rpartition("/")[2]
    good = {"id": "phone-0001", "stop": stop, "kind": "check", "body": {"item": "cable", "seen": "no"}, "at_ms": 5}
    batch = [
        {"id": 7, "stop": None, "kind": {}, "body": "x", "at_ms": "1970"},
        good,
        good | {"id": "phone-0002", "at_ms": True},
        good | {"id": "phone-0003", "stop": "r-0-1"},
        {},
        good | {"id": "phone-0004", "stop": "\ud800"},
        good | {"id": "phone-0005", "kind": "note", "body": {"note": "\udfff"}},
        good | {"id": "phone-\ud800"},
    ]
    expected = [("", "refused"), ("phone-0001", "taken"), ("phone-0002", "taken"), ("phone-0003", "refused")]
    halves = [("phone-0004", "refused"), ("phone-0005", "refused"), ("", "refused")]
    assert send(one, address, {"entries": batch, "sent_ms": 100}) == [*expected, ("", "refused"), *halves]
    assert send(one, address, {"entries": [good]}) == [("phone-0001", "known")]
    token = {"x-form-token": one.token()}
    many = one.client.post(f"/api/v1{address}/entries", json={"entries": [good] * 101}, headers=token)
    assert many.status_code == 422
    other = person(house, "tho-hai")
    theirs = other.client.post(
        f"/api/v1{address}/entries", json={"entries": [good]}, headers={"x-form-token": other.token()}
    )
    assert theirs.status_code == 404
    with house.ctx.db.read() as session:
        assert len(session.scalars(select(RoundEntry)).all()) == 2


def test_the_api_makes_a_round_begins_and_ends_it_and_takes_a_photo_once(house: House) -> None:
    one = person(house, "tho")
    token = {"x-form-token": one.token()}
    body = {"key": "form-0001", "area": AREA, "routine": False}
    answers = [one.client.post("/api/v1/rounds", json=body, headers=token) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json()["id"] == answers[1].json()["id"]
    name = answers[0].json()["id"]
    [stop] = answers[0].json()["route"]
    assert (stop["cluster"], stop["faults"]) == (BROKEN, ["f-1"])
    assert one.client.post(f"/api/v1/rounds/{name}/start", headers=token).json()["state"] == "under_way"
    where = f"/api/v1/rounds/{name}/photos/phone-0001?stop={stop['id']}&which=after"
    told = [one.client.put(where, content=jpeg(), headers=token).json()["outcome"] for _ in range(2)]
    assert told == ["taken", "known"]
    bad = one.client.put(where.replace("0001", "0002"), content=b"<svg/>", headers=token).json()
    assert (bad["outcome"], bad["problems"][0]["key"]) == ("refused", "photo.unreadable")
    large = one.client.put(where.replace("0001", "0003"), content=b"\xff\xd8" + b"0" * 12_000_001, headers=token)
    assert large.status_code == 413
    assert one.client.post(f"/api/v1/rounds/{name}/finish", headers=token).json()["state"] == "over"
    assert one.client.post(f"/api/v1/rounds/{name}/start", headers=token).status_code == 409
    assert [each["id"] for each in one.client.get("/api/v1/rounds").json()] == [name]
    assert person(house, "tho-hai").client.get("/api/v1/rounds").json() == []
    assert person(house, "xa-khac").client.get("/api/v1/rounds?show=all").json() == []
    assert one.client.get("/api/v1/rounds?show=some").status_code == 422
