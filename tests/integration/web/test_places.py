"""Pages and API of places: saved groups, the map, what a cluster is, communes that merge."""

from __future__ import annotations

import json
import re
from datetime import date, timedelta

import pytest
from fastapi.testclient import TestClient
from support.office import PASSWORD, PROVINCE, House
from support.pages import Person, person

from controller.db.tables import Area, Asset, Cluster, UnitStatus
from controller.services.rights import Role

SHAPE = {"type": "Polygon", "coordinates": [[[105, 9], [107, 9], [107, 10], [105, 10], [105, 9]]]}
NOWHERE = {"type": "Polygon", "coordinates": [[[1, 1], [2, 1], [2, 2], [1, 1]]]}


@pytest.fixture(scope="module")
def author(house: House) -> Person:
    return person(house, "phatthanh")


@pytest.fixture(scope="module")
def chief(house: House) -> Person:
    house.add_user("quantri", Role.ADMINISTRATOR, PROVINCE[0])
    return person(house, "quantri")


@pytest.fixture
def api(house: House) -> TestClient:
    return TestClient(house.app, base_url="http://localhost/api/v1", headers={"accept-language": "vi"})


def test_a_group_is_made_changed_chosen_in_the_form_and_deleted(house: House, asset: Asset, author: Person) -> None:
    names = [cluster.id for cluster in house.clusters()]
    page = author.send(author.get("/groups/new").form("/groups"), name="Ven sông", clusters=names[:2])
    assert "Đã lưu nhóm" in page.text
    assert "2 cụm" in page.text
    again = author.send(author.get("/groups/new").form("/groups"), name="Ven sông", clusters=names[:1])
    assert again.status == 409
    assert "Đã có một nhóm tên Ven sông" in again.text
    empty = author.send(author.get("/groups/new").form("/groups"), name="Không có gì")
    assert "Chưa chọn nơi phát" in empty.text
    assert ("name", "Không có gì") in empty.form("/groups").fields, "what was typed is still there"
    (address,) = [link for link in page.links if re.fullmatch(r"/groups/g.+", link)]
    page = author.send(author.get(address).form(address), name="Ven sông lớn", clusters=names[:3], act="save")
    assert "Ven sông lớn" in page.text
    assert "3 cụm" in page.text
    told = {"title": "x", "asset": asset.sha256, "areas": None, "groups": address.rpartition("/")[2]}
    look = author.send(author.get("/broadcasts/new").form("/broadcasts"), act="preview", **told)
    assert "3 cụm" in look.text
    gone = author.send(author.get(address).forms[-1], act="drop")
    assert "Đã xóa nhóm" in gone.text
    assert author.get(address).status == 404


def test_the_map_has_a_point_for_each_cluster_and_says_in_words_and_shape_which_are_connected(
    house: House, author: Person
) -> None:
    with house.ctx.db.write() as session:
        session.merge(UnitStatus(unit_id="u-31615-1", connected=True, last_sign=house.clock.now()))
        session.get_one(Cluster, "cl-31615-5").latitude = None
    page = author.get("/map")
    assert len(re.findall('class="dot dot-on"', page.html)) == 1
    assert len(re.findall('class="dot dot-off"', page.html)) == 8
    assert "1 cụm chưa có vị trí trên bản đồ" in page.text
    assert "Cụm 5, Thị trấn Cù Lao Dung chưa có vị trí" in page.text
    assert "/clusters/cl-31615-1" in page.links, "the list says the same for the keyboard"
    with house.ctx.db.write() as session:
        session.get_one(Cluster, "cl-31615-5").latitude = 9.6


def test_a_shape_is_counted_by_the_server_with_and_without_script(house: House, author: Person) -> None:
    form = author.get("/map").form("/map")
    page = author.send(form, shape=json.dumps(SHAPE))
    assert "Trong vùng có 10 cụm, 20 loa" in page.text
    assert 'class="map-shape" d="M' in page.html
    assert "Trong vùng có 0 cụm" in author.send(form, shape=json.dumps(NOWHERE)).text
    assert author.send(form, shape="{").status == 422
    asked = {"hx-request": "true", "x-form-token": author.token()}
    piece = author.client.post("/map", data={"shape": json.dumps(SHAPE)}, headers=asked)
    assert "Trong vùng có 10 cụm" in piece.text
    assert "<html" not in piece.text
    assert "/groups/new" not in piece.text, "a form that is being filled in leads nowhere else"
    prefilled = author.get(f"/groups/new?shape={json.dumps(SHAPE)}").form("/groups")
    assert len([value for name, value in prefilled.fields if name == "clusters"]) == 10


