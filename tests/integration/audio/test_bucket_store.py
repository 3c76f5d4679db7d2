"""Audio in a bucket: a real S3 server, and the races that no real server can be made to run on demand."""

from __future__ import annotations

import hashlib
import itertools
import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from obstore.store import MemoryStore
from support.object_store import ObjectStore, object_store
from support.ports import free_port

from broadcasts.audio.bucket import Bucket
from broadcasts.audio.bucket_store import BucketStore
from broadcasts.audio.store import Kind, Store
from broadcasts.clock import SystemClock
from broadcasts.errors import Fault, Refused

BYTES = bytes(range(256)) * 40_000  # 10 MB: more than one part of a multipart upload
NAME = hashlib.sha256(BYTES).hexdigest()
HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    with object_store(tmp_path_factory.mktemp("s3")) as found:
        yield found


@pytest.fixture
def bucket(server: ObjectStore) -> Bucket:
    return Bucket.at(server.bucket())


@pytest.fixture
def store(bucket: Bucket, tmp_path: Path) -> BucketStore:
    return BucketStore(tmp_path / "audio", bucket)


@pytest.fixture
def upload(tmp_path: Path) -> Path:
    path = tmp_path / "upload"
    path.write_bytes(BYTES)
    return path


def forget(store: Store) -> None:
    """As on another machine, or after the copies were dropped."""
    for kind in ("assets", "originals"):
        for path in (store.root / kind).glob("??/*"):
            path.unlink()


def long_ago() -> datetime:
    return SystemClock().now() - HOUR


def soon() -> datetime:
    return SystemClock().now() + HOUR


def test_what_is_put_on_one_machine_is_read_on_another(store: BucketStore, upload: Path) -> None:
    kept = store.put(upload)
    forget(store)
    assert kept.sha256 == NAME
    assert store.has(NAME)
    assert store.open(NAME).size == len(BYTES)
    assert store.open(NAME).read_bytes() == BYTES
    assert b"".join(store.open(NAME).blocks(5_000_000, 5_000_300)) == BYTES[5_000_000:5_000_300]
    assert list(store.open(NAME).blocks(7, 7)) == []
    assert store.path(NAME).read_bytes() == BYTES, "and as a file for who needs one"
    assert store.verify(NAME)


def test_a_stream_is_not_held_in_memory(store: BucketStore, upload: Path) -> None:
    store.put(upload)
    forget(store)
    sizes = [len(block) for block in store.open(NAME).blocks()]
    assert sum(sizes) == len(BYTES)
    assert max(sizes) <= 8 << 20
    assert len(sizes) > 5


def test_the_same_bytes_are_one_object_and_originals_lie_apart(store: BucketStore, upload: Path) -> None:
    assert store.put(upload).sha256 == store.put(upload).sha256 == store.put_original(upload).sha256
    assert [each.sha256 for each in store.listed("assets")] == [NAME]
    assert [(each.sha256, each.size) for each in store.listed("originals")] == [(NAME, len(BYTES))]
    store.remove("assets", NAME, soon())
    assert not store.has(NAME)
    assert store.original(NAME).read_bytes() == BYTES


def test_damage_in_the_bucket_is_noticed_and_never_given_out_as_a_file(
    store: BucketStore, bucket: Bucket, upload: Path, tmp_path: Path
) -> None:
    store.put(upload)
    forget(store)
    wrong = tmp_path / "wrong"
    wrong.write_bytes(BYTES[:-1] + b"!")
    bucket.put(f"assets/{NAME[:2]}/{NAME}", wrong, hashlib.sha256(wrong.read_bytes()).hexdigest())
    assert not store.verify(NAME)
    with pytest.raises(Fault, match=r"storage\.failed"):
        store.path(NAME)
    store.put(upload)
    assert store.verify(NAME), "putting it again mends it"


def test_what_is_not_there_is_refused_everywhere(store: BucketStore) -> None:
    name = "0" * 64
    assert not store.has(name)
    assert not store.verify(name)
    for read in (store.path, store.original, lambda n: store.open(n).size, lambda n: store.open(n).read_bytes()):
        with pytest.raises(Refused, match=r"asset\.unknown"):
            read(name)
    with pytest.raises(Refused, match=r"asset\.unknown"):
        store.open("../../etc/passwd")


def test_a_link_is_good_for_five_minutes_at_most_and_only_for_its_object(store: BucketStore, upload: Path) -> None:
    store.put(upload)
    link = store.open(NAME).link(timedelta(days=7))
    assert link is not None
    assert "X-Amz-Expires=300" in link
    answer = httpx.get(link, headers={"Range": "bytes=10-19"})
    assert (answer.status_code, answer.content) == (206, BYTES[10:20])
    assert httpx.get(link.replace(NAME, "0" * 64)).status_code in (403, 404)
    assert httpx.get(link.split("?")[0]).status_code == 403, "without the signature nothing is given out"


