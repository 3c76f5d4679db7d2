"""Drills on pages: never on the form of the real thing, the word everywhere, silent unless a second person approved."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select
from support.audio import recording
from support.office import House, open_house
from support.pages import Page, Person, person

from controller.db.tables import Drill, DrillReach, Emergency
from controller.services import emergency_set, sound_library
from controller.services.rights import Role
from controller.services.seeding import PROVINCE

COMMUNE = "c-31615"
FILLED = {"kind": "storm", "areas": COMMUNE, "reason": "Kế hoạch 12", "act": "sound"}


@pytest.fixture(scope="module")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> House:
    """Closed again: each test moves into a copy."""
    folder = tmp_path_factory.mktemp("furnished")
    found = open_house(folder)
    found.add_user("xa", Role.EMERGENCY, COMMUNE)
    found.add_user("xa-hai", Role.EMERGENCY, COMMUNE)
    path = recording(folder / "storm.wav", seconds=2.0)
    found.add_user("ubnd", Role.EMERGENCY, PROVINCE[0])
    emergency_set.put(found.ctx, found.actor("ubnd"), PROVINCE[0], "storm", "vi", path, "storm.wav")
    sound_library.keep_frame(found.ctx, found.actor("phatthanh"), folder / "work")
    found.ctx.db.close()
    return found


@pytest.fixture
def house(furnished: House, tmp_path: Path) -> Iterator[House]:
    found = open_house(tmp_path / "house", like=furnished)
    yield found
    found.ctx.db.close()


def start(who: Person, **changed: object) -> Page:
    return who.send(who.get("/drills").form("/drills"), **(FILLED | changed))


def drills(house: House) -> list[Drill]:
    with house.ctx.db.read() as session:
        return list(session.scalars(select(Drill)))


@pytest.mark.requirement("R-066")
def test_a_drill_is_silent_and_says_that_it_is_one_on_every_button(house: House) -> None:
    who = person(house, "xa")
    form = who.get("/drills")
    main = form.html[form.html.index('<main id="main"') :]
    for words in re.findall(r"<button[^>]*>(.*?)</button>", main, re.DOTALL):
        if "data-map-act" not in words:
            assert "DIỄN TẬP" in words, words
    assert "DIỄN TẬP" in form.html[: form.html.index("</title>")]
    page = start(who)
    [drill] = drills(house)
    assert (drill.silent, drill.state) == (True, "issued")
    assert "Đã bắt đầu diễn tập" in page.text
    with house.ctx.db.read() as session:
        assert session.scalars(select(Emergency)).all() == []
    home = who.get("/")
    assert home.html.count("band-drill") == 1
    assert "band-alert" not in home.html
    page = who.send(home.form("/drills/silence"))
    assert [one.state for one in drills(house)] == ["ended"]


@pytest.mark.requirement("R-066")
def test_the_form_of_the_real_thing_starts_no_drill_and_that_of_drills_sounds_nothing(house: House) -> None:
    who = person(house, "xa")
    real = who.get("/emergency").form("/emergency")
    assert {"loud"} & {name for name, _ in real.fields} == set()
    who.send(real, **(FILLED | {"loud": "", "drill": "1"}))
    assert drills(house) == []
    start(who)
    with house.ctx.db.read() as session:
        assert len(session.scalars(select(Emergency)).all()) == 1


def test_a_loud_one_waits_for_a_second_person(house: House) -> None:
    who, other = person(house, "xa"), person(house, "xa-hai")
    page = start(who, loud="1")
    [drill] = drills(house)
    assert (drill.silent, drill.state) == (False, "asked"), page.text
    address = f"/drills/{drill.id}"
    assert "Đang chờ người khác duyệt" in who.get(address).text
    own = who.client.post(f"{address}/decide", data={"decision": "approve"}, headers={"x-form-token": who.token()})
    assert own.status_code == 403 or "không tự" in own.text or own.status_code == 422
    assert drills(house)[0].state == "asked"
    page = other.send(other.get(address).form(f"{address}/decide"), decision="approve")
    assert "Đã duyệt diễn tập" in page.text
    assert drills(house)[0].state == "issued"


def test_the_tally_says_which_clusters_did_it(house: House) -> None:
    who = person(house, "xa")
    start(who)
    [drill] = drills(house)
    with house.ctx.db.write() as session:
        row = session.scalars(select(DrillReach).where(DrillReach.drill_id == drill.id).limit(1)).one()
        row.sounded_at = drill.starts_at + timedelta(seconds=2)
    rows = who.get(f"/drills/{drill.id}/rows").text
    assert re.search(r"1 /5 +Đã làm", rows)
    assert re.search(r"4 /5 +Chưa tới được", rows)
    assert "2,0 giây" in rows


def test_a_drill_elsewhere_is_as_unknown_as_one_that_never_was(house: House) -> None:
    start(person(house, "ubnd"), areas="c-31618")
    [drill] = drills(house)
    who = person(house, "xa")
    assert who.get(f"/drills/{drill.id}").status == 404
    token = {"x-form-token": who.token()}
    assert who.client.post("/drills/silence", data={"call": drill.id}, headers=token).status_code == 404
    assert drills(house)[0].state == "issued"
