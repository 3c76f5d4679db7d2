"""The same use cases for programs: name and password, JSON, problems by key."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient
from support import audio
from support.office import PASSWORD, House
from support.pages import person

from broadcasts.errors import Conflict, Fault, LoaError, Refused
from controller.api.errors import STATUS, status_of
from controller.services import accounts

AUTHOR, APPROVER = ("phatthanh", PASSWORD), ("lanhdao", PASSWORD)


@pytest.fixture
def client(house: House) -> TestClient:
    return TestClient(house.app, base_url="http://localhost/api/v1", headers={"accept-language": "vi"})


def draft(house: House, asset: str, **changed: Any) -> dict[str, Any]:
    told: dict[str, Any] = {
        "title": "Từ chương trình",
        "asset": asset,
        "areas": [house.commune],
        "first_day": "2026-03-03",
    }
    return told | {"at": "18:00"} | changed


def test_a_program_does_all_that_the_pages_do(house: House, client: TestClient) -> None:
    added = client.post("/recordings?name=a.wav", content=audio.tone(5.0, hz=330.0), auth=AUTHOR)
    assert added.status_code == 201, added.text
    asset = added.json()["sha256"]
    seen = client.post("/broadcasts/preview", json=draft(house, asset), auth=AUTHOR).json()
    assert (len(seen["clusters"]), seen["horns"], seen["problems"]) == (5, 10, [])
    assert seen["starts"] == ["2026-03-03T11:00:00Z"]
    made = client.post("/broadcasts", json=draft(house, asset), auth=AUTHOR)
    assert made.status_code == 201, made.text
    address = f"/broadcasts/{made.json()['id']}"
    edited = client.put(address, json=draft(house, asset, title="Sửa", revision=1), auth=AUTHOR).json()
    assert (edited["revision"], edited["status"]) == (2, "submitted")
    stale = client.post(f"{address}/approve", json={"seen": made.json()["seen"]}, auth=APPROVER)
    assert (stale.status_code, stale.json()["title"]) == (409, "broadcast.changed")
    done = client.post(f"{address}/approve", json={"seen": edited["seen"]}, auth=APPROVER)
    assert done.json()["status"] == "approved"
    rows = client.get(f"{address}/deliveries", auth=AUTHOR).json()
    assert [(row["state"], row["verdict"]) for row in rows] == [("planned", None)] * 5
    listed = client.get("/broadcasts?status=approved", auth=AUTHOR).json()
    assert made.json()["id"] in [slip["id"] for slip in listed]
    assert client.post(f"{address}/withdraw", auth=AUTHOR).json()["status"] == "withdrawn"
    clusters = client.get("/clusters", auth=APPROVER).json()
    assert len(clusters) == 10
    assert client.get(f"/clusters/{clusters[0]['id']}", auth=APPROVER).json() == clusters[0]


def test_an_edit_of_what_has_sounded_answers_with_the_broadcast_that_waits_now(
    house: House, client: TestClient
) -> None:
    added = client.post("/recordings?name=a.wav", content=audio.tone(5.0, hz=440.0), auth=AUTHOR).json()
    daily = draft(house, added["sha256"], repeat="daily")
    made = client.post("/broadcasts", json=daily, auth=AUTHOR).json()
    address = f"/broadcasts/{made['id']}"
    client.post(f"{address}/approve", json={"seen": made["seen"]}, auth=APPROVER)
    house.clock.advance(7 * 3600)
    edited = client.put(address, json=daily | {"title": "Tên mới", "revision": 1}, auth=AUTHOR).json()
    assert edited["id"] != made["id"]
    assert (edited["title"], edited["status"]) == ("Tên mới", "submitted")
    assert client.get(address, auth=AUTHOR).json()["title"] == "Từ chương trình"


def test_a_problem_has_a_key_for_programs_and_a_sentence_for_people(house: House, client: TestClient) -> None:
    answer = client.post("/broadcasts", json=draft(house, "0" * 64), auth=AUTHOR)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    told = answer.json()
    assert (told["type"], told["status"]) == ("urn:loa:error:asset.missing", 422)
    assert told["detail"].startswith("Chưa có bản ghi")
    english = client.post(
        "/broadcasts", json=draft(house, "0" * 64), auth=AUTHOR, headers={"accept-language": "de"}
    ).json()
    assert english["detail"].startswith("No recording yet")


@pytest.mark.parametrize(
    "changed", [{"asset": "short"}, {"at": "25:00"}, {"unknown": 1}, {"first_day": "9999-01-01"}, {"language": "xx!"}]
)
def test_json_that_does_not_fit_says_where(house: House, client: TestClient, changed: dict[str, Any]) -> None:
    answer = client.post("/broadcasts", json=draft(house, "0" * 64) | changed, auth=AUTHOR)
    assert answer.status_code == 422
    assert answer.json()["title"] == "request.invalid"
    assert next(iter(changed)) in answer.json()["detail"]


def test_an_upload_beyond_the_limit_is_cut_off_on_the_way(house: House, client: TestClient) -> None:
    answer = client.post("/recordings", content=b"RIFF" + b"\0" * 3_100_000, auth=AUTHOR)
    assert (answer.status_code, answer.json()["title"]) == (413, "audio.too_large")
    assert list(house.office.upload_folder.glob("*")) == []


def test_a_program_needs_a_password_of_its_own_and_the_right_one(house: House, client: TestClient) -> None:
    house.add_user("chuongtrinh", house.actor("phatthanh").roles[0], house.commune)
    once = accounts.reset_password(house.ctx, "chuongtrinh", "test")
    assert client.get("/clusters", auth=("chuongtrinh", once)).json()["title"] == "password.first"
    tries = [client.get("/clusters", auth=("chuongtrinh", "sai")).status_code for _ in range(5)]
    assert tries == [401, 401, 401, 401, 429]
    assert client.get("/clusters", auth=("chuongtrinh", once)).status_code == 429
    nobody = client.get("/clusters")
    assert nobody.status_code == 401
    assert "basic" not in nobody.headers["www-authenticate"].lower(), "a browser would open a window for it"


def test_metrics_are_for_the_province_or_the_bearer_of_the_token(house: House) -> None:
    stranger = TestClient(house.app)
    assert stranger.get("/metrics").status_code == 401
    for token in ("", "wrong"):
        assert stranger.get("/metrics", headers={"authorization": f"Bearer {token}"}).status_code == 401
    answer = stranger.get("/metrics", headers={"authorization": "Bearer mot-ma-dai-du-de-thu"})
    assert (answer.status_code, answer.text.splitlines()[-1]) == (200, "loa_units 10")
    assert answer.headers["content-encoding"] == "gzip", "as Prometheus asks for it"
    plain = {"authorization": "Bearer mot-ma-dai-du-de-thu", "accept-encoding": "identity"}
    assert "content-encoding" not in stranger.get("/metrics", headers=plain).headers
    assert person(house, "tinh").client.get("/metrics").status_code == 200
    assert person(house, "kythuat").client.get("/metrics").status_code == 403


def test_being_there_is_all_that_healthz_tells(house: House) -> None:
    assert TestClient(house.app).get("/healthz").text == "ok\n"


def test_every_failure_has_a_status_by_its_family() -> None:
    assert status_of(Refused("something.new")) == 422
    assert status_of(Conflict("something.new")) == 409
    assert status_of(Fault("something.new")) == 500
    assert status_of(LoaError("something.new")) == 422
    assert all(400 <= status < 600 for status in STATUS.values())
