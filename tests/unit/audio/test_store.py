from __future__ import annotations

import errno
import hashlib
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

from broadcasts.audio.digest import chunk_hash, digest
from broadcasts.audio.store import Store
from broadcasts.errors import Fault, Refused

BYTES = bytes(range(256)) * 600  # 153,600 bytes: two whole chunks and a short one


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "audio")


@pytest.fixture
def upload(tmp_path: Path) -> Path:
    path = tmp_path / "upload"
    path.write_bytes(BYTES)
    return path


def files(store: Store) -> list[str]:
    return sorted(str(path.relative_to(store.root)) for path in store.root.rglob("*") if path.is_file())


def test_a_file_is_named_by_its_bytes(store: Store, upload: Path) -> None:
    name = hashlib.sha256(BYTES).hexdigest()

    asset = store.put(upload)

    assert (asset.sha256, asset.size) == (name, len(BYTES))
    assert files(store) == [f"assets/{name[:2]}/{name}"]
    assert store.path(name).read_bytes() == BYTES
    assert upload.exists()


def test_every_64_kib_have_a_hash_of_22_characters(store: Store, upload: Path) -> None:
    asset = store.put(upload)

    assert asset.chunk_size == 65_536
    assert asset.chunks == tuple(chunk_hash(BYTES[start : start + 65_536]) for start in (0, 65_536, 131_072))
    assert {len(chunk) for chunk in asset.chunks} == {22}


def test_a_chunk_hash_is_the_first_half_of_sha_256_in_base64url() -> None:
    # SHA-256 of "abc" is FIPS 180-4's first example: ba7816bf 8f01cfea 414140de 5dae2223 ...
    assert chunk_hash(b"abc") == "ungWv48Bz-pBQUDeXa4iIw"


def test_an_empty_file_has_no_chunks(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()

    assert digest(tmp_path / "empty").chunks == ()


def test_the_same_bytes_twice_are_one_file(store: Store, upload: Path, tmp_path: Path) -> None:
    twin = tmp_path / "twin"
    twin.write_bytes(BYTES)

    assert store.put(upload) == store.put(twin)
    assert len(files(store)) == 1


def test_originals_lie_beside_and_are_no_assets(store: Store, upload: Path) -> None:
    original = store.put_original(upload)

    assert original.path.read_bytes() == BYTES
    assert not store.has(original.sha256)


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "A" * 64, "0" * 63, "0" * 64 + "\n"])
def test_what_is_no_name_never_becomes_a_path(store: Store, name: str) -> None:
    with pytest.raises(Refused, match=r"asset\.unknown"):
        store.path(name)


def test_a_full_disk_is_a_fault_and_leaves_no_trace(
    store: Store, upload: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The one place where a full disk may still show after every write went well.
    monkeypatch.setattr(os, "fsync", failing(errno.ENOSPC))

    with pytest.raises(Fault) as fault:
        store.put(upload)
    assert fault.value.key == "storage.full"
    assert files(store) == []


def test_another_trouble_of_the_disk_is_a_fault_with_its_reason(
    store: Store, upload: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", failing(errno.EIO))

    with pytest.raises(Fault) as fault:
        store.put(upload)
    assert (fault.value.key, fault.value.fields) == ("storage.failed", {"reason": "EIO"})


def test_a_file_appears_whole_and_synced_or_not_at_all(
    store: Store, upload: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, list[str]]] = []
    really_sync, really_replace = os.fsync, Path.replace

    def sync(handle: int) -> None:
        seen.append(("sync", assets(store)))
        really_sync(handle)

    def replace(source: Path, target: Path) -> Path:
        seen.append(("replace", assets(store)))
        return really_replace(source, target)

    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(Path, "replace", replace)
    name = store.put(upload).sha256

    assert seen[:2] == [("sync", []), ("replace", [])]
    assert seen[2:] == [("sync", [name]), ("sync", [name])]


def test_many_at_once_keep_one_good_file(store: Store, upload: Path) -> None:
    names: list[str] = []
    threads = [threading.Thread(target=lambda: names.append(store.put(upload).sha256)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)

    assert len(names) == 8
    assert len(set(names)) == 1
    assert len(files(store)) == 1
    assert store.verify(names[0])


def test_a_damaged_file_is_noticed_and_a_short_one_mended(store: Store, upload: Path) -> None:
    name = store.put(upload).sha256
    store.path(name).write_bytes(BYTES[:-1])
    assert not store.verify(name)

    store.put(upload)

    assert store.verify(name)


def test_what_a_killed_process_left_is_cleared_at_start_and_nothing_else(store: Store, upload: Path) -> None:
    name = store.put(upload).sha256
    (store.root / "work" / "new-half").write_bytes(BYTES[:100])
    (store.root / "work" / "job-dead").mkdir()
    (store.root / "work" / "job-dead" / "raw.pcm").write_bytes(BYTES)

    Store(store.root).clear_work()

    assert list((store.root / "work").iterdir()) == []
    assert store.verify(name)


def assets(store: Store) -> list[str]:
    return [path.name for path in (store.root / "assets").rglob("*") if path.is_file()]


def failing(number: int) -> Callable[[int], NoReturn]:
    def fail(handle: int) -> NoReturn:
        raise OSError(number, os.strerror(number))

    return fail
