"""What the pages say of the state of the world."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import update
from support.audio import tone
from support.browser import served
from support.office import House, open_house
from support.pages import Person, person

from broadcasts.domain.delivery import State
from broadcasts.domain.verdict import Verdict
from controller.db.tables import Asset, Cluster, RelaySource, Station, UnitFault, UnitPlan, UnitStatus
from controller.services.approving import approve, look_at
from controller.services.composing import submit


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> tuple[House, Asset]:
    found = open_house(tmp_path_factory.mktemp("model"))
    path = found.folder / "a.wav"
    path.write_bytes(tone(10.0))
    asset = found.add_asset(path)
    found.ctx.db.close()
    return found, asset


@pytest.fixture
def house(tmp_path: Path, model: tuple[House, Asset]) -> Iterator[House]:
    """One for each test: they move the clock."""
    found = open_house(tmp_path / "house", sandbox=True, like=model[0])
    yield found
    found.ctx.db.close()


@pytest.fixture
def asset(model: tuple[House, Asset]) -> Asset:
    return model[1]


@pytest.fixture
def author(house: House) -> Person:
    return person(house, "phatthanh")


def on_air(house: House, asset: Asset, **changed: Any) -> str:
    """Approved; at the first commune, in two hours."""
    approver = house.actor("lanhdao")
    broadcast = submit(house.ctx, house.actor("phatthanh"), house.draft(asset.sha256, **changed))
    approve(house.ctx, approver, broadcast, look_at(house.ctx, approver, broadcast)[2])
    return broadcast


def settled(house: House, broadcast: str) -> None:
    """Two hours and a little later: each of the five verdicts at one cluster."""
    start = house.clock.now() + timedelta(hours=2)
    house.clock.advance(2 * 3600 + 60)
    told: dict[str, Any] = {"started_at": start + timedelta(milliseconds=1_250), "late_ms": 1_250, "coverage": 0.5}
    house.settle(broadcast, state=State.PLAYED, verdict=Verdict.HEARD, signed_evidence=True, **told)
    ids = [cluster.id for cluster in house.clusters()]
    house.settle_one(broadcast, ids[1], verdict=Verdict.PLAYED, signed_evidence=False)
    house.settle_one(broadcast, ids[2], verdict=Verdict.FAILED_TO_SOUND, reason="silent_amplifier")
    house.settle_one(broadcast, ids[3], state=State.MISSED, verdict=Verdict.NOT_PLAYED, reason="no_asset")
    house.settle_one(broadcast, ids[4], state=State.READY, verdict=Verdict.UNKNOWN, verdict_at=house.clock.now())


def test_five_verdicts_have_five_marks_and_every_bad_one_a_reason(house: House, asset: Asset, author: Person) -> None:
    broadcast = on_air(house, asset)
    settled(house, broadcast)
    page = author.get(f"/broadcasts/{broadcast}")
    marks = {kind: set(re.findall(rf'mark-{kind}"[^>]*><i class="bi bi-([a-z-]+)"', page.html)) for kind in Verdict}
    assert all(len(icons) == 1 for icons in marks.values())
    assert len(set.union(*marks.values())) == 5
    for sentence in ("dây loa đứt", "chưa tải được tệp âm thanh", "Chưa có tin từ bộ thu", "Bằng chứng chưa ký"):
        assert sentence in page.text
    assert "14:00:01,2" in page.text
    assert "1250 ms" in page.text
    assert "50%" in page.text
    assert "2/5 cụm đã phát" in page.text


def test_home_counts_what_was_heard_and_names_what_went_wrong(house: House, asset: Asset, author: Person) -> None:
    assert "Ba bước để phát bản tin đầu tiên" in author.get("/").text
    broadcast = on_air(house, asset, title="Họp dân")
    page = author.get("/")
    assert "Ba bước" not in page.text
    assert "Họp dân" in page.text
    house.clock.advance(2 * 3600 + 5)
    house.settle(broadcast, state=State.PLAYING)
    assert "5/5 cụm báo đang phát" in author.get("/").text
    house.clock.advance(60)
    house.settle(broadcast, state=State.PLAYED, verdict=Verdict.HEARD)
    house.settle_one(broadcast, house.clusters()[0].id, verdict=Verdict.UNKNOWN)
    page = author.get("/")
    assert "4/5 cụm đã phát" in page.text
    assert "4 /5" in page.text
    house.clock.set(house.clock.now() + timedelta(days=1))
    later = person(house, "phatthanh").get("/")
    assert "4 /5" in later.text.split("Hôm qua")[-1]


def test_only_what_is_held_by_the_unit_counts_as_confirmed(house: House, asset: Asset, author: Person) -> None:
    broadcast = on_air(house, asset)
    assert "0/5 cụm đã xác nhận lịch" in author.get(f"/broadcasts/{broadcast}").text
    house.settle(broadcast, plan_version=7, state=State.PUBLISHED)
    units = [f"u{cluster.id[2:]}" for cluster in house.clusters()]
    with house.ctx.db.write() as session:
        for unit, version in zip(units, (7, 8, 6), strict=False):
            session.add(_status(unit, house, plan_version=version))
    page = author.get(f"/broadcasts/{broadcast}")
    assert "2/5 cụm đã xác nhận lịch" in page.text
    assert "Đã gửi, chờ xác nhận" in page.text
    assert "Đã gửi, cụm đang mất kết nối" in page.text


def _status(unit: str, house: House, **changed: Any) -> UnitStatus:
    now = house.clock.now()
    told: dict[str, Any] = {
        "connected": True,
        "last_sign": now,
        "held": [],
        "alert_versions": {},
        "reported": {"clock": {"source": "signed", "trusted": True, "error_ms": 40}, "firmware": "2.1"},
        "telemetry": {
            "power": "battery",
            "volts": 12.4,
            "signal_dbm": -91,
            "storage_free_mb": 900,
            "temperature_c": 41,
        },
        "telemetry_at": now,
    }
    return UnitStatus(unit_id=unit, **told | changed)


@pytest.mark.requirement("R-077", "R-070", "R-071", "R-075")
def test_the_worst_cluster_comes_first_and_says_why(house: House) -> None:
    technician = person(house, "kythuat")
    clusters = house.clusters()
    units = [f"u{cluster.id[2:]}" for cluster in clusters]
    now = house.clock.now()
    with house.ctx.db.write() as session:
        for unit in units[3:]:
            session.add(_status(unit, house))
        session.add(_status(units[0], house, connected=False, last_sign=now - timedelta(hours=3)))
        session.add(_status(units[1], house))
        session.add(UnitFault(unit_id=units[1], code="speaker_wire", raised_at=now))
        session.add(_status(units[2], house, last_sign=now - timedelta(hours=1)))
    page = technician.get("/clusters")
    order = [link.removeprefix("/clusters/") for link in page.links if link.startswith("/clusters/cl-")]
    assert order[:3] == [clusters[0].id, clusters[1].id, clusters[2].id]
    assert "tin cuối: 3 giờ trước" in page.text
    only = technician.get("/clusters?show=offline")
    assert [link for link in only.links if link.startswith("/clusters/cl-")] == [f"/clusters/{clusters[0].id}"]
    ill = technician.get(f"/clusters/{clusters[1].id}")
    for sentence in ("Dây loa đứt", "Ắc quy", "12.4 V", "-91 dBm", "41 °C", "sai không quá 40 ms", "Giờ đáng tin"):
        assert sentence in ill.text


@pytest.mark.requirement("R-073")
def test_a_cluster_whose_horns_are_too_weak_or_too_strong_together_says_so(house: House) -> None:
    technician, cluster = person(house, "kythuat"), house.clusters()[0]

    def flagged(horns: int, watts: int) -> bool:
        with house.ctx.db.write() as session:
            stored = session.get_one(Cluster, cluster.id)
            stored.horns, stored.horn_watts = horns, watts
        return "ngoài khoảng 50 đến 120 W" in technician.get(f"/clusters/{cluster.id}").text

    assert [flagged(*each) for each in ((2, 25), (4, 30), (2, 24), (4, 31), (0, 30))] == [
        False,
        False,
        True,
        True,
        True,
    ]


def test_a_cluster_shows_the_plan_that_it_holds_against_the_one_it_should(house: House) -> None:
    technician = person(house, "kythuat")
    cluster = house.clusters()[0]
    unit, now = f"u{cluster.id[2:]}", house.clock.now()
    with house.ctx.db.write() as session:
        session.add(_status(unit, house, plan_version=5))
        session.add(
            UnitPlan(
                unit_id=unit,
                version=6,
                body_sha256="",
                document_sha256="",
                document=b"",
                compiled_at=now,
                horizon_end=now + timedelta(days=7),
                due_again=now,
            )
        )
    page = technician.get(f"/clusters/{cluster.id}")
    assert "Đang giữ lịch cũ" in page.text
    assert "đang giữ 5, cần 6" in page.text


def test_a_made_up_station_says_so_where_its_name_is_read_first(house: House, asset: Asset, author: Person) -> None:
    pages = {
        "/clusters": 2,  # one for each of the two stations, not for each of their clusters
        f"/clusters/{house.clusters()[0].id}": 1,
    }
    technician = person(house, "kythuat")
    for path, times in pages.items():
        assert technician.get(path).text.count("minh họa") == times, path
    form = author.get("/broadcasts/new")
    places = form.html.count("place-group")
    assert form.html.count("chip-illustrative") >= places > 0
    looked = author.send(form.form("/broadcasts"), act="preview", asset=asset.sha256, areas=[house.commune])
    preview = looked.html.partition('id="preview"')[2]
    assert preview.count("chip-illustrative") == 1 + 5, "the sentence, and each cluster in the list"
    with house.ctx.db.write() as session:
        for made_up in (Station, RelaySource):
            session.execute(update(made_up).values(illustrative=False))
    for path in (*pages, "/broadcasts/new"):
        assert "minh họa" not in author.get(path).text


def test_author_and_approver_are_told_the_same(house: House, asset: Asset, author: Person) -> None:
    on_air(house, asset, title="Đã có sẵn")
    form = author.get("/broadcasts/new").form("/broadcasts")
    told = {
        "asset": asset.sha256,
        "title": "Mới",
        "areas": [house.commune],
        "when": "daily",
        "time": "14:00:05",
        "priority": "2",
        "until": "2026-03-05",
    }
    looked = author.send(form, act="preview", **told)
    sentence = "Sẽ phát 10 giây, tại 5 cụm (10 loa), lúc 14:00:05 hôm nay."
    clash = "Chen ngang “Đã có sẵn” lúc 14:00:05 hôm nay tại 5 cụm. Bản bị chen sẽ phát tiếp phần còn lại."
    assert sentence in looked.text
    assert clash in looked.text
    assert "3 lượt trong 7 ngày tới" in looked.text
    sent = author.send(looked.form("/broadcasts"), act="submit")
    assert "Đã gửi phê duyệt" in sent.text
    approver = person(house, "lanhdao")
    queue = approver.get("/approvals")
    page = approver.get(next(link for link in queue.links if link.startswith("/approvals/")))
    assert sentence in page.text
    assert clash in page.text
    assert re.search(r'name="seen" value="[0-9a-f]{64}"', page.html)


def test_the_week_shows_what_is_approved_and_what_only_might_be(house: House, asset: Asset, author: Person) -> None:
    on_air(house, asset, title="Chắc chắn", repeat="daily")
    submit(house.ctx, house.actor("phatthanh"), house.draft(asset.sha256, title="Có lẽ"))
    page = author.get("/schedule")
    assert page.text.count("Chắc chắn") == 7
    assert page.text.count("Có lẽ") == 1
    assert "hôm nay, thứ Ba, 03/03" in page.text
    assert "Không có lượt phát" in author.get("/schedule?from=2027-01-01").text


def test_a_withdrawn_bulletin_leaves_the_week_but_not_its_page(house: House, asset: Asset, author: Person) -> None:
    broadcast = on_air(house, asset, title="Rút lại")
    page = author.get(f"/broadcasts/{broadcast}")
    page = author.send(page.form(f"/broadcasts/{broadcast}/withdraw"))
    assert "Đã rút bản tin" in page.text
    assert "Rút lại" not in author.get("/schedule").text
    assert "Không phát" in author.get(f"/broadcasts/{broadcast}").text
    assert "Cần chú ý" in author.get("/").text
    assert "0/5" not in author.get("/").text


def test_a_lost_link_is_said_on_every_page(house: House, author: Person) -> None:
    house.up[0] = False
    for path in ("/", "/clusters", "/broadcasts/new"):
        assert "lịch đã gửi vẫn phát bình thường" in author.get(path).text
    house.up[0] = True
    assert "lịch đã gửi vẫn phát bình thường" not in author.get("/").text


def test_the_demo_says_when_its_stations_are_closed_and_moves_its_clock(house: House, author: Person) -> None:
    assert "Các đài mẫu chỉ được phát" not in author.get("/").text
    house.clock.advance(10 * 3600)
    page = author.get("/")
    assert "Các đài mẫu chỉ được phát từ 05:00 đến 21:00" in page.text
    page = author.send(page.form("/sandbox/clock"))
    assert "05:00" in page.text
    assert "Các đài mẫu chỉ được phát" not in page.text


def test_the_simulator_page_does_what_the_button_says(house: House, author: Person) -> None:
    cluster = house.clusters()[0]
    house.poles.shown = [
        {
            "cluster": cluster.id,
            "unit": "u-1",
            "online": False,
            "sounding": "Tin <b>đậm</b>",
            "volume": 60,
            "faults": ["wire_cut"],
            "heard": [{"asset": "a" * 64, "title": None, "from": house.clock.now(), "to": None, "volume": 60}],
        }
    ]
    page = author.get("/sandbox")
    assert cluster.name in page.text
    assert "Tin <b>đậm</b>" in page.text
    assert "Đứt dây loa" in page.text
    done = author.send(page.form("/sandbox/act"), act="reboot", pole="u-1")
    assert "Đã làm: Khởi động lại" in done.text
    author.send(page.form("/sandbox/act"), act="wipe_broker", pole="u-1")
    assert house.poles.acts == [("reboot", {"unit": "u-1"}), ("wipe_broker", {})]
    house.poles.silent = True
    silent = author.get("/sandbox")
    assert "Bộ mô phỏng không trả lời" in silent.text
    assert author.send(page.form("/sandbox/act"), act="reboot", pole="u-1").status == 503


def test_outside_a_demo_there_is_no_simulator(tmp_path: Path) -> None:
    house = open_house(tmp_path, clusters=1)
    somebody = person(house, "tinh")
    for path in ("/sandbox", "/sandbox/rows"):
        assert somebody.get(path).status == 404
    assert "Mô phỏng" not in somebody.get("/more").text


def test_live_rows_are_sent_when_they_changed_and_only_then(house: House, asset: Asset, author: Person) -> None:
    broadcast = on_air(house, asset)
    page = author.get(f"/broadcasts/{broadcast}")
    found = re.search(r'hx-get="([^"]+)"', page.html)
    assert found
    address = found.group(1).replace("&amp;", "&")
    assert author.client.get(address).status_code == 204
    house.settle(broadcast, state=State.PLAYING)
    answer = author.client.get(address)
    assert answer.status_code == 200
    assert "Đang phát" in answer.text
    again = re.search(r'hx-get="([^"]+)"', answer.text)
    assert again
    assert author.client.get(again.group(1).replace("&amp;", "&")).status_code == 204


def test_the_stream_tells_of_a_change_and_ends_with_the_server(house: House, asset: Asset, author: Person) -> None:
    broadcast = on_air(house, asset)
    with (
        served(house.app) as base,
        httpx.Client(base_url=base, cookies=dict(author.client.cookies), timeout=20) as client,
        client.stream("GET", f"/broadcasts/{broadcast}/live?seen=old") as answer,
    ):
        assert answer.headers["content-type"].startswith("text/event-stream")
        events = (line for line in answer.iter_lines() if line.startswith("event"))
        assert next(events) == "event: changed"
        house.settle(broadcast, state=State.PLAYING)
        assert next(events) == "event: changed"
        house.office.closing.set()
        assert next(events, "the end") == "the end"


def test_with_too_many_streams_the_page_goes_on_asking_instead(house: House, author: Person) -> None:
    house.app.state.streams = 1_000
    assert author.client.get("/clusters/live?seen=old").status_code == 204
    assert author.client.get("/clusters/rows?seen=old").status_code == 200
