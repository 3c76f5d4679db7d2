"""What was done to a recording stands beside it: for who uploads it, and for who approves it."""

from __future__ import annotations

from support.audio import tone
from support.office import House
from support.pages import person

from controller.db.tables import Asset
from controller.services.composing import submit


def test_who_uploads_sees_how_loud_it_was_and_is(house: House) -> None:
    author = person(house, "phatthanh")
    answer = author.client.post(
        "/recordings",
        files={"recording": ("a.wav", tone(4.0, level=0.02), "audio/wav")},
        headers={"hx-request": "true", "x-form-token": author.token()},
    )

    assert answer.status_code == 200
    assert "Bản ghi này đã được xử lý thế nào" in answer.text
    assert "Đã làm to lên" in answer.text


def test_who_approves_sees_it_too(house: House, asset: Asset) -> None:
    broadcast = submit(house.ctx, house.actor("phatthanh"), house.draft(asset.sha256))

    page = person(house, "lanhdao").get(f"/approvals/{broadcast}")

    assert "bản phát \N{MINUS SIGN}16" in page.text
