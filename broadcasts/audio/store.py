"""Files kept under the SHA-256 of their bytes: what poles fetch, and the originals people uploaded.

    <root>/assets/<first two digits>/<sha256>       what poles fetch
    <root>/originals/<first two digits>/<sha256>    as uploaded, for the record; to be served as attachment only
    <root>/work/                                    unfinished; may be emptied whenever nothing is running

A file appears under its name whole or not at all: it is written beside, synced, renamed, and the folder synced.
"""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from broadcasts.audio.digest import CHUNK, Digest, digest
from broadcasts.errors import Fault, Refused
from broadcasts.ids import SHA256

_FULL = (errno.ENOSPC, errno.EDQUOT)
_BLOCK = 256 << 10
_ASIDE = "removed-"
Kind = Literal["assets", "originals"]
KINDS: tuple[Kind, ...] = ("assets", "originals")


@dataclass(frozen=True)
class StoredAsset:
    sha256: str
    size: int
    chunk_size: int
    chunks: tuple[str, ...]
    path: Path


@dataclass(frozen=True)
class Listed:
    """A file that is kept, and when its bytes were last put there."""

    sha256: str
    size: int
    put_at: datetime


class Stored:
    """A file that is kept, wherever it lies."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def size(self) -> int:
        """Raises Refused asset.unknown when it is not there."""
        try:
            return self._path.stat().st_size
        except FileNotFoundError:
            raise Refused("asset.unknown", asset=self._path.name) from None

    def blocks(self, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """The bytes from `start` up to `stop`. Raises Refused asset.unknown."""
        left = (self.size if stop is None else stop) - start
        with self._path.open("rb") as file:
            file.seek(start)
            while left > 0 and (block := file.read(min(_BLOCK, left))):
                left -= len(block)
                yield block

    def read_bytes(self) -> bytes:
        return b"".join(self.blocks())

    @property
    def name_below(self) -> str | None:
        """Its path below the folder of all such files, for a web server beside us; none where it is not on the disk."""
        return f"{self._path.parent.name}/{self._path.name}"

    def link(self, good_for: timedelta) -> str | None:
        """Where anybody may read it for so long; none where it has to come from us."""
        del good_for
        return None


@contextmanager
def told_as_faults() -> Iterator[None]:
    """Turns the system's errors into ours: Fault storage.full, Fault storage.failed."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise Fault("storage.full") from error
        raise Fault("storage.failed", reason=errno.errorcode.get(error.errno or 0, "unknown")) from error