def test_while_the_store_is_away_it_is_said_and_what_was_uploaded_stays(tmp_path: Path, upload: Path) -> None:
    nobody = Bucket.at(ObjectStore(f"http://127.0.0.1:{free_port()}", "a", "b").bucket())
    store = BucketStore(tmp_path / "away", nobody)
    with pytest.raises(Fault, match=r"storage\.away"):
        store.put(upload)
    assert store.open(NAME).read_bytes() == BYTES, "on this machine's disk"
    with pytest.raises(Fault, match=r"storage\.away"):
        store.has(NAME)
    assert not list((store.root / "work").iterdir())


def test_a_wrong_key_is_said_as_such(server: ObjectStore, tmp_path: Path, upload: Path) -> None:
    stranger = Bucket.at(replace(server.bucket(), secret="wrong"))
    with pytest.raises(Fault, match=r"storage\.denied"):
        BucketStore(tmp_path / "audio", stranger).put(upload)


def test_what_was_put_lately_is_not_removed_and_what_is_older_is(store: BucketStore, upload: Path) -> None:
    store.put(upload)
    assert not store.remove("assets", NAME, long_ago())
    assert store.verify(NAME)
    assert store.remove("assets", NAME, soon())
    assert not store.has(NAME)
    assert store.remove("assets", NAME, soon()), "what is gone is gone"
    assert not list(store.root.rglob(NAME))


def test_copies_that_were_not_used_for_longest_make_room(bucket: Bucket, tmp_path: Path) -> None:
    store = BucketStore(tmp_path / "audio", bucket, cache_bytes=5_000)
    for number in range(130):
        path = tmp_path / "one"
        path.write_bytes(os.urandom(100) + bytes([number]))
        store.put(path)
    held = [path for path in (store.root / "assets").rglob("*") if path.is_file()]
    assert 100 <= len(held) < 130
    assert len(list(store.listed("assets"))) == 130


# --- races: every order of the steps of one `remove` and one `put`, in memory


class Interrupted(Bucket):
    """Calls `between` before each request."""

    def __init__(self) -> None:
        super().__init__(MemoryStore())
        self.between = lambda: None

    def head(self, key):  # type: ignore[no-untyped-def]
        self.between()
        return super().head(key)

    def delete(self, key: str) -> None:
        self.between()
        super().delete(key)

    def mark(self, key: str) -> None:
        self.between()
        super().mark(key)


@pytest.mark.parametrize("at", range(6))
def test_a_file_that_is_put_while_it_is_removed_stays(tmp_path: Path, at: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("broadcasts.audio.bucket_store._WAIT_S", 0.001)
    small = tmp_path / "small"
    small.write_bytes(b"one sound")
    there = Interrupted()
    store, other = BucketStore(tmp_path / "a", there), BucketStore(tmp_path / "b", there)
    name = store.put(small).sha256
    steps, outcome = itertools.count(), []

    def put_in_between() -> None:
        if next(steps) == at:
            there.between = lambda: None
            try:
                outcome.append(other.put(small).sha256)
            except Fault:
                outcome.append("refused")  # said so: whoever uploads does it again

    moment = SystemClock().now()
    there.between = put_in_between
    store.remove("assets", name, moment)
    there.between = lambda: None
    if outcome == [name] or not outcome:
        expected = bool(outcome)
        assert (there.head(f"assets/{name[:2]}/{name}") is not None) == expected
    assert not list(there.listed("removing/"))


@pytest.mark.parametrize("when", ["before it looks", "between its looks", "afterwards"])
def test_on_a_disk_a_file_that_is_put_while_it_is_removed_stays(
    tmp_path: Path, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path / "audio")
    small = tmp_path / "small"
    small.write_bytes(b"one sound")
    name = store.put(small).sha256
    os.utime(store.path(name), (0, 0))
    moment, original = datetime(2001, 1, 1, tzinfo=UTC), Path.rename

    def rename(self: Path, target: Path) -> Path:
        monkeypatch.setattr(Path, "rename", original)
        if when == "before it looks":
            store.put(small)
        found = original(self, target)
        if when == "between its looks":
            store.put(small)
        return found

    monkeypatch.setattr(Path, "rename", rename)
    store.remove("assets", name, moment)
    if when == "afterwards":
        store.put(small)
    assert store.verify(name)


def test_a_kill_between_the_two_looks_loses_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path / "audio")
    small = tmp_path / "small"
    small.write_bytes(b"one sound")
    name = store.put(small).sha256
    kind: Kind = "assets"
    store.path(name).rename(store.root / "work" / f"removed-{kind}-{name}")
    store.clear_work()
    assert store.verify(name)
    assert not list((store.root / "work").iterdir())
