"""Assets and originals in a bucket; the folder on the disk keeps copies of what is asked for often.

A file is put on the disk first, then into the bucket, and is read back there: while the bucket is away nothing that was
uploaded is lost, and whoever uploads it again goes on where it stopped. Reading takes the copy where there is one.

Object stores can neither rename nor delete on a condition. So `remove` first leaves a mark under `removing/`, then
looks when the object was last put, then deletes, then takes the mark away; and `put` looks for the mark after it has
put. If it finds none and the object is there, no `remove` that began before can still delete it, and one that begins
later sees that it is new. That holds for one `remove` at a time: who collects holds a lock.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

from broadcasts.audio.bucket import Bucket
from broadcasts.audio.store import Kind, Listed, Store, Stored, StoredAsset, told_as_faults
from broadcasts.errors import Fault, Refused
from broadcasts.ids import SHA256

CACHE_BYTES = 4_000_000_000
_TRIES, _WAIT_S = 20, 0.25
_LATELY = 100
"""So many of the files that were used last stay on the disk, however large they are: somebody may be reading them."""


class BucketStored(Stored):
    """Read from the bucket as it comes."""

    def __init__(self, bucket: Bucket, key: str) -> None:
        self._bucket, self._key = bucket, key

    @property
    def size(self) -> int:
        found = self._bucket.head(self._key)
        if found is None:
            raise Refused("asset.unknown", asset=self._key.rpartition("/")[2])
        return found.size

    def blocks(self, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        return self._bucket.read(self._key, start, stop)

    @property
    def name_below(self) -> str | None:
        return None

    def link(self, good_for: timedelta) -> str | None:
        return self._bucket.link(self._key, good_for)


class _Copied(Stored):
    """There is a copy on the disk; a link leads to the bucket all the same."""

    def __init__(self, path: Path, there: BucketStored) -> None:
        super().__init__(path)
        self._there = there

    def link(self, good_for: timedelta) -> str | None:
        return self._there.link(good_for)


class BucketStore(Store):
    """As `Store`; everything may raise Fault storage.away and storage.denied besides."""

    def __init__(self, root: Path, bucket: Bucket, cache_bytes: int = CACHE_BYTES) -> None:
        super().__init__(root)
        self._bucket, self._cache_bytes = bucket, cache_bytes
        self._copied, self._lock = 0, threading.Lock()

    def has(self, sha256: str) -> bool:
        return self._bucket.head(self._key("assets", sha256)) is not None

    def path(self, sha256: str) -> Path:
        """A copy on the disk, fetched where there is none. Raises Refused asset.unknown."""
        return self._copy("assets", sha256)

    def original(self, sha256: str) -> Path:
        return self._copy("originals", sha256)

    def open(self, sha256: str) -> Stored:
        place, there = self._place("assets", sha256), BucketStored(self._bucket, self._key("assets", sha256))
        if not place.is_file():
            return there
        with suppress(FileNotFoundError):
            os.utime(place)
        return _Copied(place, there)

    def sound(self, kind: Kind, sha256: str) -> bool:
        try:
            return self._bucket.hashed(self._key(kind, sha256)) == sha256
        except Refused:
            return False

    def listed(self, kind: Kind) -> Iterator[Listed]:
        for each in self._bucket.listed(f"{kind}/"):
            name = each.key.rpartition("/")[2]
            if SHA256.fullmatch(name):
                yield Listed(name, each.size, each.modified)

    def remove(self, kind: Kind, sha256: str, before: datetime) -> bool:
        key, mark = self._key(kind, sha256), f"removing/{kind}/{sha256}"
        self._bucket.mark(mark)
        try:
            found = self._bucket.head(key)
            if found is not None and found.modified >= before:
                return False
            self._bucket.delete(key)
            super().remove(kind, sha256, before)
        finally:
            self._bucket.delete(mark)
        return True

    def clear_marks(self) -> None:
        for mark in list(self._bucket.listed("removing/")):
            self._bucket.delete(mark.key)

    def _key(self, kind: Kind, sha256: str) -> str:
        self._place(kind, sha256)  # raises for what is no name
        return f"{kind}/{sha256[:2]}/{sha256}"

    def _keep(self, kind: Kind, source: Path) -> StoredAsset:
        kept = super()._keep(kind, source)
        key, waiting = self._key(kind, kept.sha256), threading.Event()
        for _ in range(_TRIES):
            self._bucket.put(key, kept.path, kept.sha256)
            if self._bucket.head(f"removing/{kind}/{kept.sha256}") is None and self._bucket.head(key) is not None:
                self._trim(kept.size)
                return kept
            waiting.wait(_WAIT_S)
        raise Fault("storage.failed", reason="this file is being removed")

    def upload(self, kind: Kind, sha256: str) -> None:
        """What lies on the disk goes into the bucket too, and is read back there. Raises Refused asset.unknown."""
        place = self._place(kind, sha256)
        if not place.is_file():
            raise Refused("asset.unknown", asset=sha256)
        self._bucket.put(self._key(kind, sha256), place, sha256)

    def _copy(self, kind: Kind, sha256: str) -> Path:
        place = self._place(kind, sha256)
        with suppress(FileNotFoundError):
            os.utime(place)
            return place
        with self.work_folder() as folder:
            fetched = folder / sha256
            with told_as_faults(), fetched.open("wb") as file:
                for block in self._bucket.read(self._key(kind, sha256)):
                    file.write(block)
            kept = super()._keep(kind, fetched)
        if kept.sha256 != sha256:
            self._place(kind, kept.sha256).unlink(missing_ok=True)
            raise Fault("storage.failed", reason=f"{sha256[:12]} is damaged in the object store")
        self._trim(kept.size)
        return place

    def _trim(self, added: int) -> None:
        """Now and then: copies that were not used for longest go until the rest fits."""
        with self._lock:
            self._copied += added
            if self._copied < self._cache_bytes // 20:
                return
            self._copied = 0
        files = []
        for kind in ("assets", "originals"):
            for place in (self.root / kind).glob("??/*"):
                with suppress(FileNotFoundError):
                    found = place.stat()
                    files.append((found.st_mtime, found.st_size, place))
        files.sort(reverse=True)
        held = 0
        for number, (_, size, place) in enumerate(files):
            held += size
            if held > self._cache_bytes and number >= _LATELY:
                place.unlink(missing_ok=True)
