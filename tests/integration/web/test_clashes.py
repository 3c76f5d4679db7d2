"""The page and the API where a commune says which of two priority bulletins goes first."""

from __future__ import annotations

import pytest
from support.office import House
from support.pages import Page, Person, person

from controller.db.tables import Asset
from controller.services.approving import approve, look_at
from controller.services.composing import submit


@pytest.fixture(scope="module")
def boss(house: House) -> Person:
    return person(house, "lanhdao")


def on_air(house: House, asset: Asset, title: str) -> str:
    broadcast = submit(house.ctx, house.actor("phatthanh"), house.draft(asset.sha256, title=title, priority=2))
    approver = house.actor("lanhdao")
    approve(house.ctx, approver, broadcast, look_at(house.ctx, approver, broadcast)[2])
    return broadcast


@pytest.mark.requirement("R-016")
def test_an_approver_is_told_of_a_clash_decides_it_on_the_page_and_again_by_the_api(
    house: House, boss: Person, asset: Asset
) -> None:
    assert "/clashes" not in boss.get("/approvals").links
    one, two = on_air(house, asset, "Báo bão"), on_air(house, asset, "Cháy rừng")
    assert "/clashes" in boss.get("/approvals").links
    page = boss.get("/clashes")
    assert "Báo bão" in page.text
    assert "Chưa ai quyết định" in page.text
    form = next(each for each in page.forms if each.action == "/clashes")
    fields = dict(form.fields) | {"order": f"{two} {one}"}
    without = boss.client.post("/clashes", data=fields | {"reason": " "})
    assert without.status_code == 422
    assert "Hãy ghi lý do vì sao" in Page(without).text
    done = Page(boss.client.post("/clashes", data=fields | {"reason": "Cháy sát nhà dân"}))
    assert "Cháy sát nhà dân" in done.text
    assert "Đã ghi quyết định" in done.text
    assert "/clashes" not in boss.get("/approvals").links

    [told] = boss.client.get("/api/v1/priority-clashes").json()
    assert (told["winner"]["broadcast"], told["decided"]["first"]) == (two, two)
    wish = {"station": told["station"], "first": one, "second": two, "reason": "Bão vào bờ"}
    token = {"x-form-token": boss.token()}
    [after] = boss.client.post("/api/v1/priority-clashes", json=wish, headers=token).json()
    assert (after["winner"]["title"], after["decided"]["reason"]) == ("Báo bão", "Bão vào bờ")
    gone = boss.client.post("/api/v1/priority-clashes", json=wish | {"second": "lp-none"}, headers=token)
    assert (gone.status_code, gone.json()["title"]) == (422, "clash.none")
