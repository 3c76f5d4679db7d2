"""An act that wants a fresh code: the page asks for it and then does what was handed in, with nothing lost."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pyotp
import pytest
from fastapi.responses import Response
from fastapi.testclient import TestClient
from sqlalchemy import select
from support.office import AT_EASE, PASSWORD, House, open_house
from support.pages import Page, Person

from broadcasts.errors import Refused
from controller.db.tables import Delegation, OwnException
from controller.services.rights import Role
from controller.web.desk import PersonForm

COMMUNE, STATION = "c-31615", "s-31615"
FRESH = "Mot-cau-khac-hon-2026"


@pytest.fixture(scope="module")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> House:
    """Closed again: each test moves into a copy."""
    found = open_house(tmp_path_factory.mktemp("furnished"), clusters=5)
    found.add_user("xa-truong", Role.APPROVER, COMMUNE)
    found.add_user("xa-pho", Role.BROADCASTER, COMMUNE)
    found.add_user("tinh-quantri", Role.ADMINISTRATOR, "p-94")
    found.ctx.db.close()
    return found


@pytest.fixture
def house(furnished: House, tmp_path: Path) -> Iterator[House]:
    found = open_house(tmp_path / "house", rules=replace(AT_EASE, second_factor=True), like=furnished)
    yield found
    found.ctx.db.close()


class WithApp(Person):
    """Somebody with an authenticator app."""

    def __init__(self, house: House, name: str) -> None:
        super().__init__(house)
        page = self.log_in(name)
        secret = re.search(r"<code[^>]*>([A-Z2-7]{32})</code>", page.html)
        assert secret, page.text
        self.app = pyotp.TOTP(secret.group(1))
        self.send(page.form("/second-factor"), code=self.code)

    @property
    def code(self) -> str:
        return self.app.at(self.house.clock.now())


def lend(who: Person, house: House, **changed: str) -> Page:
    until = (house.clock.now() + timedelta(days=3)).date().isoformat()
    told = {"to": "xa-pho", "reason": 'Đi họp "tỉnh" <3', "until": until} | changed
    return who.send(who.get("/delegations").form("/delegations"), **told)


def lent(house: House) -> list[str]:
    with house.ctx.db.read() as session:
        return [row.reason for row in session.scalars(select(Delegation))]


@pytest.mark.requirement("R-115")
def test_the_page_asks_for_a_code_and_then_does_what_was_handed_in(house: House) -> None:
    boss = WithApp(house, "xa-truong")
    house.clock.advance(20 * 60)
    page = lend(boss, house)
    assert (page.status, lent(house)) == (403, [])
    assert "đã quá 15 phút" in page.text
    form = page.form("/delegations")
    assert dict(form.fields)["reason"] == 'Đi họp "tỉnh" <3'
    wrong = boss.send(form, fresh_code="000000")
    assert (wrong.status, "đã quá" in wrong.text, lent(house)) == (422, False, [])
    done = boss.send(wrong.form("/delegations"), fresh_code=boss.code)
    assert (done.status, lent(house)) == (200, ['Đi họp "tỉnh" <3'])
    assert "Đã ủy quyền" in done.text
    again = boss.send(wrong.form("/delegations"), fresh_code=boss.code)
    assert "Đã có ủy quyền" in again.text, "a double click asks for no second code"


def test_what_is_refused_anyway_asks_nobody_for_a_code(house: House) -> None:
    boss = WithApp(house, "xa-truong")
    house.clock.advance(20 * 60)
    page = lend(boss, house, reason=" ")
    assert "lý do" in page.text.lower()
    assert "fresh_code" not in page.html


def test_a_fresh_code_in_a_foreign_form_opens_nothing(house: House) -> None:
    boss = WithApp(house, "xa-truong")
    house.clock.advance(20 * 60)
    form = lend(boss, house).form("/delegations")
    code = boss.code
    assert boss.send(form, fresh_code=code, form_token="x").status == 403
    assert boss.send(form, fresh_code=code).status == 200, "the code was not used up by it"


def test_an_administrator_is_asked_before_an_exception_is_granted(house: House) -> None:
    admin = WithApp(house, "tinh-quantri")
    house.clock.advance(20 * 60)
    until = (house.clock.now() + timedelta(days=30)).date().isoformat()
    form = admin.get("/exceptions").form("/exceptions")
    page = admin.send(form, station=STATION, number="07/QĐ", reason="Một cán bộ", until=until)
    assert page.status == 403
    page = admin.send(page.form("/exceptions"), fresh_code=admin.code)
    assert "Đã cho phép ngoại lệ" in page.text
    with house.ctx.db.read() as session:
        assert session.scalars(select(OwnException.number)).all() == ["07/QĐ"]


def test_a_program_hears_the_key_gives_a_code_and_asks_again(house: House) -> None:
    boss = WithApp(house, "xa-truong")
    house.clock.advance(60)
    client = TestClient(house.app)
    login = {"name": "xa-truong", "password": PASSWORD, "code": boss.code}
    bearer = {"authorization": f"Bearer {client.post('/api/v1/sessions', json=login).json()['token']}"}
    house.clock.advance(20 * 60)
    until = (house.clock.now() + timedelta(days=3)).isoformat()
    told = {"to": "xa-pho", "area": COMMUNE, "until": until, "reason": "Đi họp"}
    refused = client.post("/api/v1/delegations", json=told, headers=bearer)
    assert (refused.status_code, refused.json()["title"]) == (403, "second_factor.again")
    assert refused.json()["fields"] == {"minutes": "15"}
    wrong = client.post("/api/v1/second-factor/give", json={"code": "000000"}, headers=bearer)
    assert wrong.json()["title"] == "code.wrong"
    assert client.post("/api/v1/second-factor/give", json={"code": boss.code}, headers=bearer).status_code == 204
    assert client.post("/api/v1/delegations", json=told, headers=bearer).status_code == 201


def hard(desk: PersonForm) -> Response:
    """A page that knows nothing of codes."""
    ctx = desk.office.ctx
    desk.actor.freshly(ctx.wall.now(), ctx.people.fresh_code)
    return desk.page("error.html", error=Refused("page.unknown"), status_code=200, told=desk.posted.get("word"))


def test_a_page_that_knows_nothing_of_it_is_helped_too_and_one_asked_by_a_script(house: House) -> None:
    house.app.add_api_route("/thu", hard, methods=["POST"])
    boss = WithApp(house, "xa-truong")
    house.clock.advance(20 * 60)
    told = {"form_token": boss.token(), "word": ["một", "hai"]}
    page = Page(boss.client.post("/thu?x=1", data=told, headers={"referer": "http://localhost/more"}))
    form = page.form("/thu?x=1")
    assert [value for name, value in form.fields if name == "word"] == ["một", "hai"]
    assert 'href="/more"' in page.html
    piece = boss.client.post("/thu?x=1", data=told, headers={"hx-request": "true"})
    assert piece.headers["hx-retarget"] == "#main"
    assert boss.send(form, fresh_code=boss.code).status == 200
    outside = boss.client.post("/thu", data=told | {"fresh_code": "x"}, headers={"referer": "//elsewhere//evil"})
    assert outside.status_code == 200, "fresh already: no code is looked at"


def test_a_page_without_a_readable_address_is_left_for_home(house: House) -> None:
    house.app.add_api_route("/thu", hard, methods=["POST"])
    boss = WithApp(house, "xa-truong")
    house.clock.advance(20 * 60)
    found = boss.client.post("/thu", data={"form_token": boss.token()}, headers={"referer": "http://[/more"})
    assert found.status_code == 403
    assert '<a href="/">' in found.text


def test_a_form_with_a_password_in_it_is_never_kept(house: House) -> None:
    boss = WithApp(house, "xa-truong")
    house.clock.advance(20 * 60)
    for address, fields in (
        ("/password", {"old": PASSWORD, "new": FRESH, "again": "khác"}),
        ("/second-factor", {"act": "codes", "code": PASSWORD}),
        ("/login", {"name": "xa-truong", "password": PASSWORD + "x"}),
    ):
        told = fields | {"form_token": boss.token(), "fresh_code": "000000"}
        found = boss.client.post(address, data=told)
        assert PASSWORD not in found.text
        assert FRESH not in found.text
