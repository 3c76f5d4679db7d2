"""`loa gc`, `loa store copy` and what `loa check` says of the store, against a real S3 server."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from support.object_store import ObjectStore, object_store
from support.ports import free_port

from broadcasts.audio.store import Store
from broadcasts.errors import Fault, Refused
from controller.bootstrap import storage
from controller.bootstrap.audio_room import audio_room, store_of
from controller.db import migrate
from controller.db.engine import Database
from controller.settings import Settings


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    with object_store(tmp_path_factory.mktemp("s3")) as found:
        yield found


@pytest.fixture
def settings(server: ObjectStore, tmp_path: Path) -> Settings:
    at = server.bucket()
    return Settings(
        data=tmp_path / "data", store="s3", s3_endpoint=at.endpoint, s3_bucket=at.bucket, s3_prefix=at.prefix,
        s3_region=at.region, s3_access_key=at.access_key, s3_secret=at.secret,
    )  # fmt: skip


def fill(store: Store, folder: Path, count: int) -> list[str]:
    names = []
    for number in range(count):
        path = folder / "in"
        path.write_bytes(f"sound {number}".encode() * 50)
        names.append(store.put(path).sha256)
        path.write_bytes(f"original {number}".encode() * 70)
        names.append(store.put_original(path).sha256)
    return names


def copy(settings: Settings, to: str) -> int:
    return storage.move(settings, argparse.Namespace(act="copy", to=to))


def test_everything_goes_to_the_bucket_and_back_again_and_may_be_broken_off(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Store(settings.data / "audio")
    fill(disk, tmp_path, 6)
    original, calls = storage.Away.take, []

    def breaks(self: storage.Away, kind: object, sha256: str) -> None:
        calls.append(sha256)
        if len(calls) == 5:
            raise Fault("storage.away", reason="cut")
        original(self, kind, sha256)  # type: ignore[arg-type]

    monkeypatch.setattr(storage.Away, "take", breaks)
    with pytest.raises(Fault):
        copy(settings, "s3")
    assert copy(settings, "s3") == 0
    assert "8 files copied" in capsys.readouterr().out
    copy(settings, "s3")
    assert "0 files copied (0.0 MB), 12 were there already" in capsys.readouterr().out

    elsewhere = replace(settings, data=tmp_path / "other")
    (elsewhere.data / "audio").mkdir(parents=True)
    assert copy(elsewhere, "disk") == 0
    back = Store(elsewhere.data / "audio")
    for kind in ("assets", "originals"):
        names = {each.sha256 for each in disk.listed(kind)}
        assert {each.sha256 for each in back.listed(kind)} == names
        assert all(back.sound(kind, name) for name in names)


def test_what_is_damaged_is_not_copied(settings: Settings, tmp_path: Path) -> None:
    disk = Store(settings.data / "audio")
    [name, _] = fill(disk, tmp_path, 1)
    disk.path(name).write_bytes(b"x" * len(disk.path(name).read_bytes()))
    with pytest.raises(Fault, match="damaged"):
        copy(settings, "s3")


def test_both_ends_have_to_be_known(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"settings\.missing"):
        copy(Settings(data=tmp_path), "s3")


def test_check_says_whether_the_store_is_well(settings: Settings) -> None:
    assert "written, read, listed, deleted" in storage.look(settings)
    with pytest.raises(Fault, match=r"storage\.denied"):
        storage.look(replace(settings, s3_secret="wrong"))
    with pytest.raises(Fault, match=r"storage\.away"):
        storage.look(replace(settings, s3_endpoint=f"http://127.0.0.1:{free_port()}"))


def test_gc_says_what_would_go_and_what_is_there(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.data.mkdir()
    db = Database(settings.database_url)
    migrate.upgrade(db)
    db.close()
    fill(store_of(settings), tmp_path, 2)
    assert storage.collect(settings, argparse.Namespace(dry_run=True, json=True)) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["objects"], told["removed"], told["orphans"]) == (4, [], []), "put today: they may be on their way"
    assert storage.collect(settings, argparse.Namespace(dry_run=False, json=False)) == 0
    assert "4 files" in capsys.readouterr().out
    assert audio_room(settings).store.has(told_name(settings))


def told_name(settings: Settings) -> str:
    return next(store_of(settings).listed("assets")).sha256
