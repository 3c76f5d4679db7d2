"""`loa` at a terminal: every command does its work on both databases, and says in one line why it does not."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError
from sqlalchemy import select
from support.services import ENGINES, HERE, Engine, House, Workshop

from broadcasts.clock import VIETNAM, SystemClock
from controller import cli
from controller.db import migrate
from controller.db.engine import Database
from controller.db.tables import Area, Assignment, AuditEntry, Cluster, Unit, User
from controller.services import audit

Loa = Callable[..., "Told"]
ONE_TIME = re.compile(r"(?:[a-z0-9]{4}-){3}[a-z0-9]{4}")


class Told:
    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    def well(self) -> str:
        assert self.code == 0, self.err
        return self.out

    def refused(self) -> str:
        """One sentence for a person, and nothing that a script would take for an answer."""
        assert (self.code, self.out) == (1, ""), (self.out, self.err)
        lines = [line for line in self.err.splitlines() if line.startswith("loa: ")]
        assert len(lines) == 1, self.err
        return lines[0]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Told]:
    """`run(data, database, "user", "list")`: the program with these two settings and no other."""

    def told(data: Path, database: str, *arguments: str) -> Told:
        monkeypatch.setenv("LOA_DATA", str(data))
        monkeypatch.setenv("LOA_DATABASE", database)
        capsys.readouterr()
        try:
            code = cli.main(arguments)
        except SystemExit as usage:
            code = int(usage.code or 0)
        return Told(code, *capsys.readouterr())

    return told


@pytest.fixture
def loa(house: House, workshop: Workshop, tmp_path: Path, run: Callable[..., Told]) -> Loa:
    """The program beside the furnished database, with the keys that belong to it."""
    data = tmp_path / "data"
    shutil.copytree(workshop.folder / "keys", data / "keys")
    url = house.ctx.db.engine.url.render_as_string(hide_password=False)
    return lambda *arguments: run(data, url, *arguments)


@pytest.fixture(params=ENGINES)
def empty(request: pytest.FixtureRequest, workshop: Workshop, tmp_path: Path, run: Callable[..., Told]) -> Any:
    """The program at a database with nothing in it."""
    engine: Engine = request.param
    with workshop.empty(engine, tmp_path) as url:
        yield lambda *arguments: run(tmp_path / "data", url, *arguments)


def everything(house: House) -> dict[str, int]:
    with house.ctx.db.read() as session:
        return {table.__tablename__: len(session.scalars(select(table)).all()) for table in (Area, Cluster, Unit, User)}


def opens(house: House, name: str, word: str) -> bool:
    with house.ctx.db.read() as session:
        stored = session.scalars(select(User.password_hash).where(User.name == name)).one()
    with contextlib.suppress(VerifyMismatchError):
        return PasswordHasher().verify(stored, word)
    return False


# What a cluster will play


def test_the_plan_of_a_cluster_is_told_in_words_with_the_broadcast_behind_each_item(house: House, loa: Loa) -> None:
    broadcast = house.on_air(title="Lịch cắt điện")
    house.compile()
    delivery = house.delivery(broadcast)
    said = loa("plan", delivery.cluster_id).well()
    (line,) = [line for line in said.splitlines() if "Lịch cắt điện" in line]
    assert line.startswith("2026-03-03 14:00:00  level 3")
    assert f"[{delivery.id}] broadcast {broadcast} revision 1" in line
    assert line.endswith("Sounds whole and on time. 14:00:00–14:00:02")
    assert f"plan {house.stored_plan(str(delivery.unit_id)).version}, the unit has none" in said
    assert "hours 05:00-21:00" in said


def test_the_plan_as_json_is_what_the_unit_is_sent(house: House, loa: Loa) -> None:
    delivery = house.delivery(house.on_air())
    house.compile()
    told = json.loads(loa("plan", delivery.cluster_id, "--json").well())
    assert told == json.loads(house.plan(str(delivery.unit_id)).model_dump_json(exclude_unset=True))
    assert [item["id"] for item in told["items"]] == [delivery.id]


def test_a_cluster_that_is_not_there_has_no_plan(loa: Loa) -> None:
    assert "no such cluster" in loa("plan", "khong-co").refused()


def test_a_cluster_whose_plan_was_never_made_says_so(house: House, loa: Loa) -> None:
    with house.ctx.db.read() as session:
        cluster = session.scalars(select(Assignment.cluster_id)).first()
    assert str(cluster) in loa("plan", str(cluster)).refused()


# Accounts


def test_a_reset_gives_a_new_first_password_ends_sessions_and_is_written_down(house: House, loa: Loa) -> None:
    word = loa("user", "reset", "author").well().strip()
    assert ONE_TIME.fullmatch(word)
    assert word != house.passwords["author"]
    with house.ctx.db.read() as session:
        user = session.scalars(select(User).where(User.name == "author")).one()
        assert user.must_change
        assert session.scalars(select(AuditEntry.actor).order_by(AuditEntry.id.desc())).first() == "terminal"
    assert opens(house, "author", word)
    assert not opens(house, "author", house.passwords["author"])


def test_an_account_that_is_not_there_is_not_reset(loa: Loa) -> None:
    assert "nobody-here" in loa("user", "reset", "nobody-here").refused()


def test_an_added_account_is_listed_and_logs_in_with_what_was_printed(house: House, loa: Loa) -> None:
    new = ("add", "moi", "--full-name", "Người mới", "--role", "approver", "--area", f"c-{HERE}")
    word = loa("user", *new).well().strip()
    assert opens(house, "moi", word)
    listed = json.loads(loa("user", "list", "--json").well())
    assert {"name": "moi", "role": "approver", "area": f"c-{HERE}", "full_name": "Người mới"} in listed
    assert re.search(rf"^moi +approver +c-{HERE} +Người mới$", loa("user", "list").well(), re.MULTILINE)
    assert "moi" in loa("user", *new).refused()


def test_an_account_in_no_area_or_in_no_role_is_not_made(house: House, loa: Loa) -> None:
    before = everything(house)
    assert "c-00000" in loa("user", "add", "x", "--full-name", "X", "--role", "approver", "--area", "c-00000").refused()
    assert loa("user", "add", "x", "--full-name", "X", "--role", "king", "--area", f"c-{HERE}").code == 2
    assert everything(house) == before


def test_an_account_gets_a_further_role_only_where_there_is_such_a_place(house: House, loa: Loa) -> None:
    assert "c-00000" in loa("user", "grant", "author", "--role", "technician", "--area", "c-00000").refused()
    loa("user", "grant", "author", "--role", "technician", "--area", f"c-{HERE}").well()
    assert [row["role"] for row in json.loads(loa("user", "list", "--json").well()) if row["name"] == "author"] == [
        "broadcaster",
        "technician",
    ]


def test_a_second_factor_is_forgotten_at_the_machine_only_where_no_two_administrators_are(
    house: House, loa: Loa
) -> None:
    with house.ctx.db.write() as session:
        user = session.scalars(select(User).where(User.name == "boss")).one()
        user.factor_at, user.factor_secret = house.now, "sealed"
    for name in ("mot", "hai"):
        loa("user", "add", name, "--full-name", name, "--role", "administrator", "--area", "p-94").well()
    told = ("user", "forget-factor", "boss", "--reason", "mất điện thoại")
    assert "mot" in loa(*told).refused() or "hai" in loa(*told).refused()
    loa("user", "disable", "hai", "--reason", "nghỉ việc").well()
    loa(*told).well()
    with house.ctx.db.read() as session:
        assert session.scalars(select(User.factor_at).where(User.name == "boss")).one() is None
        line = session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc())).first()
    assert line is not None
    assert (line.actor, line.act, line.detail["reason"]) == ("terminal", "second_factor.forget", "mất điện thoại")
    assert "second factor" in loa(*told).refused()


@pytest.mark.requirement("R-031")
def test_an_exception_is_granted_listed_and_ended_at_the_machine(loa: Loa) -> None:
    station, day = f"s-{HERE}", (SystemClock().now() + timedelta(days=30)).date()
    told = ("exception", "grant", station, "--number", "07/QĐ", "--reason", "Một cán bộ", "--until")
    made = loa(*told, day.isoformat()).well().strip()
    assert "exception already" in loa(*told, day.isoformat()).refused()
    assert "366 days" in loa(*told, (day + timedelta(days=400)).isoformat()).refused()
    assert "s-00000" in loa("exception", "grant", "s-00000", *told[3:], day.isoformat()).refused()
    (row,) = json.loads(loa("exception", "list", "--json").well())
    assert (row["id"], row["state"], row["granted_by"], row["used"]) == (made, "holds", "terminal", 0)
    assert row["until"] == f"{day + timedelta(days=1)}T00:00:00+07:00", "the last day is included"
    loa("exception", "end", made).well()
    assert "over already" in loa("exception", "end", made).refused()
    assert re.match(rf"{made} +over ", loa("exception", "list").well())


# The audit log


@pytest.mark.requirement("R-105")
def test_what_is_old_moves_into_a_file_that_the_log_still_knows(
    workshop: Workshop, tmp_path: Path, run: Callable[..., Told]
) -> None:
    data, file = tmp_path / "data", tmp_path / "old.jsonl"
    shutil.copytree(workshop.folder / "keys", data / "keys")
    with workshop.empty("sqlite", tmp_path) as url:
        run(data, url, "migrate").well()
        db = Database(url)
        with db.write() as session:
            for year in (2020, 2021, 2022):
                audit.record(session, datetime(year, 1, 1, tzinfo=UTC), "ai", "test", str(year))
        db.close()
        whole = tmp_path / "whole.jsonl"
        whole.write_text(run(data, url, "audit", "export").well())
        tomorrow = (SystemClock().now() + timedelta(days=1)).date().isoformat()
        assert "365 days" in run(data, url, "audit", "archive", "--before", tomorrow, "--to", str(file)).refused()
        archive = ("audit", "archive", "--before", "2021-06-01", "--to", str(file))
        assert "2 lines, through line 2" in run(data, url, *archive).well()
        assert "No line" in run(data, url, *archive).refused()
        again = (*archive[:3], "2023-01-01", "--to", str(file))
        assert "is there already" in run(data, url, *again).refused()
        said = run(data, url, "audit", "verify", "--against", str(whole)).well()
        assert said.startswith("2 lines, each follows")
        assert "they go on from line 2, archived on" in said
        run(data, url, "audit", "verify", "--against", str(file)).well()
        file.write_text(file.read_text().replace('"2021"', '"2020"'))
        assert "Line 2" in run(data, url, "audit", "verify", "--against", str(file)).refused()
    assert run(data, "", "audit", "archive", "--before", "yesterday", "--to", str(file)).code == 2


# Places


@pytest.mark.requirement("R-011")
def test_communes_are_merged_after_a_look_and_listed_by_the_names_of_before(house: House, loa: Loa) -> None:
    merger = ("area", "merge", HERE, "c-31618", "--into", "Xã An Thạnh", "--code", "31999", "--on", "2026-01-01")
    decided = (*merger, "--by", "NQ 1668")
    seen = loa(*decided, "--dry-run").well()
    assert "become Xã An Thạnh (31999) of Tỉnh Sóc Trăng on 2026-01-01: 10 clusters" in seen
    assert seen.endswith("nothing was changed\n")
    made = loa(*decided).well().splitlines()[-1]
    assert f"{made:14} commune   31999     10 clusters  Xã An Thạnh\n" in loa("area", "list").well()
    assert HERE not in loa("area", "list").well()
    told = json.loads(loa("area", "list", "--all", "--find", "cu lao dung", "--json").well())
    assert next((row["id"], row["now"]) for row in told if row["to"]) == (f"c-{HERE}", "Xã An Thạnh")
    before = json.loads(loa("area", "list", "--on", "2025-12-31", "--json").well())
    assert {row["code"] for row in before} == {"94", HERE, "31618"}
    assert "have not been merged before" in loa(*decided).refused()
    assert "99999" in loa("area", "merge", "99999", *decided[4:]).refused()
    assert loa("area", "list", "--on", "yesterday").code == 2
    with house.ctx.db.read() as session:
        line = session.scalars(select(AuditEntry).where(AuditEntry.act == "area.merge")).one()
    assert (line.actor, line.detail["decision"]) == ("terminal", "NQ 1668")


@pytest.mark.requirement("R-011")
def test_a_merger_that_was_a_mistake_is_undone_after_a_look(house: House, loa: Loa) -> None:
    merger = ("area", "merge", HERE, "c-31618", "--into", "Xã An Thạnh", "--code", "31999", "--on", "2026-01-01")
    made = loa(*merger, "--by", "NQ 1668").well().splitlines()[-1]
    seen = loa("area", "unmerge", "31999", "--by", "Nhầm mã", "--dry-run").well()
    assert " stand again, Xã An Thạnh never stood\n" in seen
    assert seen.endswith("nothing was changed\n")
    assert "31999" in loa("area", "list").well()
    done = loa("area", "unmerge", made, "--by", "Nhầm mã").well()
    assert done.splitlines()[-1] == made
    assert done.splitlines()[:-1] == seen.splitlines()[:-1], "what was said beforehand is what was done"
    for code in (HERE, "31618"):
        assert re.search(rf"^c-{code} +commune +{code} +5 clusters  ", loa("area", "list").well(), re.MULTILINE)
    assert "31999" not in loa("area", "list").well()
    loa("area", "unmerge", made, "--by", "Nhầm mã").refused()
    with house.ctx.db.read() as session:
        line = session.scalars(select(AuditEntry).where(AuditEntry.act == "area.unmerge")).one()
    assert (line.actor, line.detail["decision"]) == ("terminal", "Nhầm mã")


@pytest.mark.requirement("R-010")
def test_districts_end_on_a_day_after_a_look(house: House, loa: Loa) -> None:
    with house.ctx.db.write() as session:
        for name, commune in (("d-1", f"c-{HERE}"), ("d-2", "c-31618")):
            told = {"kind": "district", "name": f"Huyện {name}", "code": name[-1] * 3, "valid_from": date(2000, 1, 1)}
            session.add(Area(id=name, parent_id="p-94", **told))
            session.flush()
            session.get_one(Area, commune).parent_id = name
    today = SystemClock().now().astimezone(VIETNAM).date().isoformat()
    ending = ("area", "end-districts", "--on", today, "--by", "NQ 203/2025/QH15")
    seen = loa(*ending, "--dry-run").well()
    assert seen.splitlines()[:2] == [
        f"{name:14} {name[-1] * 3:6} Huyện {name}: 1 communes go to Tỉnh Sóc Trăng" for name in ("d-1", "d-2")
    ]
    assert seen.endswith("nothing was changed\n")
    assert "district" in loa("area", "list").well()
    done = loa(*ending).well()
    assert done.splitlines()[:-1] == seen.splitlines()[:-1]
    assert done.endswith(f"no districts from {today} on\n")
    assert "district" not in loa("area", "list").well()
    loa(*ending).refused()
    assert loa(*ending[:3], "tomorrow", *ending[4:]).code == 2


def test_a_furnished_database_is_not_furnished_again(house: House, loa: Loa) -> None:
    before = everything(house)
    told = loa("seed", "--clusters", "3")
    assert (told.code, told.out) == (0, "")
    assert "nothing was changed" in told.err
    assert everything(house) == before


def test_an_empty_one_gets_its_places_and_its_fleet(empty: Loa, tmp_path: Path) -> None:
    empty("migrate").well()
    told = json.loads(empty("seed", "--clusters", "2", "--json").well())
    assert len(told["passwords"]) == 4
    fleet = Path(told["fleet"])
    assert fleet == tmp_path / "data" / "fleet.json"
    assert fleet.stat().st_mode & 0o777 == 0o600
    assert len(json.loads(fleet.read_text())["units"]) == 2


@pytest.mark.parametrize("arguments", [("user", "list"), ("seed", "--clusters", "2"), ("plan", "c")], ids=" ".join)
def test_a_database_without_tables_sends_to_migrate(empty: Loa, arguments: tuple[str, ...]) -> None:
    assert "loa migrate" in empty(*arguments).refused()


# The database's shape


def test_the_database_goes_up_and_down_and_says_from_where_to_where(empty: Loa) -> None:
    head = migrate.head()
    assert empty("migrate").well() == f"empty -> {head}\n"
    assert empty("migrate").well() == f"{head} -> {head}\n"
    assert empty("migrate", "--to", "base").well() == f"{head} -> empty\n"
    assert empty("migrate", "--to", "base").well() == "empty -> empty\n"
    assert empty("migrate", "--to", head).well() == f"empty -> {head}\n"


def test_a_shape_that_nobody_knows_changes_nothing(empty: Loa, workshop: Workshop) -> None:
    empty("migrate").well()
    assert "9999" in empty("migrate", "--to", "9999").refused()
    assert empty("migrate").well() == f"{migrate.head()} -> {migrate.head()}\n"


# Settings


def test_settings_are_shown_without_their_secrets(loa: Loa, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOA_METRICS_TOKEN", "rat-bi-mat-va-du-dai")
    monkeypatch.setenv("LOA_PORT", "8123")
    told = loa("config")
    shown = dict(line.split("=", 1) for line in told.well().splitlines())
    assert "rat-bi-mat" not in told.out + told.err
    assert "sqlite:///" not in told.out, "an address of a database may hold a password"
    assert "psycopg" not in told.out
    assert json.loads(loa("config", "--json").well()).keys() == shown.keys()
    assert any(value == "8123" for value in shown.values())


def test_the_example_of_settings_is_taken_as_it_is_printed(loa: Loa, monkeypatch: pytest.MonkeyPatch) -> None:
    for line in loa("config", "--example").well().splitlines():
        if line and not line.startswith("#"):
            name, _, value = line.partition("=")
            monkeypatch.setenv(name, value)
    loa("config").well()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [("LOA_PROT", "8000", "LOA_PORT"), ("LOA_PORT", "eight", "LOA_PORT"), ("LOA_HOST", "0.0.0.0", "tls")],
)
def test_settings_that_cannot_be_are_a_sentence(
    loa: Loa, monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(name, value)
    assert said in loa("config").refused().replace("TLS", "tls")


def test_a_database_that_is_not_there_is_a_sentence(run: Callable[..., Told], tmp_path: Path) -> None:
    nowhere = "postgresql+psycopg://nobody@127.0.0.1:9/none?connect_timeout=2"
    assert run(tmp_path / "data", nowhere, "plan", "c").refused()


def test_no_command_is_wrong_usage(run: Callable[..., Told], tmp_path: Path) -> None:
    told = run(tmp_path / "data", "")
    assert told.code == 2
    assert "usage: loa" in told.err