def test_the_preview_names_clusters_and_never_their_numbers(house: House, asset: Asset, author: Person) -> None:
    """Where a priority bulletin cannot go, people read the name on the pole."""
    start = house.clock.now() + timedelta(hours=9)
    when = {"when": "once", "day": f"{start:%Y-%m-%d}", "time": f"{start:%H:%M}"}
    told = {"title": "Tin", "asset": asset.sha256, "areas": house.commune, "priority": "2", **when}
    approver = person(house, "lanhdao")
    author.send(author.get("/broadcasts/new").form("/broadcasts"), act="submit", **told)
    queue = approver.get("/approvals")
    (address,) = {link for link in queue.links if re.fullmatch(r"/approvals/lp.+", link)}
    approver.send(approver.get(address).form(address), decision="approve")
    page = author.send(
        author.get("/broadcasts/new").form("/broadcasts"), act="preview", routing="partial", **told | {"title": "Hai"}
    )
    line = next(each for each in re.findall(r"<p class=\"clash clash-loses\">.*?</p>", page.html) if "signpost" in each)
    assert "Cụm 1, Thị trấn Cù Lao Dung" in line
    assert "31615-1" not in line


def test_a_cluster_is_described_on_its_page_and_by_programs(house: House, api: TestClient) -> None:
    technician = person(house, "kythuat")
    name = house.clusters()[1].id
    address = f"/clusters/{name}/description"
    form = technician.get(f"/clusters/{name}").form(address)
    page = technician.send(form, languages=["km", "vi", ""], tags="chợ", hamlet="Ấp Chợ", site="pagoda")
    assert "Từ giờ phát Tiếng Khmer rồi Tiếng Việt" in page.text
    assert "Chùa" in page.text
    twice = technician.send(form, languages=["km", "km", ""], tags="bến")
    assert twice.status == 422
    assert ("tags", "bến") in twice.form(address).fields
    said = api.put(address, json={"languages": ["vi"], "tags": ["bến"]}, auth=("kythuat", PASSWORD))
    assert said.status_code == 204, said.text
    with house.ctx.db.read() as session:
        row = session.get_one(Cluster, name)
        assert (row.languages, row.tags, row.hamlet, row.site) == (["vi"], ["bến"], "Ấp Chợ", "pagoda")
    author = person(house, "phatthanh").get(f"/clusters/{name}")
    assert "hamlet" not in {field for field, _ in author.form(address).fields}, "who writes says what is heard, no more"


def test_who_saves_a_group_over_the_change_of_another_is_told_and_keeps_what_he_typed(
    house: House, author: Person, api: TestClient
) -> None:
    names = [cluster.id for cluster in house.clusters()]
    page = author.send(author.get("/groups/new").form("/groups"), name="Bến phà", clusters=names[:1])
    (address,) = [link for link in page.links if re.fullmatch(r"/groups/g.+", link)]
    mine, theirs = author.get(address).form(address), author.get(address).form(address)
    assert author.send(theirs, name="Bến phà", clusters=names[:2], act="save").status == 200
    late = author.send(mine, name="Bến phà cũ", clusters=names[3:4], act="save")
    assert late.status == 409
    assert "Có người vừa sửa nhóm này" in late.text
    assert ("name", "Bến phà cũ") in late.form(address).fields
    assert author.send(late.form(address), act="save").status == 409, "it is still not the newest"
    (read,) = [each for each in api.get("/groups", auth=("phatthanh", PASSWORD)).json() if each["name"] == "Bến phà"]
    assert read["clusters"] == sorted(names[:2])
    told = {"name": "Bến phà", "clusters": names[:1], "revision": read["revision"]}
    assert api.put(f"/groups/{read['id']}", json=told, auth=("phatthanh", PASSWORD)).status_code == 200
    again = api.put(f"/groups/{read['id']}", json=told | {"name": "Khác"}, auth=("phatthanh", PASSWORD))
    assert (again.status_code, again.json()["type"]) == (409, "urn:loa:error:group.changed")


