"""Poles that come, move and go, and the papers of what hangs on them."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from sqlalchemy import select
from support.services import HERE, THERE, House, raises

from broadcasts.errors import Conflict, Refused
from controller.db.tables import AuditEntry, Cluster, Hardware, Pole, Unit
from controller.services import asset_book, collecting, hardware, photos, placing, swapping
from controller.services.hardware import Class, Papers
from controller.services.placing import Place

CLUSTER, UNIT = f"cl-{HERE}-1", f"u-{HERE}-1"
WHOLE = Papers(
    vendor="Bộ Thu Việt", model="BT-60", serial="BT60-0001", supplier_code="NCC01", supplier="Công ty A",
    contract="12/HĐ-2025", purchased_on=date(2025, 1, 10), warranty_until=date(2027, 1, 9), funding="central",
    purpose="new_station", cost_vnd=28_500_000, sim_operator="Viettel", sim_number="0901234567",
    sim_iccid="8984012345678901234", sim_quota_mb=300, notes="cạnh nhà văn hóa",
)  # fmt: skip


def pole(house: House, cluster: str = CLUSTER) -> Place:
    with house.ctx.db.read() as session:
        return placing.place_of(session.get_one(Cluster, cluster))


def papers(house: House, unit: str = UNIT) -> Papers:
    with house.ctx.db.read() as session:
        return hardware.of_unit(session, unit)


def put(house: House, told: Papers = WHOLE, cluster: str = CLUSTER, **how: Any) -> None:
    hardware.put(house.ctx, house.actor("kythuat"), cluster, told, **how)


def test_a_new_pole_gets_a_unit_and_from_then_on_hears_what_is_for_its_commune(house: House) -> None:
    broadcast = house.on_air(also_later=True)
    house.compile()
    tech = house.actor("kythuat")
    new = placing.put_up(house.ctx, tech, f"s-{HERE}", Place("Cụm chợ mới", 9.6, 106.1))
    with house.ctx.db.write() as session:
        session.add(Unit(id="u-new", key_x="x" * 43, secret_hashes={"sha256": "0"}, enrolled_at=house.now))
    swapping.swap(house.ctx, tech, new, "u-new", "")
    house.compile()
    assert [item.id for item in house.plan("u-new").items] == [
        row.id for row in house.deliveries(broadcast) if row.cluster_id == new
    ]
    assert house.plan("u-new").items != []
    with raises(Conflict, "place.name_taken"):
        placing.put_up(house.ctx, tech, f"s-{HERE}", Place("cụm CHỢ mới"))


def test_a_pole_that_is_taken_down_frees_its_unit_and_nothing_is_planned_there_again(house: House) -> None:
    broadcast = house.on_air()
    daily = house.on_air(repeat="daily", at=(house.now + timedelta(hours=10)).time())
    house.compile()
    tech = house.actor("kythuat")
    with raises(Refused, "place.confirm"):
        placing.take_down(house.ctx, tech, CLUSTER, sure=False)
    placing.take_down(house.ctx, tech, CLUSTER, sure=True, why="cột gãy")
    house.compile()
    rows = [row for each in (broadcast, daily) for row in house.deliveries(each) if row.cluster_id == CLUSTER]
    assert rows
    assert {(row.state, row.reason) for row in rows} == {("withdrawn", placing.TAKEN_DOWN)}
    assert house.plan(UNIT).items == []
    house.clock.advance(3 * 86_400)
    house.compile()
    after = [row for row in house.deliveries(daily) if row.cluster_id == CLUSTER]
    assert len(after) == len([row for row in rows if row.broadcast_id == daily]), "no more came into being"
    assert len(house.deliveries(daily)) > 5 * len(after), "elsewhere it goes on"
    with raises(Refused, "cluster.unknown"):
        placing.alter(house.ctx, tech, CLUSTER, Place("Cụm 1"))
    swapping.swap(house.ctx, tech, f"cl-{HERE}-2", UNIT, None)
    assert house.delivery(broadcast).id, "what was is still told"


def test_a_move_or_other_horns_are_a_line_of_the_log_with_before_and_after(house: House) -> None:
    was = pole(house)
    told = replace(was, latitude=9.7, longitude=106.2, horns=4)
    placing.alter(house.ctx, house.actor("tinh"), CLUSTER, told, placing.revision_of(was))
    assert pole(house) == told
    with raises(Conflict, "cluster.changed"):
        placing.alter(house.ctx, house.actor("tinh"), CLUSTER, was, placing.revision_of(was))
    with house.ctx.db.read() as session:
        [line] = session.scalars(select(AuditEntry).where(AuditEntry.act == "cluster.alter"))
    assert line.detail["changed"]["horns"] == [was.horns, 4]
    assert set(line.detail["changed"]) == {"horns", "latitude", "longitude"}


@pytest.mark.parametrize(
    ("wrong", "key"),
    [({"name": ""}, "place.name"), ({"name": "a\x00b"}, "place.name"), ({"latitude": 106.1, "longitude": 9.6},
     "place.position"), ({"latitude": None}, "place.position"), ({"latitude": float("nan")}, "place.position"),
     ({"horns": 0}, "place.horns"), ({"horn_watts": 999}, "place.horns"), ({"site": "disco"}, "regulation.site"),
     ({"languages": ()}, "cluster.languages")],
)  # fmt: skip
def test_what_no_pole_can_be_is_refused_with_its_reason(house: House, wrong: dict[str, Any], key: str) -> None:
    was = pole(house)
    with raises(Refused, key):
        placing.alter(house.ctx, house.actor("kythuat"), CLUSTER, replace(was, **wrong))
    assert pole(house) == was


def test_who_has_no_right_there_changes_no_pole(house: House) -> None:
    for name in ("author", "boss"):
        with raises(Refused, "no_right"):
            placing.alter(house.ctx, house.actor(name), CLUSTER, pole(house))
    with raises(Refused, "station.unknown"):
        placing.put_up(house.ctx, house.actor("kythuat"), "s-never", Place("Cụm"))


def test_papers_typed_for_the_box_before_are_not_written_into_the_one_that_took_its_place(house: House) -> None:
    seen = hardware.revision_of(UNIT, hardware.NOTHING)
    with house.ctx.db.write() as session:
        session.add(Unit(id="u-moi", key_x="x" * 43, secret_hashes={"sha256": "0"}, enrolled_at=house.now))
    swapping.swap(house.ctx, house.actor("kythuat"), CLUSTER, "u-moi", UNIT)
    with raises(Conflict, "hardware.changed"):
        put(house, WHOLE, seen=seen)


@pytest.mark.requirement("R-074", "R-141", "R-142", "R-086")
def test_the_papers_of_a_unit_are_kept_whole_and_each_change_is_told(house: House) -> None:
    put(house)
    assert papers(house) == WHOLE
    other = replace(WHOLE, warranty_until=date(2028, 1, 9), notes="")
    put(house, other, seen=hardware.revision_of(UNIT, WHOLE))
    assert papers(house) == other
    with raises(Conflict, "hardware.changed"):
        put(house, WHOLE, seen=hardware.revision_of(UNIT, WHOLE))
    with house.ctx.db.read() as session:
        lines = session.scalars(select(AuditEntry).where(AuditEntry.act == "hardware.put").order_by(AuditEntry.id))
        changed = [line.detail["changed"] for line in lines]
    assert changed[1] == {"warranty_until": ["2027-01-09", "2028-01-09"], "notes": ["cạnh nhà văn hóa", ""]}


def test_a_serial_or_a_card_is_in_one_box_only(house: House) -> None:
    put(house)
    for clash, key in (
        (Papers(serial=WHOLE.serial), "hardware.serial_taken"),
        (Papers(sim_iccid="8984 0123 4567 8901 234"), "hardware.iccid_taken"),
    ):
        with pytest.raises(Conflict) as told:
            put(house, clash, f"cl-{HERE}-2")
        assert (told.value.key, told.value.fields["unit"]) == (key, UNIT)
    assert papers(house, f"u-{HERE}-2") == hardware.NOTHING


@pytest.mark.parametrize(
    ("wrong", "key"),
    [({"vendor": "A", "model": ""}, "hardware.class"), ({"serial": "x" * 61}, "hardware.text"),
     ({"warranty_until": date(2024, 1, 1)}, "hardware.day"), ({"purchased_on": date(25, 1, 1)}, "hardware.day"),
     ({"cost_vnd": -1}, "hardware.money"), ({"sim_number": "call me"}, "hardware.sim"),
     ({"sim_iccid": "123"}, "hardware.sim"), ({"sim_quota_mb": 0}, "hardware.quota"),
     ({"funding": "lottery"}, "choice.unknown")],
)  # fmt: skip
def test_papers_that_say_what_cannot_be_are_refused(house: House, wrong: dict[str, Any], key: str) -> None:
    with raises(Refused, key):
        put(house, replace(WHOLE, **wrong))
    assert papers(house) == hardware.NOTHING


@pytest.mark.requirement("R-073", "R-141")
def test_what_somebody_should_look_at_is_said(house: House) -> None:
    tech = house.actor("kythuat")
    hardware.put_class(house.ctx, tech, Class("cluster", "Bộ Thu Việt", "BT-60", 40, ("line",), ("opus",), "mains_dc"))
    placing.alter(house.ctx, tech, CLUSTER, replace(pole(house), horns=5, horn_watts=30))
    put(house, replace(WHOLE, warranty_until=house.now.date() + timedelta(days=5), cost_vnd=250_000_000,
                       purchased_on=date(2025, 1, 1)))  # fmt: skip
    put(house, Papers(funding="central", purpose="new_station", cost_vnd=60_000_000), f"cl-{HERE}-2")

    def said(cluster: str, unit: str) -> dict[str, dict[str, Any]]:
        with house.ctx.db.read() as session:
            row = session.get_one(Cluster, cluster)
            return {each.key: dict(each.told) for each in hardware.warnings(session, row, unit, house.now.date())}

    assert said(f"cl-{THERE}-1", f"u-{THERE}-1") == {}
    found = said(CLUSTER, UNIT)
    assert found.keys() == {"watts", "weak", "class_watts", "warranty_soon", "money"}
    assert found["watts"] == {"watts": 150, "least": 50, "most": 120}
    assert found["money"] == {"spent": "310.000.000", "limit": "300.000.000"}


@pytest.mark.requirement("R-003")
def test_the_five_classes_of_the_circular_are_known_and_a_class_is_said_anew_in_place(house: House) -> None:
    tech = house.actor("kythuat")
    for kind in hardware.KINDS:
        hardware.put_class(house.ctx, tech, Class(kind, "Hãng", f"M-{kind}"))
    first = hardware.put_class(house.ctx, tech, Class("loudspeaker", "Hãng", "M-loudspeaker", 30))
    with house.ctx.db.read() as session:
        found = {row.kind: (row.watts, row.id) for row in hardware.classes(session)}
    assert found.keys() == set(hardware.KINDS)
    assert found["loudspeaker"] == (30, first)
    with raises(Refused, "choice.unknown"):
        hardware.put_class(house.ctx, tech, Class("radio", "Hãng", "M"))


@pytest.mark.requirement("R-142")
def test_the_asset_book_holds_repairs_with_their_money_and_is_only_added_to(house: House) -> None:
    tech = house.actor("kythuat")
    line = asset_book.Line("repair", date(2026, 3, 1), 450_000, "commune", "thay nguồn")
    asset_book.add(house.ctx, tech, CLUSTER, line)
    with raises(Refused, "hardware.day"):
        asset_book.add(house.ctx, tech, CLUSTER, replace(line, on_day=date(2027, 1, 1)))
    with house.ctx.db.read() as session:
        [row] = asset_book.lines(session, CLUSTER)
    assert (row.what, row.cost_vnd, row.funding, row.unit_id) == ("repair", 450_000, "commune", UNIT)


def picture(tmp_path: Path, size: tuple[int, int] = (2400, 1200), kind: str = "JPEG") -> Path:
    """As a phone takes it: turned on its side, with the place where it was taken."""
    path = tmp_path / f"photo.{kind.lower()}"
    image = Image.new("RGB", size, (20, 90, 200))
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x8825] = {1: "N", 2: (9.0, 36.0, 0.0)}
    exif[0x010F] = "Chiếc điện thoại của ông Ba"
    image.save(path, kind, exif=exif) if kind == "JPEG" else image.save(path, kind)
    return path


def test_a_photo_is_kept_small_upright_and_without_what_the_camera_wrote(house: House, tmp_path: Path) -> None:
    name = photos.put(house.ctx, house.actor("kythuat"), CLUSTER, picture(tmp_path), tmp_path / "work")
    data = photos.opened(house.ctx, house.actor("author"), CLUSTER).read_bytes()
    assert b"Exif" not in data
    assert "Chiếc".encode() not in data
    with Image.open(io.BytesIO(data)) as found:
        assert (found.format, found.size, len(found.getexif())) == ("JPEG", (800, 1600), 0)
    assert len(data) < 200_000
    with raises(Refused, "cluster.unknown"):
        photos.opened(house.ctx, house.actor("neighbour"), CLUSTER)
    with raises(Refused, "photo.none"):
        photos.opened(house.ctx, house.actor("author"), f"cl-{HERE}-2")
    house.clock.advance(40 * 86_400)
    collecting.collect(house.ctx)
    house.clock.advance(40 * 86_400)
    assert name not in collecting.collect(house.ctx).removed, "what a pole names stays"
    assert list((tmp_path / "work").iterdir()) == []


@pytest.mark.parametrize("what", ["text", "torn", "bomb", "unpacked", "large", "gif"])
def test_what_is_no_photo_or_too_much_of_one_is_refused_and_nothing_is_kept(
    house: House, tmp_path: Path, what: str
) -> None:
    path = tmp_path / "x.jpg"
    if what == "text":
        path.write_text("<svg onload=alert(1)>")
    elif what == "torn":
        whole = picture(tmp_path).read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
    elif what == "bomb":
        Image.new("1", (30_000, 30_000)).save(path, "PNG")
    elif what == "unpacked":
        Image.new("1", (5_000, 4_000)).save(path, "PNG")
    elif what == "large":
        with path.open("wb") as file:
            file.truncate(photos.MOST_BYTES + 1)
    else:
        Image.new("RGB", (10, 10)).save(path, "GIF")
    with pytest.raises(Refused) as told:
        photos.put(house.ctx, house.actor("kythuat"), CLUSTER, path, tmp_path / "work")
    assert told.value.key == ("photo.large" if what in ("bomb", "unpacked", "large") else "photo.unreadable")
    with house.ctx.db.read() as session:
        assert session.get(Pole, CLUSTER) is None


def test_papers_go_with_the_box_and_a_place_without_one_has_none(house: House) -> None:
    put(house)
    swapping.release(house.ctx, house.actor("kythuat"), CLUSTER, UNIT)
    with raises(Refused, "hardware.no_unit"):
        put(house)
    with house.ctx.db.read() as session:
        assert session.get_one(Hardware, UNIT).serial == WHOLE.serial
