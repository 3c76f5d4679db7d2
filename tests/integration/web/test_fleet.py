"""The pages of health for people without other tools, and what they give away as files."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from openpyxl import load_workbook
from sqlalchemy import select
from support.office import PROVINCE, House, open_house
from support.pages import person

from controller.db.tables import AuditEntry, Cluster, ClusterDay, FaultCase
from controller.services.history_keeping import local_day
from controller.services.rights import Role


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    found = open_house(tmp_path)
    found.add_user("tho", Role.TECHNICIAN, PROVINCE[0])
    found.add_user("xa-khac", Role.TECHNICIAN, "c-31618")
    now = found.clock.now()
    with found.ctx.db.write() as session:
        session.get_one(Cluster, found.clusters()[0].id).name = '=HYPERLINK("https://la.example")'
        session.add(
            ClusterDay(cluster_id=found.clusters()[0].id, day=local_day(now), link="1~0" * 32, power="mbx" * 32)
        )
        session.add(
            FaultCase(
                id="f-1", code="line_open", cluster_id=found.clusters()[0].id, area_id=found.commune,
                since=now - timedelta(hours=4), raised_at=now - timedelta(hours=4),
            )
        )  # fmt: skip
    yield found
    found.ctx.db.close()


def test_the_overview_leads_to_the_commune_and_the_commune_to_the_pole(house: House) -> None:
    client = person(house, "tho").client
    text = client.get("/fleet").text
    assert f'href="/fleet/{house.commune}"' in text
    assert "1 sự cố cần đi ngay" in text
    one = client.get(f"/fleet/{house.commune}").text
    assert f'href="/clusters/{house.clusters()[0].id}/history"' in one
    assert "Đứt dây loa" in one or "loa" in one.lower()
    assert "=HYPERLINK(&#34;https://la.example&#34;)" in one


def test_the_past_is_one_picture_with_a_name_and_the_same_as_a_list(house: House) -> None:
    text = person(house, "tho").client.get(f"/clusters/{house.clusters()[0].id}/history?days=7").text
    assert text.count('<svg class="lanes"') == 1
    assert 'aria-labelledby="lanes-title lanes-about"' in text
    for kind in ("mains", "battery", "lost", "there", "partly", "away", "fault"):
        assert f'class="bar bar-{kind}"' in text
    assert "style=" not in text
    assert "Xem thành danh sách" in text


@pytest.mark.parametrize("query", ["days=2", "days=7&until=31-02-2026", "days=1&until=9999-12-31", "days=x"])
def test_a_stretch_of_time_that_is_none_is_refused_in_words(house: House, query: str) -> None:
    answer = person(house, "tho").client.get(f"/clusters/{house.clusters()[0].id}/history?{query}")
    assert answer.status_code in (400, 422)


@pytest.mark.parametrize(
    "path", ["/fleet", "/fleet/trends", "/clusters/{cluster}/history", "/fleet/{commune}", "/fleet/{commune}/history"]
)
def test_files_have_vietnamese_heads_run_nothing_and_are_written_down(house: House, path: str) -> None:
    client = person(house, "tho").client
    path = path.format(cluster=house.clusters()[0].id, commune=house.commune)
    table = client.get(f"{path}.csv").content.decode("utf-8-sig")
    head = table.splitlines()[0]
    assert head.split(",")[0] in ("Địa bàn", "Kỳ", "Hàng", "Cụm loa")
    assert not any(cell.startswith("=") for line in table.splitlines() for cell in line.split(","))
    book = load_workbook(io.BytesIO(client.get(f"{path}.xlsx").content))
    cells = [cell for row in book.worksheets[0].iter_rows() for cell in row]
    assert cells[0].value == head.split(",")[0]
    assert {cell.data_type for cell in cells if cell.value is not None} <= {"s", "inlineStr"}
    with house.ctx.db.read() as session:
        acts = session.scalars(select(AuditEntry).where(AuditEntry.act == "health.export")).all()
    assert [each.detail["kind"] for each in acts] == ["csv", "xlsx"]


def test_a_commune_is_given_away_pole_by_pole_with_the_past_of_all_of_them(house: House) -> None:
    client, first = person(house, "tho").client, house.clusters()[0]
    with house.ctx.db.write() as session:
        session.get_one(Cluster, first.id).name = "Cột chợ"
        other = house.clusters()[1].id
        session.add(ClusterDay(cluster_id=other, day=local_day(house.clock.now()), link="1" * 96, power="m" * 96))
    rows = client.get(f"/fleet/{house.commune}.csv").content.decode("utf-8-sig").splitlines()
    assert len(rows) == 1 + 5 + 1, "head, five poles, all together"
    past = client.get(f"/fleet/{house.commune}/history.csv?days=7").content.decode("utf-8-sig").splitlines()
    assert {row[0] for row in csv.reader(past[1:])} == {"Cột chợ", house.clusters()[1].name}
    assert client.get(f"/fleet/{house.commune}/history.csv?days=4").status_code in (400, 422)
    text = client.get(f"/fleet/{house.commune}").text
    assert f'href="/fleet/{house.commune}/history.xlsx?days=30"' in text
    with house.ctx.db.read() as session:
        acts = session.scalars(select(AuditEntry).where(AuditEntry.act == "health.export")).all()
    assert [(each.detail["what"], each.detail["rows"]) for each in acts] == [("commune", 6), ("history", len(past) - 1)]


def test_trends_are_shown_by_week_and_month(house: House) -> None:
    client = person(house, "tho").client
    assert "Tuần từ" in client.get("/fleet/trends").text
    text = client.get(f"/fleet/trends?by=month&area={house.commune}").text
    assert "Tháng 3/2026" in text
    assert client.get("/fleet/trends?by=year").status_code in (400, 422)


def test_programs_read_the_same_numbers(house: House) -> None:
    client = person(house, "tho").client
    told = client.get("/api/v1/fleet").json()
    assert told["total"]["clusters"] == 10
    assert told["total"]["faults"] == {"now": 1, "today": 0, "round": 0}
    assert [line["clusters"] for line in client.get(f"/api/v1/fleet/{house.commune}").json()["lines"]] == [1] * 5
    assert client.get("/api/v1/fleet/trends?by=month").json()[-1]["faults"] == {"line_open": 1}
    told = client.get(f"/api/v1/clusters/{house.clusters()[0].id}/history?days=2").json()
    assert {each["kind"] for each in told["link"]} == {"1", "~", "0"}
    assert [each["kind"] for each in told["faults"]] == ["line_open"]


def test_a_technician_of_another_commune_sees_his_own_alone(house: House) -> None:
    client = person(house, "xa-khac").client
    assert house.commune not in client.get("/fleet").text
    assert client.get(f"/fleet/{house.commune}").status_code in (403, 404)
    assert client.get(f"/clusters/{house.clusters()[0].id}/history").status_code in (403, 404)