def test_who_describes_a_cluster_over_the_change_of_another_is_told_and_keeps_what_he_typed(
    house: House, api: TestClient
) -> None:
    technician, name = person(house, "kythuat"), house.clusters()[2].id
    address = f"/clusters/{name}/description"
    asked = ("kythuat", PASSWORD)
    mine = technician.get(f"/clusters/{name}").form(address)
    read = api.get(address, auth=asked).json()
    told = {"languages": ["km", "vi"], "tags": ["bến"], "revision": read["revision"]}
    assert api.put(address, json=told, auth=asked).status_code == 204
    late = technician.send(mine, languages=["vi", "", ""], tags="chợ nổi")
    assert late.status == 409
    assert "Có người vừa sửa thông tin cụm này" in late.text
    assert ("tags", "chợ nổi") in late.form(address).fields
    assert technician.send(late.form(address)).status == 409
    again = api.put(f"/clusters/{name}/hearing", json={"languages": ["vi"], "revision": read["revision"]}, auth=asked)
    assert (again.status_code, again.json()["type"]) == (409, "urn:loa:error:cluster.changed")
    with house.ctx.db.read() as session:
        row = session.get_one(Cluster, name)
        assert (row.languages, row.tags) == (["km", "vi"], ["bến"])
    fresh = technician.get(f"/clusters/{name}").form(address)
    assert technician.send(fresh, languages=["vi", "", ""], tags="chợ nổi").status == 200


@pytest.mark.requirement("R-010", "R-011")
def test_programs_look_at_a_merger_before_they_do_it(house: House, api: TestClient, chief: Person) -> None:
    asked = ("quantri", PASSWORD)
    told = {"old": ["c-31618"], "name": "Xã Mới", "code": "31999", "day": "2026-03-10", "decision": "NQ 1"}
    seen = api.post("/areas/merge/preview", json=told, auth=asked)
    assert (seen.status_code, seen.json()["clusters"]) == (200, 5)
    looked = chief.send(chief.get("/areas/merge").form("/areas/merge"), act="preview", **(told | {"old": "c-31618"}))
    (unit,) = seen.json()["old"]
    assert {name: seen.json()[name] for name in ("name", "code", "day")} == {
        "name": "Xã Mới", "code": "31999", "day": "2026-03-10"
    }  # fmt: skip
    assert (unit["id"], unit["code"], unit["clusters"], len(unit["stations"])) == ("c-31618", "31618", 5, 1)
    assert f"{unit['name']} ({unit['code']}): 5 cụm, {unit['stations'][0]}" in looked.text, "as the page tells it"
    made = api.post("/areas/merge", json=told, auth=asked)
    assert made.status_code == 201, made.text
    found = api.get("/areas", params={"find": "an thanh 1", "on": "2026-03-10"}, auth=asked).json()
    assert [(row["id"], row["stands"], row["now"]) for row in found] == [
        (made.json()["id"], True, None),
        ("c-31618", False, "Xã Mới"),
    ]
    page = chief.get("/areas?find=31618")
    assert "Sẽ nhập vào đơn vị khác từ 10/03" in page.text
    missing = api.post("/areas/merge", json=told | {"decision": ""}, auth=asked)
    assert missing.status_code == 422


def test_an_edit_of_a_bulletin_for_a_commune_that_is_no_more_shows_it_and_says_where_it_went(
    house: House, asset: Asset, author: Person, chief: Person
) -> None:
    day = (house.clock.now() + timedelta(hours=7)).date().isoformat()
    told = {"title": "Tin cũ", "asset": asset.sha256, "areas": house.commune, "when": "daily", "time": "17:30"}
    page = author.send(author.get("/broadcasts/new").form("/broadcasts"), act="submit", day="2026-03-05", **told)
    assert page.status == 200, page.text
    edit = next(link for link in page.links if re.match(r"/broadcasts/lp.+/edit", link))
    merge = chief.get("/areas/merge").form("/areas/merge")
    wish = {"old": house.commune, "name": "Xã Cù Lao", "code": "31998", "day": day, "decision": "NQ 2"}
    seen = chief.send(merge, act="preview", **wish)
    assert "1 bản tin đang chờ duyệt ghi tên xã cũ" in seen.text
    assert "Đã nhập xã" in chief.send(seen.form("/areas/merge"), act="save").text
    form = author.get(edit)
    assert "không còn từ" in form.text
    assert "Trước đây: Thị trấn Cù Lao Dung" in form.text
    refused = author.send(form.form("/broadcasts"), act="submit")
    assert refused.status == 422
    assert "nay thuộc Xã Cù Lao" in refused.text


