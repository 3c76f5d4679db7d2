"""The pages of faults: what a technician reads before he drives, what he does, and work that was planned."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select
from support.faulty import pass_on, say, units
from support.office import PROVINCE, House, open_house
from support.pages import Person, person

from controller.db.tables import AuditEntry, FaultCase, PlannedWork, UnitFault
from controller.services.health_watching import Watch
from controller.services.rights import Role


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    found = open_house(tmp_path)
    found.add_user("tho", Role.TECHNICIAN, PROVINCE[0])
    found.add_user("doc", Role.BROADCASTER, PROVINCE[0])
    found.add_user("xa-khac", Role.TECHNICIAN, "c-31618")
    yield found
    found.ctx.db.close()


@pytest.fixture
def watch(house: House) -> Watch:
    made = Watch(house.ctx, lambda: True)
    made.step(house.clock.now())
    return made


def break_wire(house: House, watch: Watch) -> tuple[str, str]:
    cluster, unit = units(house, "cl-31615-")[0]
    say(house, unit, True)
    with house.ctx.db.write() as session:
        session.add(UnitFault(unit_id=unit, code="cabinet_hot", raised_at=house.clock.now()))
    pass_on(house, watch, 2)
    with house.ctx.db.read() as session:
        [case] = session.scalars(select(FaultCase).where(FaultCase.cluster_id == cluster))
    assert case.code == "cabinet_hot"
    return cluster, case.id


def test_the_list_says_which_pole_since_when_why_and_what_to_bring(house: House, watch: Watch) -> None:
    cluster, name = break_wire(house, watch)
    page = person(house, "tho").client.get("/faults").text
    assert "Tủ thiết bị quá nóng" in page
    assert "quạt" in page
    assert f"/faults/{name}" in page
    told = person(house, "doc").client.get(f"/clusters/{cluster}").text
    assert "Phát ra tiếng được?" in told
    assert "Tủ thiết bị quá nóng" in told


def act(one: Person, name: str, state: str, why: str = "", revision: int | None = None) -> int:
    with one.house.ctx.db.read() as session:
        seen = session.get_one(FaultCase, name).revision if revision is None else revision
    data = {"state": state, "why": why, "revision": str(seen), "form_token": one.token() or ""}
    return one.client.post(f"/faults/{name}", data=data, follow_redirects=False).status_code


def test_a_fault_is_taken_repaired_and_closed_and_every_act_is_in_the_log(house: House, watch: Watch) -> None:
    _, name = break_wire(house, watch)
    one = person(house, "tho")
    assert act(one, name, "acknowledged") == 303
    assert act(one, name, "in_repair", revision=0) == 409, "somebody else had changed it"
    assert act(one, name, "in_repair") == 303
    assert act(one, name, "resolved") == 422, "not a word of what was done"
    assert act(one, name, "resolved", "thay quạt") == 303
    page = one.client.get(f"/faults/{name}").text
    assert "thay quạt" in page
    assert act(one, name, "reset") == 303
    assert act(one, name, "new") == 409
    with house.ctx.db.read() as session:
        acts = list(session.scalars(select(AuditEntry.act).where(AuditEntry.about == name).order_by(AuditEntry.id)))
    assert acts.count("fault.move") == 4
    assert acts.count("fault.move.refused") == 3


def test_what_was_called_repaired_and_is_not_comes_back_as_a_new_fault_that_names_the_old(
    house: House, watch: Watch
) -> None:
    cluster, name = break_wire(house, watch)
    assert act(person(house, "tho"), name, "resolved", "quét bụi") == 303
    pass_on(house, watch, 32)
    with house.ctx.db.read() as session:
        rows = session.scalars(select(FaultCase).where(FaultCase.cluster_id == cluster)).all()
    hot = [row for row in rows if row.code == "cabinet_hot"]
    assert [(row.state, row.previous_id) for row in hot if row.id != name] == [("new", name)]


def test_one_mast_that_falls_is_one_fault_with_all_its_clusters(house: House, watch: Watch) -> None:
    for _, unit in units(house, "cl-31615-"):
        say(house, unit, True)
    pass_on(house, watch, 2)
    for number, (_, unit) in enumerate(units(house, "cl-31615-")):
        say(house, unit, False)
        pass_on(house, watch, 1 + number % 2)
    pass_on(house, watch, 25)
    count = len(units(house, "cl-31615-"))
    told = person(house, "tho").client.get("/api/v1/faults").json()
    assert [(one["code"], one["clusters"], one["cluster"]) for one in told] == [("offline", count, None)]
    name = told[0]["id"]
    assert act(person(house, "tho"), name, "acknowledged") == 303
    whole = person(house, "tho").client.get(f"/api/v1/faults/{name}").json()
    assert {member["state"] for member in whole["members"]} == {"acknowledged"}
    assert act(person(house, "tho"), whole["members"][0]["id"], "in_repair") == 422, "the whole is what is acted on"
    for _, unit in units(house, "cl-31615-"):
        say(house, unit, True)
    pass_on(house, watch, 6)
    assert person(house, "tho").client.get("/api/v1/faults").json() == []
    assert person(house, "tho").client.get(f"/api/v1/faults/{name}").json()["state"] == "resolved"


def test_while_the_controller_hears_nobody_nobody_is_blamed(house: House) -> None:
    up = [True]
    watch = Watch(house.ctx, lambda: up[0])
    for _, unit in units(house, "cl-31615-"):
        say(house, unit, True)
    pass_on(house, watch, 2)
    up[0] = False
    for _, unit in units(house, "cl-31615-"):
        say(house, unit, False)
    pass_on(house, watch, 60)
    assert person(house, "tho").client.get("/api/v1/faults").json() == []


def test_planned_work_is_shown_and_ends_early(house: House, watch: Watch) -> None:
    one = person(house, "tho")
    now = house.clock.now()
    cluster = units(house, "cl-31615-")[0][0]
    local = now + timedelta(hours=7)
    form = {
        "where": f"cluster:{cluster}", "begins": local.strftime("%Y-%m-%dT%H:%M"),
        "ends": (local + timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M"), "reason": "thay cột",
        "form_token": one.token() or "",
    }  # fmt: skip
    assert one.client.post("/planned-works", data=form, follow_redirects=False).status_code == 303
    assert one.client.post("/planned-works", data={**form, "reason": " "}).status_code == 422
    assert one.client.post("/planned-works", data={**form, "ends": form["begins"]}).status_code == 422
    other = person(house, "xa-khac")
    theirs = {**form, "form_token": other.token() or ""}
    assert other.client.post("/planned-works", data=theirs).status_code == 404
    assert "thay cột" in one.client.get("/faults").text
    _, name = break_wire(house, watch)
    told = one.client.get(f"/api/v1/faults/{name}").json()
    assert told["silenced"] is True
    with house.ctx.db.read() as session:
        [work] = session.scalars(select(PlannedWork))
    token = {"form_token": one.token() or ""}
    assert one.client.post(f"/planned-works/{work.id}/end", data=token, follow_redirects=False).status_code == 303
    pass_on(house, watch, 2)
    assert one.client.get(f"/api/v1/faults/{name}").json()["silenced"] is False