class Store:
    """Safe to use from several threads and processes at once: same bytes, same name, same file."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for folder in ("assets", "originals", "work"):
            with told_as_faults():
                (root / folder).mkdir(parents=True, exist_ok=True)

    def put(self, source: Path) -> StoredAsset:
        """Keeps a copy of `source` for the poles. Raises Fault storage.full, storage.failed."""
        return self._keep("assets", source)

    def put_original(self, source: Path) -> StoredAsset:
        """Keeps a copy of what was uploaded. Raises Fault storage.full, storage.failed."""
        return self._keep("originals", source)

    def has(self, sha256: str) -> bool:
        return self.path(sha256).is_file()

    def path(self, sha256: str) -> Path:
        """Where the file lies or would lie. Raises Refused asset.unknown when it is no name at all."""
        return self._place("assets", sha256)

    def original(self, sha256: str) -> Path:
        """Where what was uploaded lies. Raises Refused asset.unknown when it is no name, or not there."""
        path = self._place("originals", sha256)
        if not path.is_file():
            raise Refused("asset.unknown", asset=sha256)
        return path

    def verify(self, sha256: str) -> bool:
        """Whether the bytes on the disk still are what their name says."""
        return self.sound("assets", sha256)

    def sound(self, kind: Kind, sha256: str) -> bool:
        """The same of an original too. Where the store is elsewhere, what lies there is looked at."""
        place = self._place(kind, sha256)
        return place.is_file() and digest(place).sha256 == sha256

    def open(self, sha256: str) -> Stored:
        """An asset, to be read. Raises Refused asset.unknown when it is no name at all."""
        return Stored(self._place("assets", sha256))

    def listed(self, kind: Kind) -> Iterator[Listed]:
        """Everything that is kept, in no order; what comes or goes meanwhile may be there or not."""
        for place in (self.root / kind).glob("??/*"):
            with suppress(FileNotFoundError):
                if SHA256.fullmatch(place.name):
                    found = place.stat()
                    yield Listed(place.name, found.st_size, _moment(found.st_mtime))

    def remove(self, kind: Kind, sha256: str, before: datetime) -> bool:
        """Removes a file that was last put before that instant; whether it is gone.

        A `put` of the same bytes at the same moment wins, whichever of the two comes first: it leaves a newer time on
        the file, and that is looked at once more when nobody can find the file any longer.
        """
        place, aside = self._place(kind, sha256), self.root / "work" / f"{_ASIDE}{kind}-{sha256}"
        with told_as_faults():
            try:
                if _moment(place.stat().st_mtime) >= before:
                    return False
                place.rename(aside)
            except FileNotFoundError:
                return True
            if _moment(aside.stat().st_mtime) >= before:
                aside.rename(place)
                return False
            aside.unlink()
            _sync_folder(place.parent)
        return True

    @contextmanager
    def work_folder(self) -> Iterator[Path]:
        """A folder of one's own on the same disk, gone afterwards."""
        with told_as_faults():
            folder = Path(tempfile.mkdtemp(prefix="job-", dir=self.root / "work"))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def clear_marks(self) -> None:
        """What a `remove` that was killed left; by who alone removes."""

    def clear_work(self) -> None:
        """Removes what a killed process left unfinished. Only while nothing else uses this store: at start."""
        for left in (self.root / "work").iterdir():
            kind, _, sha256 = left.name.removeprefix(_ASIDE).partition("-")
            if left.name.startswith(_ASIDE) and kind in KINDS and SHA256.fullmatch(sha256):
                # Killed between two looks of `remove`: it may have been put again meanwhile.
                left.rename(self.root / kind / sha256[:2] / sha256)
                continue
            if left.is_dir():
                shutil.rmtree(left, ignore_errors=True)
            else:
                left.unlink(missing_ok=True)

    def _place(self, kind: Kind, sha256: str) -> Path:
        if not SHA256.fullmatch(sha256):
            raise Refused("asset.unknown", asset=sha256[:80])
        return self.root / kind / sha256[:2] / sha256

    def _keep(self, kind: Kind, source: Path) -> StoredAsset:
        with told_as_faults():
            handle, name = tempfile.mkstemp(prefix="new-", dir=self.root / "work")
            beside = Path(name)
            try:
                with os.fdopen(handle, "wb") as copy, source.open("rb") as original:
                    shutil.copyfileobj(original, copy, CHUNK)
                    copy.flush()
                    os.fsync(copy.fileno())
                # Hashed after the copy, so that the name fits the bytes we keep even if the source moved meanwhile.
                found = digest(beside)
                if kind == "assets":
                    beside.chmod(0o644)  # what poles fetch is no secret: a web server in front may hand it out
                self._settle(beside, self._place(kind, found.sha256), found)
            finally:
                beside.unlink(missing_ok=True)
        return StoredAsset(found.sha256, found.size, found.chunk_size, found.chunks, self._place(kind, found.sha256))

    def _settle(self, beside: Path, place: Path, found: Digest) -> None:
        # A file of the right name and the wrong size is damage; writing over it mends it.
        with suppress(FileNotFoundError):
            if place.stat().st_size == found.size:
                os.utime(place)  # put just now: `remove` must see it
                return
        place.parent.mkdir(exist_ok=True)
        beside.replace(place)
        _sync_folder(place.parent)
        _sync_folder(place.parent.parent)


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
