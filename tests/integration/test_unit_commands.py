"""`loa unit` at a terminal: who waits, who is let in, who is out."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.newcomers import Newcomer

from controller import cli
from controller.bootstrap.service import opened
from controller.services import unit_enrolling
from controller.settings import Settings

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    monkeypatch.setenv("LOA_DATA", str(tmp_path / "data"))

    def told(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = cli.main(arguments)
        return (code, *capsys.readouterr())

    assert told("migrate")[0] == 0
    assert told("seed", "--clusters", "2", "--password-only", "1")[0] == 0
    return told


def listed(run: Run) -> dict[str, Any]:
    code, out, _ = run("unit", "list", "--json")
    assert code == 0
    found: dict[str, Any] = json.loads(out)
    return found


@pytest.mark.requirement("R-084")
def test_a_unit_that_waits_is_listed_let_in_by_its_code_and_revoked(run: Run, tmp_path: Path) -> None:
    unit = Newcomer("SN-77")
    with opened(Settings(data=tmp_path / "data")) as ctx:
        unit_enrolling.ask(ctx, unit.asks(), "192.0.2.1")
    assert (tmp_path / "data/keys/units/authority.key").stat().st_mode & 0o077 == 0
    [waits] = listed(run)["waiting"]
    assert (waits["serial"], waits["code"], waits["fingerprint"]) == ("SN-77", unit.code, unit.fingerprint)
    assert run("unit", "enrol", "WRONGCODE2")[0] == 1
    assert run("unit", "enrol", unit.code.lower())[1] == "u-sn-77\n"
    units = {each["unit"]: each["identity"] for each in listed(run)["units"]}
    assert sorted(units.values()) == ["certificate", "key", "password"]
    assert unit.code not in run("unit", "list")[1]
    assert run("unit", "revoke", "u-sn-77", "--kind", "stolen", "--reason", "gone")[0] == 0
    code, out, err = run("unit", "revoke", "u-sn-77", "--kind", "stolen", "--reason", "gone")
    assert (code, out) == (1, "")
    assert "u-sn-77" in err
    assert {each["unit"]: each["identity"] for each in listed(run)["units"]}["u-sn-77"] == "revoked"