def test_a_merger_is_undone_from_the_page_of_areas(house: House, api: TestClient, chief: Person) -> None:
    asked = ("quantri", PASSWORD)
    every = api.get("/areas", params={"on": "2026-03-20"}, auth=asked).json()
    made = next(row["id"] for row in every if row["name"] == "Xã Mới")
    page = chief.get("/areas")
    assert f"/areas/{made}/undo" in page.links
    seen = chief.get(f"/areas/{made}/undo")
    assert "Xã Mới coi như chưa từng có" in seen.text
    facts = api.get(f"/areas/{made}/undo", auth=asked).json()
    (unit,) = facts["units"]
    assert (facts["name"], facts["old"]) == ("Xã Mới", [unit["id"]])
    assert f"{unit['name']} ({unit['code']}): {unit['clusters']} cụm, {unit['stations'][0]}" in seen.text
    assert {row["id"] for row in every if row["may_undo"]} >= {made}
    assert not any(row["undone"] for row in every)
    refused = chief.send(seen.form(f"/areas/{made}/undo"), decision="")
    assert refused.status == 422
    assert "Đã hủy việc nhập xã." in chief.send(refused.form(f"/areas/{made}/undo"), decision="Nhập nhầm").text
    gone = chief.get(f"/areas/{made}/undo")
    assert gone.status == 422
    found = api.get("/areas", params={"find": "31618", "on": "2026-03-20"}, auth=asked).json()
    assert [(row["id"], row["stands"]) for row in found] == [("c-31618", True)]
    assert api.post(f"/areas/{made}/undo", json={"decision": "Lần nữa"}, auth=asked).status_code == 422
    later = api.get("/areas", params={"on": "2026-03-20"}, auth=asked).json()
    assert [row["id"] for row in later if row["undone"]] == [made]


@pytest.mark.requirement("R-010")
def test_the_district_level_ends_from_a_page_after_a_look_or_by_a_program(
    house: House, api: TestClient, chief: Person
) -> None:
    begun = date(2000, 1, 1)
    with house.ctx.db.write() as session:
        session.add(Area(id="d-1", parent_id="p-94", kind="district", name="Huyện Một", code="640", valid_from=begun))
        session.flush()
        session.get_one(Area, "c-31618").parent_id = "d-1"
    assert "/areas/districts" in chief.get("/areas").links
    wish = {"day": "2026-03-10", "decision": "NQ 203/2025/QH15"}
    told = api.post("/areas/districts/preview", json=wish, auth=("quantri", PASSWORD))
    assert (told.status_code, told.json()["districts"]) == (200, {"d-1": ["c-31618"]})
    form = chief.get("/areas/districts").form("/areas/districts")
    assert "Hãy ghi ngày đầu tiên" in chief.send(form, act="preview", day="", decision="NQ").text
    seen = chief.send(form, act="preview", **wish)
    assert "1 huyện hết hiệu lực" in seen.text
    (ends,) = told.json()["ends"]
    assert (told.json()["day"], told.json()["communes"]) == ("2026-03-10", 1)
    assert (ends["id"], ends["name"], ends["code"], ends["communes"]) == ("d-1", "Huyện Một", "640", ["c-31618"])
    assert f"{ends['name']} ({ends['code']})" in seen.text
    assert (ends["parent"] in seen.text, f"{ends['clusters']} cụm" in seen.text) == (True, True)
    assert "Đã bỏ cấp huyện." in chief.send(seen.form("/areas/districts"), act="save").text
    with house.ctx.db.read() as session:
        assert session.get_one(Area, "c-31618").parent_id == "p-94"
    again = api.post("/areas/districts/end", json=wish, auth=("quantri", PASSWORD))
    assert (again.status_code, again.json()["type"]) == (422, "urn:loa:error:districts.none")
