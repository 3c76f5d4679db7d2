"""People, their roles and the audit log on the pages; one's own account."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import pyotp
import pytest
from fastapi.testclient import TestClient
from support.office import AT_EASE, PASSWORD, House, open_house
from support.pages import Person, person

from controller.services.rights import Role
from controller.services.seeding import PROVINCE


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    found = open_house(tmp_path_factory.mktemp("house"), clusters=5, rules=replace(AT_EASE, second_factor=True))
    found.add_user("quantri", Role.ADMINISTRATOR, PROVINCE[0])
    found.add_user("kiemtra", Role.AUDITOR, PROVINCE[0])
    yield found
    found.ctx.db.close()


@pytest.mark.requirement("R-112")
def test_an_administrator_invites_somebody_who_sets_a_password_and_a_second_factor(house: House) -> None:
    admin = person(house, "quantri")
    page = admin.send(
        admin.get("/people/new").form("/people/new"),
        full_name="Trần Thị Mới",
        name="tran.moi",
        role="approver",
        area=house.commune,
    )
    link = re.search(r"http://localhost(/invitations/[\w-]+)", page.text)
    assert link, page.text
    assert link.group(1) not in admin.get("/people").html
    newcomer = Person(house)
    form = newcomer.get(link.group(1)).form(link.group(1))
    assert "không giống nhau" in newcomer.send(form, new=PASSWORD, again="khac").text
    page = newcomer.send(form, new=PASSWORD, again=PASSWORD)
    assert "Vai trò của bạn cần xác thực hai lớp" in page.text
    assert 'src="data:image/svg+xml' in page.html
    secret = re.search(r"<code[^>]*>([A-Z2-7]{32})</code>", page.html)
    assert secret
    app = pyotp.TOTP(secret.group(1))
    assert newcomer.send(page.form("/second-factor"), code="12").status == 422
    page = newcomer.send(page.form("/second-factor"), code=app.at(house.clock.now()))
    codes = re.findall(r"<code>((?:[a-z0-9]{4}-){3}[a-z0-9]{4})</code>", page.html)
    assert len(codes) == 10
    assert newcomer.get("/approvals").status == 200
    assert newcomer.get(link.group(1)).status == 404
    house.clock.advance(60)
    again = Person(house)
    page = again.log_in("tran.moi")
    assert "Mã xác thực" in page.text
    assert "Mã xác thực" in again.get("/approvals").text, "the password alone opens nothing"
    assert again.send(page.form("/code"), code=codes[0]).status == 200
    assert again.get("/approvals").status == 200


def test_the_pages_say_in_words_why_a_role_is_not_given(house: House) -> None:
    admin = person_again(house, "quantri")
    author = house.actor("phatthanh").id
    form = admin.get(f"/people/{author}").forms[-1]
    page = admin.send(form, act="grant", role="approver", area=house.commune)
    assert (page.status, "cả hai vai trò này" in page.text) == (403, True)
    page = admin.send(form, act="disable", reason="")
    assert (page.status, "lý do" in page.text.lower()) == (422, True)
    own = admin.get(f"/people/{house.actor('quantri').id}")
    assert "Đây là tài khoản của bạn" in own.text


def person_again(house: House, name: str) -> Person:
    """Another session of somebody who has an authenticator app: here the app is forgotten and set up anew."""
    from controller.db.tables import User
    from controller.services import factors

    with house.ctx.db.write() as session:
        factors.forget(session, session.get_one(User, house.actor(name).id))
    return person(house, name)


@pytest.mark.requirement("R-104")
def test_an_auditor_finds_who_did_what_when_and_where(house: House) -> None:
    auditor = person(house, "kiemtra")
    page = auditor.get(f"/audit?act=user.create&about={house.actor('kythuat').id}")
    assert all(word in page.text for word in ("user.create", "seed", "kythuat", "Tỉnh Sóc Trăng"))
    assert "login" not in page.text
    assert "Không có dòng nào" in auditor.get("/audit?actor=khong-co-ai").text
    assert auditor.get("/audit?since=nonsense").status == 422
    assert auditor.get("/audit?before=99999999999999999999&actor=%00").status == 200
    assert person_again(house, "quantri").get("/audit").status == 403


def test_one_sees_where_one_is_logged_in_and_ends_it(house: House) -> None:
    first, second = person(house, "kythuat"), person(house, "kythuat")
    page = second.get("/sessions")
    (form,) = [form for form in page.forms if form.action.endswith("/end")]
    second.send(form)
    assert first.get("/clusters").text.startswith("Đăng nhập") or "Mật khẩu" in first.get("/clusters").text
    assert second.get("/clusters").status == 200


@pytest.mark.requirement("R-115")
def test_a_program_opens_a_session_with_password_and_code(house: House) -> None:
    person_again(house, "lanhdao")
    client = TestClient(house.app)
    told = {"name": "phatthanh", "password": PASSWORD}
    token = client.post("/api/v1/sessions", json=told).json()
    assert token["owes"] == ""
    bearer = {"authorization": f"Bearer {token['token']}"}
    (this,) = client.get("/api/v1/sessions", headers=bearer).json()
    assert client.get("/api/v1/broadcasts", headers=bearer).status_code == 200
    assert client.delete(f"/api/v1/sessions/{this['id']}", headers=bearer).status_code == 200
    assert client.get("/api/v1/broadcasts", headers=bearer).status_code == 401
    refused = client.get("/api/v1/broadcasts", auth=("lanhdao", PASSWORD))
    assert (refused.status_code, refused.json()["title"]) == (403, "second_factor.session")
    half = client.post("/api/v1/sessions", json={"name": "lanhdao", "password": PASSWORD}).json()
    assert half["owes"] == "code"
    refused = client.get("/api/v1/broadcasts", headers={"authorization": f"Bearer {half['token']}"})
    assert refused.json()["title"] == "code.first"
    refused = client.post("/api/v1/password", auth=("lanhdao", PASSWORD), json={"new": PASSWORD + "x"})
    assert refused.json()["title"] == "second_factor.session"


def test_an_administrator_does_the_same_by_the_api(house: House) -> None:
    client = person_again(house, "quantri").client
    token = re.search(r'data-token="([^"]+)"', client.get("/more").text)
    assert token
    head = {"x-form-token": token.group(1)}
    told = {"name": "le.api", "full_name": "Lê", "role": "technician", "area": house.commune}
    made = client.post("/api/v1/people", json=told, headers=head).json()
    one = client.get(f"/api/v1/people/{made['id']}").json()
    assert (one["invited"], [grant["role"] for grant in one["grants"]]) == (True, ["technician"])
    address = f"/api/v1/people/{made['id']}"
    grown = client.post(f"{address}/grants", json={"role": "broadcaster", "area": house.commune}, headers=head).json()
    assert len(grown["grants"]) == 2
    left = client.delete(f"{address}/grants/{grown['grants'][0]['id']}", headers=head).json()
    assert [grant["role"] for grant in left["grants"]] == ["broadcaster"]
    off = client.post(f"{address}/acts/disable", json={"reason": "thử"}, headers=head).json()
    assert off["disabled"]
    assert {line["name"] for line in client.get("/api/v1/people").json()} >= {"le.api", "quantri"}
