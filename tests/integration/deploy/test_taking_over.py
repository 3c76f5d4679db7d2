"""The containers' volume as an older version left it: keys and recordings come along, and the database's password."""

from __future__ import annotations

from pathlib import Path

from deploy.prepare import take_over


def test_the_data_of_an_older_version_moves_below_its_own_folder_with_the_databases_password(tmp_path: Path) -> None:
    for name, content in {
        "keys/root.pub": "root", "keys/plan.jwk": "plan", "audio/assets/ab/abcd": "OggS", "tls/server.key": "tls",
        "fleet.json": "{}", "sim/u-1": "state", "2026-01-01.tar": "backup",
        "secrets/database": "postgresql+psycopg://loa:0a1b2c@postgres:5432/loa", "secrets/broker": "b",
    }.items():  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    data, own = tmp_path / "data", tmp_path / "secrets"
    data.mkdir()
    for _ in range(2):
        take_over(tmp_path, data, own)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["2026-01-01.tar", "data", "secrets", "sim"]
        assert sorted(path.name for path in data.iterdir()) == ["audio", "fleet.json", "keys", "tls"]
        assert (data / "keys/plan.jwk").read_text() == "plan"
        assert (own / "postgres").read_text() == "0a1b2c"
        assert (own / "postgres").stat().st_mode & 0o777 == 0o600


def test_a_first_start_has_nothing_to_take_over(tmp_path: Path) -> None:
    data, own = tmp_path / "data", tmp_path / "secrets"
    for folder in (data, own):
        folder.mkdir()
    take_over(tmp_path, data, own)
    assert not [*data.iterdir(), *own.iterdir()]
