"""The fleet's health on a map: five states that colour-blind people can tell, the same as a list, nothing fetched from
anywhere unless the operator says from where."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete, insert, update
from starlette.testclient import TestClient
from support.office import PROVINCE, House, open_house
from support.pages import person

from broadcasts.domain import tiles
from controller.app import create_app
from controller.db.tables import Assignment, Cluster, FaultCase, Station, UnitPlan, UnitStatus
from controller.services.rights import Role
from controller.services.views import fleet_map
from controller.services.views.fleet_map import State


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """Of the commune's five poles each is in another state; the other commune's never came."""
    found = open_house(tmp_path)
    found.add_user("tho", Role.TECHNICIAN, PROVINCE[0])
    found.add_user("xa-khac", Role.TECHNICIAN, "c-31618")
    now = found.clock.now()
    here = {"connected": True, "presence_at": now, "last_sign": now, "telemetry_at": now, "telemetry": {}}
    with found.ctx.db.write() as session:
        session.execute(delete(UnitStatus))
        for number, (cluster, said) in enumerate(
            zip(
                found.clusters()[:4],
                ({}, {}, {"telemetry_at": now - timedelta(hours=2)}, {"connected": False}),
                strict=True,
            )
        ):
            unit = session.query(Assignment.unit_id).filter_by(cluster_id=cluster.id, until=None).scalar()
            session.add(UnitStatus(unit_id=unit, **here | said))
            session.get_one(Cluster, cluster.id).name = f"Cột {number}"
            session.get_one(Cluster, cluster.id).longitude = 106.0 + number / 100
            session.get_one(Cluster, cluster.id).latitude = 9.6
        session.add(
            FaultCase(
                id="f-1", code="cabinet_hot", cluster_id=found.clusters()[1].id, area_id=found.commune,
                since=now, raised_at=now,
            )
        )  # fmt: skip
    yield found
    found.ctx.db.close()


def test_each_pole_has_the_shape_and_colour_of_its_state_and_stands_in_the_list(house: House) -> None:
    text = person(house, "tho").client.get(f"/fleet/map?area={house.commune}").text
    picture, listed = text.split('class="map-picture')[1].split("</svg>")[0], text.split('class="mark-list"')[1]
    for number, state in enumerate(("well", "fault", "unable", "away")):
        assert picture.count(f'class="mark mark-{state}"') == 1, state
        assert f"Cột {number}" in picture
        assert f"Cột {number}" in listed
    assert picture.count('class="mark mark-never"') == 1
    assert len(set(fleet_map.STATES)) == 5
    assert "style=" not in text
    assert "<image" not in text


def test_filters_count_all_and_show_some(house: House) -> None:
    client = person(house, "tho").client
    text = client.get("/fleet/map?state=away").text
    assert text.count('class="mark mark-') == 1
    assert "Cột 3" in text
    assert 'Mất kết nối <span class="count">1</span>' in text
    assert client.get("/fleet/map?state=broken").status_code in (400, 422)
    assert client.get("/fleet/map?area=c-99999").status_code in (403, 404)


def test_nobody_sees_another_commune(house: House) -> None:
    client = person(house, "xa-khac").client
    assert "Cột" not in client.get("/fleet/map").text
    assert client.get(f"/fleet/map?area={house.commune}").status_code in (403, 404)


def test_thousands_of_poles_are_shown_as_communes(house: House) -> None:
    with house.ctx.db.write() as session:
        station = session.query(Station).filter_by(area_id=house.commune).one().id
        rows = [
            {"id": f"cl-x-{n}", "station_id": station, "name": f"X {n}", "added_at": house.clock.now(),
             "longitude": 106 + n / 10_000, "latitude": 9.5}
            for n in range(fleet_map.MOST_POLES)
        ]  # fmt: skip
        session.execute(insert(Cluster), rows)
    found = person(house, "tho").client.get("/fleet/map").text
    assert found.count('class="mark mark-') == 2
    assert f'href="/fleet/map?area={house.commune}"' in found
    assert "mỗi dấu là một xã" in found


def test_pictures_come_from_one_place_only_where_the_operator_says_so(house: House) -> None:
    chosen = tiles.read("https://tiles.example.vn/{z}/{x}/{y}.png", "© Bản đồ mẫu")
    office = replace(house.app.state.office, tiles=chosen)
    plain = person(house, "tho").client
    assert "example.vn" not in plain.get("/fleet/map").headers["content-security-policy"]
    client = TestClient(create_app(office), cookies=plain.cookies, base_url=str(plain.base_url))
    answer = client.get("/fleet/map")
    assert "img-src 'self' data: https://tiles.example.vn;" in answer.headers["content-security-policy"]
    assert answer.text.count("<image ") >= 2
    assert "© Bản đồ mẫu" in answer.text
    assert "example.vn" not in client.get("/fleet").headers["content-security-policy"]


def test_a_state_is_reckoned_from_what_is_known(house: House) -> None:
    with house.ctx.db.read() as session:
        states = {
            pole.name: pole.state for pole in fleet_map.poles(session, frozenset({house.commune}), house.clock.now())
        }
    assert [states[f"Cột {n}"] for n in range(4)] == [State.WELL, State.FAULT, State.UNABLE, State.AWAY]


def test_clusters_are_filtered_by_what_they_lack_with_how_long_and_why(house: House) -> None:
    now = house.clock.now()
    with house.ctx.db.write() as session:
        session.execute(delete(UnitPlan))
        unit = session.query(Assignment.unit_id).filter_by(cluster_id=house.clusters()[3].id, until=None).scalar()
        made = {"compiled_at": now - timedelta(hours=3), "horizon_end": now, "due_again": now, "published_at": now}
        session.add(UnitPlan(unit_id=unit, version=7, body_sha256="", document_sha256="", document=b"", **made))
        session.execute(update(UnitStatus).where(UnitStatus.unit_id == unit).values(plan_version=6))
    client = person(house, "tho").client
    text = client.get("/clusters?show=not_converged").text
    tile = next(part for part in text.split('<a class="tile') if "Cột 3" in part)
    assert "Đang mất kết nối" in tile
    assert "chậm 3 giờ" in tile
    mute = client.get("/clusters?show=unable").text
    assert "Cột 2" in mute
    assert "Cột 0" not in mute
    told = {each["name"]: each for each in client.get("/api/v1/clusters").json()}
    assert (told["Cột 3"]["not_converged"], told["Cột 0"]["able"], told["Cột 2"]["able"]) == ("offline", True, False)


def test_a_long_list_comes_in_pages(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controller.web.pages.clusters.AT_ONCE", 4)
    client = person(house, "tho").client
    first, last = client.get("/clusters").text, client.get("/clusters?from=8").text
    assert "1–4 trong 10 cụm" in first
    assert 'href="/clusters?show=all&amp;from=4"' in first
    assert "9–10 trong 10 cụm" in last
    assert client.get("/clusters?from=x").status_code in (400, 422)
    assert "9–10 trong" in client.get("/clusters?from=99999").text
