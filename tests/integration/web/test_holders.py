"""The page of a broadcast names who may still play what was taken off."""

from __future__ import annotations

import pytest
from support.office import House
from support.pages import person

from controller.db.tables import Asset
from controller.services import compiling
from controller.services.approving import approve, look_at
from controller.services.composing import submit


@pytest.mark.requirement("R-056")
def test_after_a_withdrawal_page_and_api_name_the_clusters_that_have_not_confirmed(house: House, asset: Asset) -> None:
    broadcast = submit(house.ctx, house.actor("phatthanh"), house.draft(asset.sha256))
    boss = house.actor("lanhdao")
    approve(house.ctx, boss, broadcast, look_at(house.ctx, boss, broadcast)[2])
    compiling.step(house.ctx, house.clock.now())
    author = person(house, "phatthanh")
    page = author.get(f"/broadcasts/{broadcast}")
    assert "đã xác nhận lịch không còn bản đó" not in page.text
    page = author.send(page.form(f"/broadcasts/{broadcast}/withdraw"))
    told = author.client.get(f"/api/v1/broadcasts/{broadcast}/holders").json()
    assert told["all"] == len(told["still"]) > 0
    assert f"0/{told['all']} cụm đã xác nhận lịch không còn bản đó" in page.text
    assert told["still"][0]["name"] in page.text
    assert "chưa từng liên lạc" in page.text
    assert (told["still"][0]["certain"], told["still"][0]["times"]) == (False, 1)
