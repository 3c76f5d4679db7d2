"""Lent rights, exceptions and confirmations by the API and on the pages."""

from __future__ import annotations

from datetime import timedelta

from support.emergencies import a_row
from support.office import House
from support.pages import Person, person

from controller.db.tables import Asset
from controller.services.composing import submit
from controller.services.rights import Role

COMMUNE, STATION = "c-31615", "s-31615"


def sent(who: Person, method: str, path: str, **told: object) -> tuple[int, object]:
    answer = who.client.request(method, f"/api/v1{path}", headers={"x-form-token": who.token()}, json=told or None)
    return answer.status_code, answer.json() if answer.content else None


def test_a_lent_right_an_exception_and_an_emergency_by_the_api(house: House, asset: Asset) -> None:
    house.add_user("xa-truong", Role.APPROVER, COMMUNE)
    house.add_user("xa-pho", Role.BROADCASTER, COMMUNE)
    house.add_user("xa-viet", Role.BROADCASTER, COMMUNE)
    house.add_user("tinh-quantri", Role.ADMINISTRATOR, "p-94")
    boss, deputy, head = (person(house, name) for name in ("xa-truong", "xa-pho", "tinh-quantri"))
    until = (house.clock.now() + timedelta(days=3)).isoformat()
    status, made = sent(boss, "POST", "/delegations", to="xa-pho", area=COMMUNE, until=until, reason="Đi họp")
    assert status == 201
    draft = house.draft(house.use("xa-viet", asset.sha256), areas=(COMMUNE,))
    broadcast = submit(house.ctx, house.actor("xa-viet"), draft)
    seen = deputy.client.get(f"/api/v1/broadcasts/{broadcast}").json()["seen"]
    assert sent(deputy, "POST", f"/broadcasts/{broadcast}/approve", seen=seen)[0] == 200
    assert "duyệt thay xa-truong" in deputy.client.get(f"/broadcasts/{broadcast}").text
    assert isinstance(made, dict)
    assert sent(boss, "DELETE", f"/delegations/{made['id']}")[0] == 204
    assert [line["state"] for line in boss.client.get("/api/v1/delegations").json()] == ["over"]
    told = {"station": STATION, "number": "07/QĐ", "reason": "Một cán bộ", "until": until}
    status, made = sent(head, "POST", "/own-exceptions", **told)
    assert status == 201
    assert isinstance(made, dict)
    assert sent(head, "POST", "/own-exceptions", **told)[0] == 409
    assert sent(head, "DELETE", f"/own-exceptions/{made['id']}")[0] == 204
    with house.ctx.db.write() as session:
        session.add(a_row("a-1", COMMUNE, house.clock.now()))
    assert "/alerts" in boss.client.get("/").text
    assert "Nước lên" in boss.client.get("/alerts").text
    assert sent(boss, "POST", "/alerts/a-1/confirm", right=True)[0] == 204
    assert boss.client.get("/api/v1/alerts").json()[0]["confirmed"] is True
    assert "chờ bạn xác nhận" not in boss.client.get("/").text
