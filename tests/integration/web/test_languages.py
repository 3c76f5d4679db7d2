"""A second language, whose bulletin it is, and targets beyond areas: on the form and in the API."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import func, select
from support.audio import tone
from support.office import PASSWORD, House
from support.pages import person

from controller.db.tables import Asset, Broadcast, Cluster
from controller.services.approving import draft_of

AUTHOR = ("phatthanh", PASSWORD)
SHAPE = {"type": "Polygon", "coordinates": [[[105, 9], [107, 9], [107, 10], [105, 10], [105, 9]]]}


@pytest.fixture
def api(house: House) -> TestClient:
    return TestClient(house.app, base_url="http://localhost/api/v1", headers={"accept-language": "vi"})


def newest(house: House) -> Broadcast:
    with house.ctx.db.read() as session:
        order = (func.length(Broadcast.id).desc(), Broadcast.id.desc())
        return session.scalars(select(Broadcast).order_by(*order)).all()[0]


def test_an_officer_adds_a_language_and_an_edit_keeps_all_that_was_said(house: House, asset: Asset) -> None:
    with house.ctx.db.write() as session:
        cluster = session.scalars(select(Cluster).order_by(Cluster.id)).first()
        assert cluster is not None
        cluster.languages = ["km", "vi"]
    author = person(house, "phatthanh")
    told: dict[str, Any] = {
        "title": "Tin hai thứ tiếng",
        "asset": asset.sha256,
        "areas": [house.commune],
        "when": "once",
        "day": "2026-03-05",
        "time": "17:00",
        "origin": "provincial",
        "source": "Sở Y tế",
        "issued": "2026-03-01T08:00",
        "category": "disaster",
        "tags": "chợ",
        "shape": json.dumps(SHAPE),
        "also_later": "1",
    }
    second = {"second": "km", "second_title": "ព័ត៌មាន", "second_text": "ជម្រាប"}
    page = author.send(author.get("/broadcasts/new").form("/broadcasts"), **told, act="preview")
    assert "chưa có bản Tiếng Khmer" in page.text
    files = {"second_recording": ("km.wav", tone(4.0, hz=550.0), "audio/wav")}
    page = author.send(page.form("/broadcasts"), files=files, **second, act="upload")
    assert "Tiếng Khmer rồi Tiếng Việt" in page.text
    assert "ព័ត៌មាន" in page.text
    page = author.send(page.form("/broadcasts"), act="submit")
    assert page.status == 200, page.text
    first = newest(house)
    author.send(author.get(f"/broadcasts/{first.id}/edit").form("/broadcasts"), title="Sửa", act="submit")
    with house.ctx.db.read() as session:
        row = session.get_one(Broadcast, first.id)
        draft = draft_of(session, row, frozen=False)
    assert (row.revision, draft.title) == (2, "Sửa")
    assert [(each.language, each.title, each.text) for each in draft.more] == [("km", "ព័ត៌មាន", "ជម្រាប")]
    assert (draft.origin, draft.source, draft.category) == ("provincial", "Sở Y tế", "disaster")
    assert draft.issued_at is not None
    assert draft.issued_at.isoformat() == "2026-03-01T01:00:00+00:00"
    assert (draft.tags, draft.also_later, len(draft.polygon[0])) == (("chợ",), True, 4)
    decision = person(house, "lanhdao").get(f"/approvals/{first.id}").text
    for words in ("ជម្រាប", "Sở Y tế", "Thiên tai", "Cả các cụm được thêm sau này"):
        assert words in decision


def test_a_shape_that_cannot_be_read_is_said_and_nothing_is_handed_in(house: House, asset: Asset) -> None:
    before = newest(house).id
    author = person(house, "phatthanh")
    told = {"title": "x", "asset": asset.sha256, "areas": [house.commune], "shape": "{", "act": "submit"}
    page = author.send(author.get("/broadcasts/new").form("/broadcasts"), **told)
    assert "Không đọc được vùng trên bản đồ" in page.text
    assert newest(house).id == before


def test_programs_say_the_same_and_keep_groups(house: House, asset: Asset, api: TestClient) -> None:
    names = [cluster.id for cluster in house.clusters()][:2]
    made = api.post("/groups", json={"name": "Nhóm chợ", "clusters": names}, auth=AUTHOR)
    assert made.status_code == 201, made.text
    group = made.json()
    assert api.get("/groups", auth=AUTHOR).json() == [group]
    assert api.put(f"/clusters/{names[1]}/hearing", json={"languages": ["km"]}, auth=AUTHOR).status_code == 204
    draft = {
        "title": "Tin",
        "asset": asset.sha256,
        "groups": [group["id"]],
        "first_day": "2026-03-05",
        "at": "18:00",
        "more": [{"language": "km", "asset": asset.sha256}],
        "also_later": True,
    }
    seen = api.post("/broadcasts/preview", json=draft, auth=AUTHOR).json()
    assert (seen["clusters"], seen["problems"]) == (names, [])
    assert ["km"] in [each["languages"] for each in seen["hearing"]]
    everywhere = api.post("/broadcasts/preview", json=draft | {"polygon": SHAPE}, auth=AUTHOR).json()
    assert len(everywhere["clusters"]) == len(house.clusters())
    wrong = api.post("/broadcasts/preview", json=draft | {"polygon": {}}, auth=AUTHOR)
    assert (wrong.status_code, wrong.json()["type"]) == (422, "urn:loa:error:target.polygon")
    changed = api.put(f"/groups/{group['id']}", json={"name": "Nhóm", "clusters": names[:1]}, auth=AUTHOR).json()
    assert (changed["name"], changed["clusters"]) == ("Nhóm", names[:1])
    assert api.post(f"/groups/{group['id']}/drop", auth=AUTHOR).status_code == 204
    assert api.get("/groups", auth=AUTHOR).json() == []
