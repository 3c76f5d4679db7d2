"""Who may open what: a table of every route, and a test that no route is missing from it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from support.office import PASSWORD, House, give_password
from support.pages import Person, person

from controller.db.tables import Asset
from controller.services import accounts
from controller.services.approving import approve, look_at
from controller.services.composing import submit
from controller.services.rights import Role
from controller.services.views.broadcast import proof

SELF = "c-31615"
ELSEWHERE = "c-31618"
OPEN, ALL = "anybody", "broadcaster approver technician province"
FORM = 422
"""The form came through and was found wanting: whoever sees this has passed the door."""

TABLE: dict[tuple[str, str], tuple[str, int]] = {
    ("GET", "/healthz"): (OPEN, 200),
    ("GET", "/static/{mark}/{name}"): (OPEN, 200),
    ("GET", "/login"): (OPEN, 200),
    ("POST", "/login"): (OPEN, 401),
    ("POST", "/language"): (OPEN, 422),
    ("GET", "/password"): (ALL, 200),
    ("POST", "/password"): (ALL, FORM),
    ("POST", "/logout"): (ALL, 303),
    ("GET", "/code"): (ALL, 303),
    ("POST", "/code"): (ALL, 303),
    ("GET", "/second-factor"): (ALL, 200),
    ("POST", "/second-factor"): (ALL, FORM),
    ("GET", "/sessions"): (ALL, 200),
    ("POST", "/sessions/{session_id}/end"): (ALL, 404),
    ("GET", "/invitations/{code}"): (OPEN, 404),
    ("POST", "/invitations/{code}"): (OPEN, 404),
    ("GET", "/"): (ALL, 200),
    ("GET", "/more"): (ALL, 200),
    ("GET", "/today/rows"): (ALL, 200),
    ("GET", "/today/live"): (ALL, 200),
    ("GET", "/schedule"): (ALL, 200),
    ("GET", "/broadcasts"): (ALL, 200),
    ("GET", "/broadcasts/new"): ("broadcaster", 200),
    ("POST", "/broadcasts"): ("broadcaster", FORM),
    ("POST", "/broadcasts/preview"): ("broadcaster", 200),
    ("POST", "/recordings"): ("broadcaster", FORM),
    ("POST", "/recordings/sample"): ("broadcaster", 200),
    ("GET", "/broadcasts/{broadcast_id}"): (ALL, 200),
    ("GET", "/broadcasts/{broadcast_id}/edit"): ("broadcaster", 200),
    ("GET", "/broadcasts/{broadcast_id}/rows"): (ALL, 200),
    ("GET", "/broadcasts/{broadcast_id}/live"): (ALL, 200),
    ("POST", "/broadcasts/{broadcast_id}/withdraw"): ("broadcaster approver", 303),
    ("GET", "/deliveries/{delivery_id}"): (ALL, 200),
    ("GET", "/approvals"): ("approver", 200),
    ("GET", "/approvals/{broadcast_id}"): ("approver", 200),
    ("POST", "/approvals/{broadcast_id}"): ("approver", FORM),
    ("GET", "/clusters"): (ALL, 200),
    ("GET", "/clusters/rows"): (ALL, 200),
    ("GET", "/clusters/live"): (ALL, 200),
    ("GET", "/clusters/{cluster_id}"): (ALL, 200),
    ("POST", "/clusters/{cluster_id}/commands"): ("technician", FORM),
    ("GET", "/clusters/{cluster_id}/commands/rows"): (ALL, 200),
    ("GET", "/clusters/{cluster_id}/commands/live"): (ALL, 200),
    ("GET", "/sandbox"): (ALL, 200),
    ("GET", "/sandbox/rows"): (ALL, 200),
    ("GET", "/sandbox/live"): (ALL, 200),
    ("POST", "/sandbox/act"): (ALL, FORM),
    ("POST", "/sandbox/clock"): (ALL, FORM),
    ("GET", "/metrics"): ("province", 200),
    ("GET", "/u/assets/{name}"): ("", 401),
    ("HEAD", "/u/assets/{name}"): ("", 401),
    ("GET", "/assets/{sha256}/listen"): (ALL, 200),
    ("HEAD", "/assets/{sha256}/listen"): (ALL, 200),
    ("POST", "/api/v1/password"): ("", 401),
    ("POST", "/api/v1/sessions"): ("", 401),
    ("GET", "/api/v1/sessions"): (ALL, 200),
    ("DELETE", "/api/v1/sessions/{session_id}"): (ALL, 404),
    ("POST", "/api/v1/second-factor"): (ALL, 201),
    ("POST", "/api/v1/second-factor/confirm"): (ALL, 401),
    ("POST", "/api/v1/second-factor/codes"): (ALL, FORM),
    ("POST", "/api/v1/recordings"): ("broadcaster", 415),
    ("GET", "/api/v1/broadcasts"): (ALL, 200),
    ("POST", "/api/v1/broadcasts"): ("broadcaster", FORM),
    ("POST", "/api/v1/broadcasts/preview"): ("broadcaster", 200),
    ("GET", "/api/v1/broadcasts/{broadcast_id}"): (ALL, 200),
    ("PUT", "/api/v1/broadcasts/{broadcast_id}"): ("broadcaster", FORM),
    ("POST", "/api/v1/broadcasts/{broadcast_id}/approve"): ("approver", 409),
    ("POST", "/api/v1/broadcasts/{broadcast_id}/reject"): ("approver", FORM),
    ("POST", "/api/v1/broadcasts/{broadcast_id}/withdraw"): ("broadcaster approver", 200),
    ("GET", "/api/v1/broadcasts/{broadcast_id}/deliveries"): (ALL, 200),
    ("GET", "/api/v1/clusters"): (ALL, 200),
    ("GET", "/api/v1/clusters/{cluster_id}"): (ALL, 200),
    ("GET", "/api/v1/clusters/{cluster_id}/commands"): (ALL, 200),
    ("POST", "/api/v1/clusters/{cluster_id}/commands"): ("technician", FORM),
}
"""(method, path) to who may, and what they are answered with the fields of `told` below."""

ROLES = ("broadcaster", "approver", "technician", "province")
NAMES = {"broadcaster": "phatthanh", "approver": "lanhdao", "technician": "kythuat", "province": "tinh"}


def routes(router: Any) -> Iterator[tuple[str, str]]:
    for route in router.routes:
        if isinstance(route, APIRoute):
            yield from ((method, route.path_format) for method in route.methods)
        elif hasattr(route, "original_router"):
            prefix = route.include_context.prefix
            yield from ((method, prefix + path) for method, path in routes(route.original_router))
        else:
            raise AssertionError(f"a route of another kind: {route}")


def test_no_route_is_missing_from_the_table(house: House) -> None:
    assert set(routes(house.app)) == TABLE.keys()


@pytest.fixture(scope="module")
def people(house: House) -> dict[str, Person]:
    found = {role: person(house, name) for role, name in NAMES.items()}
    house.add_user("xakhac", Role.BROADCASTER, ELSEWHERE)
    found["elsewhere"] = person(house, "xakhac")
    return found


@pytest.fixture(scope="module")
def told(house: House, asset: Asset) -> dict[str, str]:
    """A broadcast of the first commune that waits, another that is approved, and what the paths want to know."""
    author, approver = house.actor("phatthanh"), house.actor("lanhdao")
    waiting = submit(house.ctx, author, house.draft(asset.sha256))
    other = submit(house.ctx, author, house.draft(asset.sha256))
    approve(house.ctx, approver, other, look_at(house.ctx, approver, other)[2])
    with house.ctx.db.read() as session:
        row = proof(session, author, other, None, house.clock.now()).rows[0]
    return {
        "broadcast_id": waiting,
        "delivery_id": row.delivery.id,
        "cluster_id": row.delivery.cluster_id,
        "sha256": asset.sha256,
        "name": "app.css",
        "session_id": "never-was",
        "code": "never-was",
        "mark": "0",
    }


def ask(client: TestClient, method: str, path: str, told: dict[str, str], token: str | None) -> tuple[int, str]:
    address = path.format(**told)
    if path.startswith("/u/"):
        address = f"/u/assets/{told['sha256']}.opus"
    headers = {} if token is None else {"x-form-token": token}
    send: dict[str, Any] = {}
    if method in ("POST", "PUT"):
        if path.startswith("/api/") and "recordings" not in path:
            send["json"] = body(path, told)
        elif path.startswith("/api/"):
            send["content"] = b"no audio at all"
        else:
            send["data"] = {"act": "submit", "language": "xx"} if path != "/recordings/sample" else {}
    if path.endswith("/live"):
        with client.stream(method, address, headers=headers, follow_redirects=False) as answer:
            return answer.status_code, answer.headers.get("location", "")
    answer = client.request(method, address, headers=headers, follow_redirects=False, **send)
    return answer.status_code, answer.headers.get("location", "")


def body(path: str, told: dict[str, str]) -> dict[str, Any]:
    if path.endswith("password"):
        return {"new": PASSWORD}
    if path.endswith("sessions"):
        return {"name": "nobody", "password": "x"}
    if "second-factor" in path:
        return {"code": "0"}
    if path.endswith(("approve", "reject")):
        return {"seen": "0" * 64} | ({"reason": ""} if path.endswith("reject") else {})
    if path.endswith("withdraw"):
        return {}
    if path.endswith("commands"):
        return {"kind": "reboot"}
    draft = {"title": "", "asset": told["sha256"], "first_day": "2026-03-04", "at": "17:00"}
    return draft | ({"revision": 1} if path.endswith("{broadcast_id}") else {})


@pytest.fixture(autouse=True)
def no_stream_lasts(house: House) -> Iterator[None]:
    house.office.closing.set()
    yield
    house.office.closing.clear()


@pytest.mark.parametrize(("method", "path"), TABLE)
@pytest.mark.requirement("R-113", "R-112", "R-120")
def test_each_route_opens_for_those_who_may_and_for_nobody_else(
    house: House, people: dict[str, Person], told: dict[str, str], method: str, path: str
) -> None:
    who, answer = TABLE[(method, path)]
    for role in ROLES:
        somebody = people[role]
        status, where = ask(somebody.client, method, path, told, somebody.token())
        if path == "/logout":
            people[role] = person(house, NAMES[role])
            assert (status, where) == (303, "/login")
        elif path == "/login":
            assert (status, where) == ((303, "/") if method == "GET" else (answer, ""))
        elif who == OPEN or role in who.split():
            acceptable = (
                {answer, 415} if path == "/api/v1/recordings" else {answer, 409} if "withdraw" in path else {answer}
            )
            assert status in acceptable, f"{role} may, and was answered {status}"
        else:
            assert status == (403 if who else answer), f"{role} may not, and was answered {status}"


@pytest.mark.parametrize(("method", "path"), TABLE)
def test_without_a_session_nothing_opens(house: House, told: dict[str, str], method: str, path: str) -> None:
    who, answer = TABLE[(method, path)]
    stranger = TestClient(house.app)
    status, where = ask(stranger, method, path, told, None)
    if method in ("POST", "PUT") and who == OPEN:
        assert status == 403, "a form without its token"
    elif who == OPEN:
        assert status == answer
    elif path.startswith(("/api/", "/u/", "/assets/", "/metrics")):
        assert status == 401
    elif path.endswith("/live"):
        assert status in (204, 303)
    else:
        assert status == 303
        assert where.startswith("/login")


@pytest.mark.parametrize(("method", "path"), [key for key in TABLE if key[0] in ("POST", "PUT") and TABLE[key][0]])
def test_a_form_without_its_token_changes_nothing(
    people: dict[str, Person], told: dict[str, str], method: str, path: str
) -> None:
    for token in (None, "x" * 32):
        status, _ = ask(people["broadcaster"].client, method, path, told, token)
        assert status == 403


@pytest.mark.requirement("R-112", "R-008")
@pytest.mark.parametrize(("method", "path"), [key for key in TABLE if "_id}" in key[1] or "{sha256}" in key[1]])
def test_what_lies_in_another_commune_is_as_unknown_as_what_never_was(
    people: dict[str, Person], told: dict[str, str], method: str, path: str
) -> None:
    somebody = people["elsewhere"]
    token = somebody.token()
    nowhere = {name: "0" * 64 if name == "sha256" else "never-was" for name in told}
    theirs, _ = ask(somebody.client, method, path, told, token)
    never, _ = ask(somebody.client, method, path, nowhere, token)
    needs_other = TABLE[(method, path)][0] in ("approver", "technician")
    checked_first = FORM if method == "PUT" else 404
    assert theirs == never == (403 if needs_other else checked_first)


def test_a_one_time_password_opens_nothing_but_its_own_change(house: House) -> None:
    house.add_user("nguoimoi", Role.BROADCASTER, SELF)

    password = accounts.reset_password(house.ctx, "nguoimoi", "test")
    newcomer = Person(house)
    page = newcomer.log_in("nguoimoi", password)
    assert "mật khẩu một lần" in page.text
    for method, path in TABLE:
        if method == "GET" and "{" not in path and path not in ("/healthz", "/login", "/password", "/metrics"):
            answer = newcomer.client.request(method, path, follow_redirects=False)
            if path.startswith("/api/"):
                assert answer.status_code == 403
            else:
                assert (answer.status_code, answer.headers.get("location")) == (303, "/password")
    give_password(house.ctx, "nguoimoi")
    assert newcomer.get("/").status == 200
    assert PASSWORD not in page.html
