"""The commands with which an operator lets names into Mosquitto."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from deploy import broker_certificates, broker_passwords


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    path = tmp_path / "fleet.json"
    path.write_text(json.dumps({"units": [{"unit": "u-1", "secret": "a"}, {"unit": "u-2", "secret": "b"}]}))
    return path


def issued(folder: Path) -> set[str]:
    return {path.stem for path in (folder / "clients").glob("*.crt")}


def test_certificates_are_for_the_controller_the_named_units_and_those_of_a_fleet(
    tmp_path: Path, fleet: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "broker"
    line = [str(folder), "--broker", "mqtt.xa.example", "--units", "u-7", "--fleet", str(fleet)]
    assert broker_certificates.main(line) == 0
    assert issued(folder) == {"controller", "u-1", "u-2", "u-7"}
    told = capsys.readouterr().out
    for setting, file in (
        ("CA", "authority.crt"),
        ("CERT", "clients/controller.crt"),
        ("KEY", "clients/controller.key"),
    ):
        assert f"LOA_BROKER_{setting}={folder / file}\n" in told
        assert (folder / file).exists()
    before = {path: path.read_bytes() for path in folder.rglob("*.crt")}
    assert broker_certificates.main(line) == 0
    assert {path: path.read_bytes() for path in folder.rglob("*.crt")} == before


@pytest.mark.parametrize("more", [["--units", "../authority"], ["--revoke", "u-9"], ["--fleet", "/nowhere"]])
def test_what_cannot_be_issued_or_revoked_is_said_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str]
) -> None:
    assert broker_certificates.main([str(tmp_path), "--broker", "mqtt.xa.example", *more]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_password_file_holds_hashes_and_keeps_names_that_were_there(tmp_path: Path, fleet: Path) -> None:
    to, secret = tmp_path / "passwords", tmp_path / "secret"
    to.write_text("u-5:kept\nu-1:old\n", encoding="utf-8")
    assert broker_passwords.main(["--to", str(to), "--secret", str(secret), "--fleet", str(fleet)]) == 0
    first = secret.read_text(encoding="utf-8")
    assert [path.stat().st_mode & 0o777 for path in (to, secret)] == [0o600, 0o600]
    lines = dict(line.split(":", 1) for line in to.read_text(encoding="utf-8").splitlines())
    assert set(lines) == {"u-5", "u-1", "controller", "u-2"}
    assert lines["u-5"] == "kept"
    assert all(lines[name].startswith("$7$") for name in ("u-1", "u-2", "controller"))
    assert first.strip() not in to.read_text(encoding="utf-8")
    assert broker_passwords.main(["--to", str(to), "--secret", str(secret)]) == 0
    assert secret.read_text(encoding="utf-8") == first
