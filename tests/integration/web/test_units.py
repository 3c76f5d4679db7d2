"""The page of the units' identities: let in by a code, turned away, a maker's list, revoked with a fresh code."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select
from support.newcomers import Newcomer
from support.office import NOON, House, open_house
from support.pages import Person, person

from broadcasts.errors import Refused
from controller.app import create_app
from controller.bootstrap import unit_terms
from controller.db.tables import AuditEntry, Enrolment, Revocation, Unit
from controller.services import files, unit_enrolling
from controller.services.unit_terms import UnitTerms


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    (tmp_path / "house").mkdir()
    made = open_house(tmp_path / "house", clusters=5)
    unit_terms.make(tmp_path / "authority", NOON)
    ctx = replace(made.ctx, units=UnitTerms(unit_terms.read(tmp_path / "authority", NOON)))
    office = replace(made.office, ctx=ctx)
    yield replace(made, ctx=ctx, office=office, app=create_app(office))
    made.ctx.db.close()


@pytest.fixture
def technician(house: House) -> Person:
    return person(house, "kythuat")


def acts(house: House) -> list[str]:
    with house.ctx.db.read() as session:
        return list(
            session.scalars(select(AuditEntry.act).where(AuditEntry.act.like("unit.%")).order_by(AuditEntry.id))
        )


def post(somebody: Person, path: str, **told: str) -> tuple[int, str]:
    answer = somebody.client.post(path, data={"form_token": somebody.token()} | told, follow_redirects=False)
    return answer.status_code, answer.headers.get("location", "") or answer.text


@pytest.mark.requirement("R-084")
def test_a_unit_that_waits_is_on_the_page_and_its_code_lets_it_in(house: House, technician: Person) -> None:
    unit, double = Newcomer("SN-1"), Newcomer("SN-1")
    for each in (unit, double):
        unit_enrolling.ask(house.ctx, each.asks(), "192.0.2.1")
    page = technician.get("/units").text
    assert "SN-1" in page
    assert "Hai bộ thu cùng nhận một số sê-ri" in page
    status, said = post(technician, "/units/accept", code="AAAAABBBBB")
    assert (status, "Không có bộ thu nào đang chờ với mã này" in said) == (422, True)
    assert post(technician, "/units/accept", code=unit.code)[0] == 303
    page = technician.get("/units").text
    assert "u-sn-1" in page
    assert "Số sê-ri này đang thuộc bộ thu u-sn-1" in page
    assert post(technician, "/units/accept", code=double.code)[0] == 409
    assert acts(house) == ["unit.accept.refused", "unit.accept", "unit.accept.refused"]


def test_who_follows_the_link_of_a_code_finds_it_filled_in(house: House, technician: Person) -> None:
    unit = Newcomer()
    unit_enrolling.ask(house.ctx, unit.asks(), "")
    assert f'value="{unit.code}"' in technician.get(f"/units?code={unit.code}").html


def test_one_that_is_turned_away_needs_a_reason_and_is_gone_from_the_page(house: House, technician: Person) -> None:
    told = unit_enrolling.ask(house.ctx, Newcomer("SN-8").asks(), "")
    path = f"/units/enrolments/{told.id}/refuse"
    assert post(technician, path, reason=" ")[0] == 422
    assert post(technician, path, reason="không phải của xã")[0] == 303
    assert "SN-8" not in technician.get("/units").text
    with house.ctx.db.read() as session:
        assert session.get_one(Enrolment, told.id).reason == "không phải của xã"


def test_units_with_a_password_only_are_shown_as_weaker(house: House, technician: Person) -> None:
    assert "Yếu hơn" not in technician.get("/units").text
    with house.ctx.db.write() as session:
        session.scalars(select(Unit).order_by(Unit.id).limit(1)).one().password_only = True
    page = technician.get("/units").text
    assert "Chỉ có mật khẩu" in page
    assert "Yếu hơn" in page


def test_a_makers_list_lets_in_who_waits_already_and_a_broken_one_changes_nothing(house: House) -> None:
    province, unit = person(house, "tinh"), Newcomer("SN-3")
    unit_enrolling.ask(house.ctx, unit.asks(), "")
    for wrong in ("a,b\n1,2", f"serial,fingerprint,vendor\nSN-3,{unit.fingerprint},x\nSN-4,short,x"):
        assert post(province, "/units/factory", list=wrong)[0] == 422
    assert "u-sn-3" not in province.get("/units").text
    assert post(province, "/units/factory", list=f"serial;fingerprint\nSN-3;{unit.fingerprint.upper()}\n\n")[0] == 303
    assert "u-sn-3" in province.get("/units").text
    assert post(province, "/units/factory", list="serial,fingerprint\nSN-3," + "0" * 64)[0] == 409


@pytest.mark.requirement("R-084")
def test_a_revoked_unit_gets_no_file_from_then_on_and_the_page_says_who_why_and_when(house: House) -> None:
    province, technician = person(house, "tinh"), person(house, "kythuat")
    with house.ctx.db.read() as session:
        unit = session.scalars(select(Unit.id).order_by(Unit.id).limit(1)).one()
    path = f"/units/{unit}/revoke"
    assert post(technician, path, kind="stolen", reason="mất ở chợ")[0] == 403
    assert post(province, path, kind="eaten", reason="x")[0] == 422
    assert post(province, path, kind="stolen", reason="")[0] == 422
    assert post(province, path, kind="stolen", reason="mất ở chợ")[0] == 303
    assert post(province, path, kind="stolen", reason="mất ở chợ")[0] == 409
    with house.ctx.db.read() as session:
        assert session.get_one(Revocation, unit).by == "tinh"
        assert session.get_one(Unit, unit).revoked_at is not None
    with pytest.raises(Refused) as caught:
        files.asset_for_unit(house.ctx, unit, house.secret(unit), "0" * 64)
    assert caught.value.key == "unit.unknown"
    page = province.get("/units?show=revoked").text
    assert "mất ở chợ" in page
    assert "Đang báo máy chủ MQTT" in page
    assert acts(house)[-2:] == ["unit.revoke", "unit.revoke.refused"]
