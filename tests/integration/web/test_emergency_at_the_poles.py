"""From the posted form to what units make of the signed documents, by the reading of the simulator."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select
from support.audio import recording
from support.office import House, open_house
from support.pages import Person, person
from support.sirens import heard, reached

from broadcasts.wire import trigger
from broadcasts.wire.trigger import Op
from broadcasts.wire.trust import Use
from controller.app import create_app
from controller.db.tables import AuditEntry, Emergency, EmergencyReach
from controller.services import emergency_set
from controller.services.rights import Role
from controller.services.seeding import PROVINCE

COMMUNE = "c-31615"


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    found = open_house(tmp_path)
    found.add_user("ubnd", Role.EMERGENCY, PROVINCE[0])
    path = recording(tmp_path / "storm.wav", seconds=2.0)
    for kind in ("storm", "all_clear"):
        emergency_set.put(found.ctx, found.actor("ubnd"), PROVINCE[0], kind, "vi", path, "storm.wav")
    yield found
    found.ctx.db.close()


def acts(house: House) -> list[Emergency]:
    with house.ctx.db.read() as session:
        return list(session.scalars(select(Emergency).order_by(Emergency.pressed_at, Emergency.id)))


def meant(house: House, clusters: set[str]) -> set[str]:
    """Units of these."""
    with house.ctx.db.read() as session:
        rows = session.scalars(select(EmergencyReach.unit_id).where(EmergencyReach.cluster_id.in_(clusters)))
        return {unit for unit in rows if unit is not None}


def test_a_shape_that_is_drawn_reaches_the_poles_within_it_and_no_other(house: House) -> None:
    """Around three poles from the south, whatever their commune."""
    placed = sorted(
        (each for each in house.clusters() if each.latitude is not None), key=lambda each: (each.latitude, each.id)
    )
    chosen = placed[:3]
    assert len(placed) > 3
    below, above = placed[2].latitude, placed[3].latitude
    assert below is not None
    assert above is not None
    assert below < above, "two at the same height would make this test say nothing"
    edge = (below + above) / 2
    ring = [[100.0, 5.0], [110.0, 5.0], [110.0, edge], [100.0, edge], [100.0, 5.0]]
    shape = json.dumps({"type": "Polygon", "coordinates": [ring]})
    who = person(house, "ubnd")
    form = who.get("/emergency").form("/emergency")
    told = {"kind": "storm", "areas": None, "shape": shape, "reason": "Bão", "count": "3"}
    page = who.send(form, **told, act="preview")
    assert "3 cụm sẽ kêu ngay" in page.text
    assert acts(house) == []
    who.send(form, **told, act="sound")
    [act] = acts(house)
    units = meant(house, {each.id for each in chosen})
    assert len(units) == 3
    assert reached(house, act.id) == units


def test_a_shape_that_is_none_is_refused_and_stays_in_the_form(house: House) -> None:
    who = person(house, "ubnd")
    form = who.get("/emergency").form("/emergency")
    page = who.send(form, kind="storm", areas=None, shape='{"type": "Point"}', reason="Bão", act="sound")
    assert (page.status, acts(house)) == (422, [])
    assert dict(page.form("/emergency").fields)["shape"] == '{"type": "Point"}'


def test_the_apology_is_heard_where_the_mistake_was_and_the_mistake_no_more(house: House) -> None:
    who = person(house, "ubnd")
    form = who.get("/emergency").form("/emergency")
    page = who.send(form, kind="storm", areas=COMMUNE, reason="Bão", act="sound")
    [mistake] = acts(house)
    units = reached(house, mistake.id)
    assert len(units) == 5
    house.clock.advance(30)
    [form] = [each for each in page.forms if ("call", mistake.id) in each.fields and each.action.endswith("silence")][
        1:
    ]
    page = who.send(form, apology="1")
    assert "phát lời xin lỗi" in page.text
    apology = acts(house)[-1]
    assert (apology.kind, apology.state) == ("all_clear", "issued")
    assert reached(house, mistake.id) == set()
    assert reached(house, apology.id) == units
    [told] = heard(house, min(units))
    assert told.content[0].data is not None, "it comes with its sound: no pole has to fetch it"
    assert told.repeat is None, "said once"


def press(who: Person) -> None:
    who.send(who.get("/emergency").form("/emergency"), kind="storm", areas=COMMUNE, reason="Bão", act="sound")


class Gateway:
    """In place of an operator; `HttpGateway` itself is tried in test_texting.py."""

    def __init__(self, *units: str) -> None:
        self.numbers = {unit: f"+8491200000{n}" for n, unit in enumerate(units)}
        self.got: list[tuple[str, str]] = []

    def send(self, number: str, text: str) -> None:
        self.got.append((number, text))


def test_the_text_of_an_alert_stands_on_its_page_to_be_copied_and_after_silence_the_one_that_ends_it(
    house: House,
) -> None:
    who = person(house, "ubnd")
    press(who)
    [act] = acts(house)
    page = who.get(f"/emergency/{act.id}")
    [first] = re.findall(r"<textarea[^>]*readonly[^>]*>(LOA1[^<]+)</textarea>", page.html)
    assert "Tin phát · 5 cụm" in page.text
    assert "gửi bằng điện thoại" in page.text, "no gateway, no button"
    assert f"/emergency/{act.id}/texts" not in page.html
    who.send(who.get("/").form("/emergency/silence"))
    page = who.get(f"/emergency/{act.id}")
    [second] = re.findall(r"<textarea[^>]*readonly[^>]*>(LOA1[^<]+)</textarea>", page.html)
    assert "Tin tắt · 5 cụm" in page.text
    key = house.ctx.keys.signer(Use.ALERT).public
    told = [trigger.unseal(each.encode(), [COMMUNE], "u", [key]) for each in (first, second)]
    assert [(each.op, each.alert) for each in told] == [(Op.SOUND, act.id), (Op.END, act.id)]
    refused = who.client.post(f"/emergency/{act.id}/texts", headers={"x-form-token": who.token()})
    assert refused.status_code == 422
    assert "cổng tin nhắn" in refused.text


def test_with_a_gateway_a_button_sends_to_those_with_a_number_and_the_page_says_what_came_of_it(house: House) -> None:
    press(person(house, "ubnd"))
    [act] = acts(house)
    gateway = Gateway(*sorted(reached(house, act.id))[:2])
    office = replace(house.office, ctx=replace(house.ctx, sms=gateway))
    house = replace(house, ctx=office.ctx, office=office, app=create_app(office))
    who, other = person(house, "ubnd"), person(house, "lanhdao")
    page = who.get(f"/emergency/{act.id}")
    assert "Gửi tới các số đã khai (2)" in page.text
    page = who.send(page.form(f"/emergency/{act.id}/texts"))
    assert [number for number, _ in gateway.got] == list(gateway.numbers.values())
    assert "gửi được 2, lỗi 0, chưa có số 3" in page.text
    assert "Gửi bằng SMS" not in other.get(f"/emergency/{act.id}").text, "who confirms does not send"
    with house.ctx.db.read() as session:
        line = session.scalars(select(AuditEntry).where(AuditEntry.act == "alert.text")).one()
    assert (line.actor, line.about) == ("ubnd", act.id)
