"""The page of a delivery says what the ear at the pole heard, and asks for ten seconds that nobody can listen to."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from support.office import House
from support.pages import Person, person

from broadcasts.domain.delivery import State
from controller.db.tables import Asset, Command, Delivery, Hearing
from controller.services.approving import approve, look_at
from controller.services.composing import submit


@pytest.fixture
def technician(house: House) -> Person:
    return person(house, "kythuat")


def planned(house: House, asset: Asset) -> Delivery:
    """One delivery that starts on a whole minute."""
    start = (house.clock.now() + timedelta(hours=7, minutes=1)).replace(second=0, microsecond=0)
    draft = house.draft(asset.sha256, title="Bản tin trưa", first_day=start.date(), at=start.time(), push_now=True)
    name = submit(house.ctx, house.actor("phatthanh"), draft)
    approve(house.ctx, house.actor("lanhdao"), name, look_at(house.ctx, house.actor("lanhdao"), name)[2])
    with house.ctx.db.read() as session:
        return session.scalars(select(Delivery).where(Delivery.broadcast_id == name).order_by(Delivery.id)).first()  # type: ignore[return-value]


def heard(house: House, delivery: Delivery, at: datetime, **told: Any) -> None:
    given = {"answer": "yes", "why": "matched", "score": 0.93, "source": "line_out", "signed": True, "matched_at": at}
    with house.ctx.db.write() as session:
        session.add(Hearing(delivery_id=delivery.id, **{**given, **told}))
        row = session.get_one(Delivery, delivery.id)
        row.state, row.verdict, row.verdict_at, row.signed_evidence = State.PLAYED, "heard", at, True


def test_what_was_heard_is_shown_with_how_much_how_sure_and_by_what(
    house: House, technician: Person, asset: Asset
) -> None:
    delivery = planned(house, asset)
    length = round((delivery.end - delivery.start).total_seconds() * 1000)
    half = length // 2
    heard(house, delivery, house.clock.now(), why="partly", answer="unknown", heard_ms=half, listened_ms=length,
          stretches=[[0, half, 1], [half, 2 * half, 0]])  # fmt: skip
    page = technician.get(f"/deliveries/{delivery.id}")
    for words in ("Chỉ nghe thấy một phần bản tin.", "Nghe được 50%", "93 / 100", "đường dây ra loa"):
        assert words in page.text
    assert 'class="ear-heard" x="0"' in page.html
    assert 'class="ear-missed" x="500"' in page.html
    rows = technician.get(f"/broadcasts/{delivery.broadcast_id}")
    assert "Tai nghe: chỉ 50%" in rows.text


def test_a_pole_without_an_ear_says_that_the_result_rests_on_the_amplifier(
    house: House, technician: Person, asset: Asset
) -> None:
    page = technician.get(f"/deliveries/{planned(house, asset).id}")
    assert "Kết quả dựa vào dòng điện của tăng âm." in page.text


def test_unsigned_words_of_an_ear_are_shown_as_such(house: House, technician: Person, asset: Asset) -> None:
    delivery = planned(house, asset)
    heard(house, delivery, house.clock.now(), signed=False, heard_ms=1, listened_ms=1, stretches=[[0, 1, 1]])
    ear = technician.get(f"/deliveries/{delivery.id}/rows")
    assert "Nhật ký không có chữ ký" in ear.text


def test_a_technician_asks_for_ten_seconds_only_while_it_plays_and_hears_none_of_them(
    house: House, technician: Person, asset: Asset
) -> None:
    delivery = planned(house, asset)
    assert "Nghe thử 10 giây" not in technician.get(f"/deliveries/{delivery.id}").text
    with house.ctx.db.write() as session:
        row = session.get_one(Delivery, delivery.id)
        row.end = row.start + timedelta(minutes=2)
        row.state = State.PLAYING
    house.clock.advance((delivery.start - house.clock.now()).total_seconds() + 10)
    page = technician.get(f"/deliveries/{delivery.id}")
    form = next(form for form in page.forms if form.action.endswith("/clip"))
    told = technician.send(form)
    assert "Đã gửi yêu cầu nghe thử." in told.text
    with house.ctx.db.read() as session:
        command = session.scalars(select(Command)).one()
    assert command.args == {"seconds": "10", "item": delivery.id, "offset_ms": "16000"}
    assert "<audio" not in told.html
    assert "Nghe thử 10 giây" not in person(house, "phatthanh").get(f"/deliveries/{delivery.id}").text
