"""In, out, first password, language; and what every answer carries."""

from __future__ import annotations

import itertools
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient
from support.office import NOON, PASSWORD, House, open_house
from support.pages import Person, person

from controller.services.rights import Role
from controller.web.desk import safe_address

_NUMBERS = itertools.count()


@pytest.fixture
def newcomer(house: House) -> str:
    name = f"moi{next(_NUMBERS)}"
    house.add_user(name, Role.BROADCASTER, house.commune)
    return name


def test_a_wrong_name_and_a_wrong_password_are_answered_the_same(house: House) -> None:
    somebody = Person(house)
    wrong_password = somebody.log_in("phatthanh", "sai")
    wrong_name = somebody.log_in("khong-co-ai", "sai")
    assert wrong_password.status == wrong_name.status == 401
    sentence = "Tên đăng nhập hoặc mật khẩu không đúng"
    assert sentence in wrong_password.text
    assert sentence in wrong_name.text
    assert ("name", "khong-co-ai") in wrong_name.form("/login").fields


@pytest.mark.requirement("R-117")
def test_five_wrong_tries_lock_the_account_and_say_until_when(house: House, newcomer: str) -> None:
    somebody = Person(house)
    answers = [somebody.log_in(newcomer, "sai") for _ in range(5)]
    assert [page.status for page in answers] == [401] * 4 + [429]
    assert "bị khóa đến 00:00 ngày mai" in answers[-1].text
    assert somebody.log_in(newcomer).status == 429


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(tmp_path: Path) -> None:
    house = open_house(tmp_path, clusters=1, secure=True)
    somebody = Person(house, "https")
    form = somebody.get("/login").form("/login")
    fields = dict(form.fields) | {"name": "tinh", "password": PASSWORD}
    answer = somebody.client.post("/login", data=fields, follow_redirects=False)
    (cookie,) = [told for told in answer.headers.get_list("set-cookie") if "loa_visit" not in told]
    assert cookie.startswith("__Host-loa=")
    for word in ("HttpOnly", "Secure", "SameSite=lax", "Path=/", "Max-Age=43200"):
        assert word in cookie
    assert "Domain" not in cookie
    assert "max-age" in answer.headers["strict-transport-security"]


def test_after_logging_out_the_cookie_is_worth_nothing(house: House) -> None:
    somebody = person(house, "kythuat")
    held = dict(somebody.client.cookies)
    page = somebody.send(somebody.get("/more").form("/logout"))
    assert "Đăng nhập" in page.text
    thief = TestClient(house.app, cookies=held)
    assert thief.get("/", follow_redirects=False).headers["location"] == "/login"


def test_the_first_log_in_asks_for_a_password_of_ones_own(tmp_path: Path) -> None:
    house = open_house(tmp_path, clusters=1, fresh_passwords=True)
    once = house.seeded.passwords["phatthanh"]
    somebody = Person(house)
    page = somebody.log_in("phatthanh", once)
    assert "Bạn đang dùng mật khẩu một lần" in page.text
    assert "Bạn đang dùng mật khẩu một lần" in somebody.get("/clusters").text
    form = page.form("/password")
    for changed, sentence in (
        ({"new": "ngan", "again": "ngan"}, "ít nhất 14 ký tự"),
        ({"new": PASSWORD, "again": "khac"}, "không giống nhau"),
        ({"new": once, "again": once}, "phải khác"),
        ({"old": "sai", "new": PASSWORD, "again": PASSWORD}, "không đúng"),
    ):
        page = somebody.send(form, **{"old": once} | changed)
        assert (page.status, sentence in page.text) == (422, True)
    page = somebody.send(form, old=once, new=PASSWORD, again=PASSWORD)
    assert "Đã đổi mật khẩu" in page.text
    assert Person(house).log_in("phatthanh", once).status == 401


def test_after_log_in_one_is_where_one_wanted_to_go(house: House) -> None:
    somebody = Person(house)
    page = somebody.get("/clusters?show=trouble")
    page = somebody.send(page.form("/login"), name="kythuat", password=PASSWORD)
    assert "Cụm loa" in page.text
    assert any("show=trouble" in link for link in page.links)


@pytest.mark.parametrize("page", ["/broadcasts/new", "/broadcasts/lp-1/edit"])
def test_who_is_logged_out_while_typing_comes_back_to_the_form(house: House, page: str) -> None:
    stranger = TestClient(house.app, follow_redirects=False)
    login = "/login?next=" + quote(page, safe="")
    sent = stranger.post("/broadcasts", data={"title": "a"}, headers={"referer": f"http://localhost{page}"})
    assert sent.headers["location"] == login
    script = {"hx-request": "true", "hx-current-url": f"http://localhost{page}"}
    assert stranger.post("/broadcasts/preview", headers=script).headers["hx-redirect"] == login
    for other in ("http://localhost/logout", "http://localhost//example.com", "http://[", "", "x" * 5_000):
        assert stranger.post("/broadcasts", headers={"referer": other}).headers["location"] == "/login"


@pytest.mark.parametrize(
    "wanted", ["//example.com", "https://example.com", "/\\example.com", "javascript:alert(1)", "/a\nb", "", "/a\\b"]
)
def test_nobody_is_sent_to_another_site(wanted: str) -> None:
    assert safe_address(wanted) == "/"
    assert safe_address("/clusters?show=all") == "/clusters?show=all"


def test_the_language_is_kept_and_khmer_falls_back(house: House, newcomer: str) -> None:
    somebody = person(house, newcomer)
    form = somebody.get("/more").form("/language")
    assert "Sounding now" in somebody.send(form, language="en", next="/").text
    page = somebody.send(form, language="km", next="/")
    assert "ថ្ងៃនេះ" in page.text
    assert '<html lang="km">' in page.html
    assert "Hiện không cụm nào đang phát" in page.text
    assert "ថ្ងៃនេះ" in person(house, newcomer).get("/").text, "kept with the account"
    assert somebody.send(form, language="xx").status == 422


def test_a_request_from_a_page_of_another_site_is_refused_unread(house: House) -> None:
    somebody = person(house, "phatthanh")
    form = dict(somebody.get("/more").form("/logout").fields)
    for where in ("cross-site", "same-site"):
        answer = somebody.client.post("/logout", data=form, headers={"sec-fetch-site": where})
        assert answer.status_code == 403
    assert somebody.get("/").status == 200


def test_every_answer_carries_the_shield(house: House) -> None:
    somebody = person(house, "phatthanh")
    for path in ("/", "/login", "/khong-co", "/healthz", "/api/v1/clusters", "/static/0/app.css", "/u/assets/x"):
        headers = somebody.client.get(path).headers
        policy = headers["content-security-policy"]
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
        assert ("immutable" if path.startswith("/static") else "no-store") in headers["cache-control"]


def test_static_files_are_the_built_ones_only(house: House) -> None:
    client = TestClient(house.app)
    assert client.get("/static/0/app.js").headers["content-type"].startswith("text/javascript")
    for name in ("manifest.json", "..%2fapp.css", "%2e%2e/desk.py", "nothing.css"):
        assert client.get(f"/static/0/{name}").status_code == 404


def test_a_session_ends_after_twelve_hours(tmp_path: Path) -> None:
    house = open_house(tmp_path, clusters=1)
    somebody = person(house, "tinh")
    house.clock.set(NOON + timedelta(hours=12, minutes=1))
    assert "Đăng nhập" in somebody.get("/").text
