"""Clusters as a table: what goes out comes in unchanged, and what cannot come in changes nothing and says why."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl import Workbook, load_workbook
from sqlalchemy import select
from support.services import HERE, THERE, House, raises

from broadcasts.errors import Conflict, LoaError, Refused
from controller.db.tables import AuditEntry, Cluster, Hardware, SheetImport, Unit
from controller.services import hardware, placing, sheet_files, sheets
from controller.services.hardware import Papers
from controller.services.sheets import COLUMNS

CLUSTER, UNIT = f"cl-{HERE}-1", f"u-{HERE}-1"
NEXT = f"cl-{HERE}-2"
WRITERS: dict[str, Callable[..., bytes]] = {"csv": sheet_files.write_csv, "xlsx": sheet_files.write_spreadsheet}


def table(house: House) -> list[dict[str, str]]:
    return [dict(zip(COLUMNS, row, strict=True)) for row in sheets.table(house.ctx, house.actor("kythuat"))]


def written(rows: list[dict[str, str]], kind: str = "csv", columns: tuple[str, ...] = COLUMNS) -> bytes:
    return WRITERS[kind](columns, [[row[name] for name in columns] for row in rows])


def bring(house: House, data: bytes, by: str = "kythuat") -> str:
    return sheets.bring(house.ctx, house.actor(by), data, "bang.xlsx", {"Mã cụm": "id"})


def look(house: House, data: bytes) -> tuple[str, sheets.Outlook]:
    name = bring(house, data)
    return name, sheets.look(house.ctx, house.actor("kythuat"), name)


def take(house: House, name: str) -> sheets.Outlook:
    return sheets.take(house.ctx, house.actor("kythuat"), name)


@pytest.fixture(autouse=True)
def papers(house: House) -> None:
    told = Papers(vendor="Hãng", model="M1", serial="S-1", sim_iccid="8984012345678901234", sim_quota_mb=300,
                  purchased_on=date(2025, 1, 10), cost_vnd=28_500_000, funding="central", notes="=1+1")  # fmt: skip
    hardware.put(house.ctx, house.actor("kythuat"), CLUSTER, told)


@pytest.mark.parametrize("kind", list(WRITERS))
def test_what_went_out_comes_in_and_changes_nothing(house: House, kind: str) -> None:
    data = written(table(house), kind)
    name, outlook = look(house, data)
    assert (outlook.unchanged, outlook.added, outlook.changed, outlook.refused) == (10, [], [], [])
    with raises(Refused, "sheet.nothing"):
        take(house, name)


TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), max_size=30)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kind=st.sampled_from(list(WRITERS)), name=TEXT.filter(bool), notes=TEXT, contract=TEXT, serial=TEXT,
    at=st.none() | st.tuples(st.floats(6, 24), st.floats(102, 118)), cost=st.none() | st.integers(0, 10**12),
    tags=st.lists(TEXT.filter(lambda text: text and "," not in text), max_size=3),
)  # fmt: skip
def test_whatever_people_wrote_there_survives_the_way_out_and_in(
    house: House, kind: str, name: str, notes: str, contract: str, serial: str,
    at: tuple[float, float] | None, cost: int | None, tags: list[str],
) -> None:  # fmt: skip
    tech = house.actor("kythuat")
    with house.ctx.db.read() as session:
        had = placing.place_of(session.get_one(Cluster, CLUSTER))
        was = hardware.of_unit(session, UNIT)
    where = {"latitude": at[0], "longitude": at[1]} if at else {"latitude": None, "longitude": None}
    placing.alter(house.ctx, tech, CLUSTER, replace(had, name=name, tags=tuple(tags), **where))
    told = replace(was, notes=notes, contract=contract, serial=serial, cost_vnd=cost)
    hardware.put(house.ctx, tech, CLUSTER, told)
    _, outlook = look(house, written(table(house), kind))
    assert ([str(error) for _, error in outlook.refused], outlook.changed, outlook.unchanged) == ([], [], 10)


@pytest.mark.parametrize("kind", list(WRITERS))
def test_a_sheet_is_shown_field_by_field_and_then_taken_in_as_a_whole(house: House, kind: str) -> None:
    rows = table(house)
    by_id = {row["id"]: row for row in rows}
    by_id[CLUSTER] |= {"notes": "gần chợ", "horns": "3", "warranty_until": "09/01/2028"}
    by_id[NEXT] |= {"vendor": "Hãng", "model": "M1", "serial": "S-2"}
    new = dict.fromkeys(COLUMNS, "") | {"station": HERE, "name": "Cụm mới", "horns": "4", "end": "."}
    name, outlook = look(house, written([*rows, new], kind))
    assert outlook.refused == []
    assert [(each.cluster, each.fields) for each in outlook.changed] == [
        (CLUSTER, [["horns", "2", "3"], ["warranty_until", "", "2028-01-09"], ["notes", "=1+1", "gần chợ"]]),
        (NEXT, [["vendor", "", "Hãng"], ["model", "", "M1"], ["serial", "", "S-2"]]),
    ]
    assert [(each.row, each.name) for each in outlook.added] == [(12, "Cụm mới")]
    assert table(house) != rows
    before = sheets.table(house.ctx, house.actor("kythuat"))
    take(house, name)
    after = {row["name"]: row for row in table(house)}
    assert (after["Cụm mới"]["horns"], after["Cụm mới"]["station"]) == ("4", HERE)
    assert len(after) == len(before) + 1
    assert next(row for row in after.values() if row["id"] == CLUSTER)["notes"] == "gần chợ"
    with house.ctx.db.read() as session:
        acts = session.scalars(select(AuditEntry.act).where(AuditEntry.act.contains("import"))).all()
        assert session.scalars(select(SheetImport)).all() == []
    assert sorted(acts) == ["cluster.import"] * 3 + ["inventory.import"]
    with raises(Refused, "sheet.unknown"):
        take(house, name)


def test_two_boxes_may_change_their_serials_with_each_other(house: House) -> None:
    hardware.put(house.ctx, house.actor("kythuat"), NEXT, Papers(serial="S-2"))
    rows = table(house)
    for row in rows:
        row["serial"] = {CLUSTER: "S-2", NEXT: "S-1"}.get(row["id"], row["serial"])
    name, outlook = look(house, written(rows))
    assert outlook.refused == []
    take(house, name)
    assert {row["id"]: row["serial"] for row in table(house) if row["serial"]} == {CLUSTER: "S-2", NEXT: "S-1"}


def refusals(house: House, **changes: dict[str, str]) -> dict[int, str]:
    rows = [row | changes.get("all", {}) | changes.get(f"r{place}", {}) for place, row in enumerate(table(house))]
    name, outlook = look(house, written(rows))
    assert outlook.refused, "something of it is refused"
    before = table(house)
    with raises(Refused, "sheet.refused"):
        take(house, name)
    assert table(house) == before, "nothing is half saved"
    return {row: error.key for row, error in outlook.refused}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"r1": {"serial": "S-9"}, "r2": {"serial": "S-9"}}, {3: "sheet.twice_serial", 4: "sheet.twice_serial"}),
        ({"r1": {"serial": "S-1"}}, {2: "sheet.twice_serial", 3: "sheet.twice_serial"}),
        ({"r1": {"id": CLUSTER}}, {2: "sheet.twice_id", 3: "sheet.twice_id"}),
        ({"r1": {"unit": UNIT}}, {3: "sheet.unit"}),
        ({"r0": {"id": "cl-never"}}, {2: "sheet.no_cluster"}),
        ({"r0": {"station": "99999"}}, {2: "sheet.station_moved"}),
        ({"r0": {"id": "", "unit": "", "station": "1"}}, {2: "sheet.no_station"}),
        ({"r0": {"latitude": "106.1", "longitude": "9.6"}}, {2: "place.position"}),
        ({"r0": {"latitude": "nan"}}, {2: "place.position"}),
        ({"r0": {"horns": "hai"}}, {2: "sheet.number"}),
        ({"r0": {"purchased_on": "32/13/2025"}}, {2: "sheet.day"}),
        ({"r0": {"funding": "xổ số"}}, {2: "choice.unknown"}),
        ({"r0": {"name": ""}}, {2: "place.name"}),
        ({"r0": {"sim_iccid": "12"}}, {2: "hardware.sim"}),
    ],
)
def test_each_row_that_cannot_be_says_why_and_holds_the_others_back(
    house: House, changes: dict[str, dict[str, str]], expected: dict[int, str]
) -> None:
    assert refusals(house, **changes) == expected


def test_a_serial_of_a_box_elsewhere_is_refused_with_its_unit(house: House) -> None:
    hardware.put(house.ctx, house.actor("kythuat"), f"cl-{THERE}-1", Papers(serial="XA"))
    rows = [row | ({"serial": "XA"} if row["id"] == CLUSTER else {}) for row in table(house) if row["id"] == CLUSTER]
    _, outlook = look(house, written(rows))
    [(_, error)] = outlook.refused
    assert (error.key, error.fields["unit"]) == ("hardware.serial_taken", f"u-{THERE}-1")


def test_what_changed_meanwhile_is_shown_anew_and_not_overwritten(house: House) -> None:
    rows = table(house)
    rows[0]["horns"] = "3"
    name, _ = look(house, written(rows))
    with house.ctx.db.write() as session:
        session.get_one(Cluster, CLUSTER).horns = 4
    with raises(Conflict, "sheet.changed"):
        take(house, name)
    again = sheets.look(house.ctx, house.actor("kythuat"), name)
    assert again.changed[0].fields == [["horns", "4", "3"]]
    take(house, name)
    assert table(house)[0]["horns"] == "3"


def test_a_yes_is_said_to_the_page_that_was_seen_not_to_one_that_was_opened_since(house: House) -> None:
    rows = table(house)
    rows[0]["horns"] = "3"
    name, seen = look(house, written(rows))
    with house.ctx.db.write() as session:
        session.get_one(Cluster, CLUSTER).horns = 4
    sheets.look(house.ctx, house.actor("kythuat"), name)
    with raises(Conflict, "sheet.changed"):
        sheets.take(house.ctx, house.actor("kythuat"), name, seen.seen)


def test_a_sheet_that_waited_for_more_than_a_day_is_gone(house: House) -> None:
    rows = table(house)
    rows[0]["horns"] = "3"
    name, _ = look(house, written(rows))
    with house.ctx.db.write() as session:
        session.get_one(SheetImport, name).opened_at -= sheets.GOOD_FOR + timedelta(minutes=1)
    with raises(Refused, "sheet.unknown"):
        take(house, name)


def head_only(rows: int) -> bytes:
    line = b"".join(b"cl-x,1,A\r\n" for _ in range(rows))
    return b"id,station,name\r\n" + line


def workbook(fill: Callable[[Any], None]) -> bytes:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["id", "station", "name"])
    fill(sheet)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def bomb() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("xl/worksheets/sheet1.xml", b"0" * (sheet_files.MOST_UNPACKED + 1))
    return out.getvalue()


def with_entities(code: str = "") -> bytes:
    whole = workbook(lambda sheet: sheet.append(["cl-1", "1", "A"]))
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(whole)) as had, zipfile.ZipFile(out, "w") as made:
        for part in had.infolist():
            data = had.read(part)
            if part.filename.endswith("sheet1.xml"):
                data = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">]>' + data
                data = data.decode().encode(code) if code else data
            made.writestr(part, data)
    return out.getvalue()


BAD: dict[str, tuple[Callable[[], bytes], str]] = {
    "nothing": (lambda: b"", "sheet.empty"),
    "a head alone": (lambda: b"id,station,name\r\n", "sheet.empty"),
    "one hundred thousand rows": (lambda: head_only(100_000), "sheet.rows"),
    "windows 1258": (lambda: "id,station,name\r\n,1,Cụm".encode().replace(b"\xe1\xbb\xa5", b"u\xf2"),
                     "sheet.encoding"),
    "other columns": (lambda: "Họ tên,Tuổi\r\nA,1\r\n".encode(), "sheet.columns"),
    "too few columns": (lambda: b"id,name\r\ncl-1,A\r\n", "sheet.missing"),
    "a column twice": (lambda: b"id,station,name,name\r\ncl-1,1,A,B\r\n", "sheet.twice"),
    "cut off in a row": (lambda: b"id,station,name\r\ncl-1,1,A\r\ncl-2,1", "sheet.torn"),
    "cut off in a quote": (lambda: b'id,station,name\r\ncl-1,1,"A', "sheet.broken"),
    "without its end": (lambda: b"id,station,name,end\r\ncl-1,1,A,.\r\ncl-2,1,B,\r\n", "sheet.torn"),
    "too large": (lambda: b"x" * (sheet_files.MOST_BYTES + 1), "sheet.large"),
    "a long cell": (lambda: b"id,station,name\r\ncl-1,1," + b"A" * 2000 + b"\r\n", "sheet.cell"),
    "nul": (lambda: b"id,station,name\r\ncl-1,1,A\x00\r\n", "sheet.broken"),
    "half a spreadsheet": (lambda: workbook(lambda sheet: None)[:2000], "sheet.broken"),
    "a packed folder of something else": (bomb, "sheet.large"),
    "definitions that grow": (with_entities, "sheet.broken"),
    "definitions in another code": (lambda: with_entities("utf-16-le"), "sheet.broken"),
    "a formula": (lambda: workbook(lambda sheet: sheet.append(["cl-1", "1", "=1+1"])), "sheet.formula"),
    "a rounded number": (lambda: workbook(lambda sheet: sheet.append(["cl-1", 8984012345678901234, "A"])),
                         "sheet.rounded"),
}  # fmt: skip


@pytest.mark.parametrize("what", list(BAD))
def test_a_file_that_is_no_such_table_is_refused_with_its_reason_and_nothing_is_kept(house: House, what: str) -> None:
    make, key = BAD[what]
    with pytest.raises(LoaError) as told:
        bring(house, make())
    assert told.value.key == key
    with house.ctx.db.read() as session:
        assert session.scalars(select(SheetImport)).all() == []


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("between", [",", ";", "\t"])
def test_a_table_of_any_office_program_is_read_with_vietnamese_heads(house: House, encoding: str, between: str) -> None:
    lines = [["MÃ CỤM ", "station", "name"], [CLUSTER, HERE, "Cụm ấp Trà Thọ"]]
    _, outlook = look(house, "\n".join(between.join(line) for line in lines).encode(encoding))
    assert outlook.refused == []
    assert [each.fields[0][2] for each in outlook.changed] == ["Cụm ấp Trà Thọ"]


def test_no_cell_that_goes_out_is_taken_for_a_formula(house: House) -> None:
    rows = table(house)
    assert rows[0]["notes"] == "=1+1"
    assert b",'=1+1," in written(rows)
    book = load_workbook(io.BytesIO(written(rows, "xlsx")))
    sheet = book.active
    assert sheet is not None
    kinds = {cell.data_type for line in sheet.iter_rows() for cell in line if cell.value}
    assert kinds <= {"s", "inlineStr"}


def test_only_ones_own_clusters_go_out_and_come_in(house: House) -> None:
    for name in ("author", "boss"):
        with raises(Refused, "no_right"):
            sheets.table(house.ctx, house.actor(name))
        with raises(Refused, "no_right"):
            bring(house, head_only(1), name)
    kept = bring(house, written(table(house)))
    with raises(Refused, "sheet.unknown"):
        sheets.look(house.ctx, house.actor("tinh"), kept)


def test_a_box_without_a_place_keeps_its_serial_to_itself(house: House) -> None:
    with house.ctx.db.write() as session:
        session.add(Unit(id="u-kho", key_x="x" * 43, secret_hashes={"sha256": "0"}, enrolled_at=house.now))
        session.flush()
        session.add(Hardware(unit_id="u-kho", serial="KHO-1", changed_at=house.now))
    assert refusals(house, r0={"serial": "KHO-1"}) == {2: "hardware.serial_taken"}
