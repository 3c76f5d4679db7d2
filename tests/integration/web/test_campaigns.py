"""Series on the pages and by the API: chosen, looked at, handed in, proven, ended, printed."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select
from support.audio import tone
from support.office import House
from support.pages import Person, person

from broadcasts.domain.programme import PartKind
from broadcasts.domain.statutes import TEMPLATES, Binds
from controller.db.tables import Asset, Broadcast, Bulletin, Campaign, Delivery, RelaySource
from controller.services import sounds
from controller.services.approving import approve, look_at
from controller.services.library import add_recording
from controller.services.programmes import parts_of
from controller.web import series_words
from controller.web.catalogue import sentences

ROOT = Path(__file__).parents[3]


@pytest.fixture
def author(house: House) -> Person:
    return person(house, "phatthanh")


def broadcast_of(house: House, campaign: str) -> str:
    with house.ctx.db.read() as session:
        return session.scalars(select(Broadcast.id).where(Broadcast.campaign_id == campaign)).one()


def on_air(house: House, campaign: str) -> str:
    name, boss = broadcast_of(house, campaign), house.actor("lanhdao")
    approve(house.ctx, boss, name, look_at(house.ctx, boss, name)[2])
    return name


@pytest.mark.parametrize("language", ["vi", "en"])
def test_every_template_law_doubt_gap_and_problem_has_its_words(language: str) -> None:
    told = sentences(language)
    wanted = {f"campaign.{kind}.{name}" for name in TEMPLATES for kind in ("name", "rule")}
    wanted |= {f"campaign.sure.{word}" for each in TEMPLATES.values() for word in each.sure}
    wanted |= {f"campaign.binds.{each}" for each in Binds}
    wanted |= {f"campaign.status.{each}" for each in series_words.STATUS.values()}
    wanted |= {f"campaign.cause.{each}" for each in ("partial", "not_approved", "too_few", "first_late", "unknown")}
    wanted |= {f"campaign.{act}.{how}" for act in ("end", "ended") for how in ("cancel", "final")}
    wanted |= {f"published.{name}" for name in series_words.COLUMNS}
    rules = (ROOT / "broadcasts" / "domain" / "series.py").read_text(encoding="utf-8")
    raised = re.findall(r'Refused\("(campaign\.[a-z_]+)"', rules)
    assert len(raised) > 10
    assert sorted((wanted | {f"errors.{key}" for key in raised}) - told.keys()) == []


def test_the_templates_stand_under_their_laws_with_article_and_how_sure_it_is(author: Person) -> None:
    page = author.get("/campaigns")
    for each in TEMPLATES.values():
        assert f"/campaigns/new?template={each.name}" in page.links
        assert each.law in page.text
        assert each.article in page.text
    assert "có thể đã được luật y tế mới sửa" in page.text.lower()
    assert "/campaigns" in author.get("/more").links


@pytest.mark.parametrize("template", list(TEMPLATES))
def test_each_template_opens_as_a_form_and_shows_what_it_makes_before_it_is_saved(
    house: House, author: Person, asset: Asset, template: str
) -> None:
    page = author.get(f"/campaigns/new?template={template}")
    assert page.status == 200
    later = (house.clock.now() + timedelta(days=9)).date().isoformat()
    told = {
        "asset": asset.sha256,
        "areas": house.commune,
        "title": "Thử",
        "spoken": "1",
        "within_hours": "1",
        "event_day": later,
    }
    seen = author.send(page.form("/campaigns"), **told, act="preview")
    assert seen.status == 200
    assert re.search(r"\d+ lượt tại 5 cụm", seen.text), seen.text
    assert "Thử" in seen.html


@pytest.mark.requirement("R-037", "R-043")
def test_a_series_goes_from_the_form_to_a_report_with_its_gap_and_cause(
    house: House, author: Person, asset: Asset
) -> None:
    page = author.get("/campaigns/new?template=democracy")
    answer = author.send(
        page.form("/campaigns"), asset=asset.sha256, areas=house.commune, title="Danh sách hỗ trợ", act="submit"
    )
    assert answer.status == 200
    with house.ctx.db.read() as session:
        campaign = session.scalars(select(Campaign.id).where(Campaign.title == "Danh sách hỗ trợ")).one()
    address = f"/campaigns/{campaign}"
    name = on_air(house, campaign)
    house.settle(name, state="played", verdict="heard", coverage=1.0)
    down = house.clusters()[2]
    with house.ctx.db.write() as session:
        mine = session.scalars(select(Delivery.start).where(Delivery.broadcast_id == name))
        second = sorted(set(mine))[1]
        row = session.scalars(
            select(Delivery).where(
                Delivery.broadcast_id == name, Delivery.start == second, Delivery.cluster_id == down.id
            )
        ).one()
        row.state, row.verdict, row.reason = "missed", "not_played", "power_off"
        row.silent_since = second - timedelta(minutes=10)
    report = author.get(address)
    assert "Danh sách hỗ trợ" in report.text
    assert report.text.count("Chưa đạt") == 2  # the cluster, and the whole
    assert "ngày 2, 17:00" in report.text
    assert "mất kết nối từ 16:50" in report.text
    assert "Cụm mất điện" in report.text
    assert down.hamlet in report.text
    told = json.loads(author.client.get(f"/api/v1{address}").text)
    places = {place["cluster"]: place for place in told["places"]}
    assert (told["status"], places[down.id]["status"]) == ("not_fulfilled", "not_fulfilled")
    assert [gap["cause"] for gap in places[down.id]["gaps"]] == ["power_off"]
    assert {place["status"] for name_, place in places.items() if name_ != down.id} == {"fulfilled"}
    assert len(places[down.id]["playings"]) == 3


def test_what_is_wrong_comes_back_in_words_and_nothing_typed_is_lost(
    house: House, author: Person, asset: Asset
) -> None:
    page = author.get("/campaigns/new?template=storm_news")
    answer = author.send(
        page.form("/campaigns"), asset=asset.sha256, areas=house.commune, title="Tin bão số 3", act="submit"
    )
    assert answer.status == 422
    assert "đọc giờ ban hành" in answer.text
    assert "Tin bão số 3" in answer.html
    other = author.get("/campaigns/new?template=democracy").form("/campaigns")
    unread = author.send(other, asset=asset.sha256, areas=house.commune, title="x", times="7 rưỡi", act="submit")
    assert unread.status == 422
    assert "Không đọc được giờ phát" in unread.text


@pytest.mark.requirement("R-061")
def test_the_spoken_issue_time_is_heard_before_it_is_handed_in(house: House, author: Person, asset: Asset) -> None:
    page = author.get("/campaigns/new?template=storm_news")
    told = {"asset": asset.sha256, "areas": house.commune, "title": "Tin bão", "within_hours": "1", "announce": "1"}
    seen = author.send(page.form("/campaigns"), **told, act="preview")
    assert seen.status == 200
    said, bulletin = re.findall(r'src="/assets/([0-9a-f]{64})/listen"', seen.html.split('<ol class="programme">')[1])
    assert bulletin == asset.sha256
    assert author.client.get(f"/assets/{said}/listen").status_code == 200
    assert "hoặc để máy đọc" not in seen.text
    programme = seen.html.split('<ol class="programme">')[1].split("</ol>")[0]
    shapes = re.findall(r'<path d="([^"]+)"', programme)
    assert [shape.count("M") > 20 for shape in shapes] == [True, True], "each part is drawn"


def test_a_warning_is_ended_with_a_reason_and_only_once(house: House, author: Person, asset: Asset) -> None:
    now = house.clock.now()
    campaign = house.begin_series(
        asset.sha256, "storm_news", first=now + timedelta(minutes=5), ends_at=now + timedelta(hours=6)
    )
    on_air(house, campaign)
    form = author.get(f"/campaigns/{campaign}").form(f"/campaigns/{campaign}/end")
    assert author.send(form, how="cancel", why=" ").status == 422
    ended = author.send(form, how="cancel", why="Bão tan")
    assert ended.status == 200
    assert "Đã hủy" in ended.text
    assert "Bão tan" in ended.text
    assert author.send(form, how="final", why="x").status == 409


@pytest.mark.requirement("R-039")
def test_the_quarterly_list_prints_as_page_table_and_json_alike(house: House, author: Person, asset: Asset) -> None:
    with house.ctx.db.write() as session:
        for each in session.scalars(select(Campaign)):
            each.title = "cũ"
    campaign = house.begin_series(asset.sha256)
    house.settle(on_air(house, campaign), state="played", verdict="heard", coverage=1.0)
    form = author.get(f"/campaigns/{campaign}").form(f"/campaigns/{campaign}/forms")
    assert author.send(form, other_forms="=Niêm yết từ 04/03").status == 200
    page = author.get("/published?year=2026&quarter=1")
    assert "quý 1 năm 2026" in page.text
    assert "Lịch tiêm chủng" in page.text
    assert "Niêm yết từ 04/03" in page.text
    data = author.client.get("/published.csv?year=2026&quarter=1")
    assert data.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.reader(io.StringIO(data.content.decode("utf-8-sig"))))
    assert rows[0][0] == "Nội dung"
    line = next(row for row in rows if row[0] == "Lịch tiêm chủng")
    assert line[3] == "Phát trên hệ thống truyền thanh; =Niêm yết từ 04/03"
    assert line[-1] == "Đạt"
    told = author.client.get("/api/v1/published?year=2026&quarter=1").json()
    (mine,) = [each for each in told if each["campaign"] == campaign]
    assert (mine["times"], mine["status"], mine["other_forms"]) == (3, "fulfilled", "=Niêm yết từ 04/03")
    assert author.get("/published?year=2026&quarter=2").text.count("Lịch tiêm chủng") == 0
    assert author.get("/published?year=2026&quarter=9").status == 422
    assert author.get("/published?year=x").status == 422


@pytest.mark.requirement("R-024", "R-039")
def test_the_quarterly_list_names_the_station_that_was_relayed(house: House, author: Person, asset: Asset) -> None:
    campaign = house.begin_series(asset.sha256)
    house.settle(on_air(house, campaign), state="played", verdict="heard", coverage=1.0)
    with house.ctx.db.write() as session:
        source = session.scalars(select(RelaySource).order_by(RelaySource.id)).first()
        assert source is not None
        row = session.scalars(select(Broadcast).where(Broadcast.campaign_id == campaign)).one()
        row.relay_source_id, row.relay_minutes, row.relay_silence_s = source.id, 15, 20
        session.get_one(Bulletin, row.bulletin_id).source = source.name
        session.get_one(Campaign, campaign).title = "Bản tin tiếp âm"
        name = source.name
    data = author.client.get("/published.csv?year=2026&quarter=1").content.decode("utf-8-sig")
    head, *rows = csv.reader(io.StringIO(data))
    assert [row[head.index("Đài được tiếp âm")] for row in rows if row[0] == "Bản tin tiếp âm"] == [name]
    told = author.client.get("/api/v1/published?year=2026&quarter=1").json()
    assert [each["relayed"] for each in told if each["campaign"] == campaign] == [[name]]


@pytest.mark.parametrize("template", ["democracy", "storm_news"])
def test_a_series_begins_with_the_chime_that_was_chosen(
    house: House, author: Person, asset: Asset, template: str
) -> None:
    path = house.folder / "chime.wav"
    path.write_bytes(tone(2 + len(template) / 10))
    writer = house.actor("phatthanh")
    chime = add_recording(house.ctx, writer, path, path.name).sha256
    sounds.keep(house.ctx, writer, "chime", f"Nhạc hiệu {template}", chime)
    page = author.get(f"/campaigns/new?template={template}")
    assert f"Nhạc hiệu {template}" in page.text
    told = {
        "asset": asset.sha256,
        "areas": house.commune,
        "title": f"Có nhạc {template}",
        "spoken": "1",
        "within_hours": "1",
    }
    sent = author.send(page.form("/campaigns"), **told, chime=chime, act="submit")
    assert sent.status == 200, sent.text
    with house.ctx.db.read() as session:
        row = session.scalars(
            select(Broadcast)
            .join(Campaign, Broadcast.campaign_id == Campaign.id)
            .where(Campaign.title == f"Có nhạc {template}")
        ).one()
        assert [(part.kind, part.asset) for part in parts_of(session, row.id)] == [
            (PartKind.CHIME, chime),
            (PartKind.BULLETIN, asset.sha256),
        ]


def test_a_title_that_looks_like_a_formula_is_text_in_the_table(house: House, author: Person, asset: Asset) -> None:
    campaign = house.begin_series(asset.sha256)
    house.settle(on_air(house, campaign), state="played", verdict="heard", coverage=1.0)
    with house.ctx.db.write() as session:
        session.get_one(Campaign, campaign).title = "=1+1"
    data = author.client.get("/published.csv?year=2026&quarter=1").content.decode("utf-8-sig")
    assert "'=1+1" in [row[0] for row in csv.reader(io.StringIO(data))]


def test_the_api_makes_what_the_page_makes(house: House, author: Person, asset: Asset) -> None:
    told = {
        "template": "legal_access", "title": "Tiếp cận pháp luật", "asset": asset.sha256,
        "areas": [house.commune], "first": "2026-03-05T17:30:00+07:00",
    }  # fmt: skip
    headers = {"x-form-token": author.token()}
    seen = author.client.post("/api/v1/campaigns/preview", json=told, headers=headers).json()
    assert [each[:10] for each in seen["starts"]] == ["2026-03-05", "2026-03-07", "2026-03-09"]
    assert (seen["problems"], len(seen["clusters"])) == ([], 5)
    made = author.client.post("/api/v1/campaigns", json=told, headers=headers)
    assert made.status_code == 201
    assert made.json()["status"] == "possible"
    names = [each["id"] for each in author.client.get("/api/v1/campaigns").json()]
    assert made.json()["id"] in names
    assert {each["name"] for each in author.client.get("/api/v1/campaigns/templates").json()} == set(TEMPLATES)
