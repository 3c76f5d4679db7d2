"""One bucket of an S3-compatible store. The one module that knows obstore.

What goes wrong on the way is a Fault in our words; nothing here decides what is kept or removed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import BaseError, NotFoundError, PermissionDeniedError, UnauthenticatedError
from obstore.store import MemoryStore, S3Store

from broadcasts.errors import Fault, Refused

LINK_MOST = timedelta(minutes=5)
"""How long a link may be good for (design, section 6)."""
_BLOCK = 256 << 10
_WORDS = 160


@dataclass(frozen=True)
class Object:
    key: str
    size: int
    modified: datetime


@dataclass(frozen=True)
class Address:
    """`endpoint`: http(s)://host:port, with the bucket in the path; empty: Amazon's own for the region."""

    endpoint: str
    bucket: str
    region: str
    access_key: str
    secret: str
    prefix: str = ""
    """Before every key, where the bucket serves others too."""


class Bucket:
    """Safe to use from several threads and processes at once. Everything may raise Fault: storage.away,
    storage.denied."""

    def __init__(self, store: S3Store | MemoryStore) -> None:
        self._store = store

    @classmethod
    def at(cls, address: Address) -> Bucket:
        """Asks nobody yet. Plain HTTP only where the address says so."""
        return cls(
            S3Store(
                address.bucket,
                prefix=address.prefix or None,
                endpoint=address.endpoint or None,
                region=address.region,
                access_key_id=address.access_key,
                secret_access_key=address.secret,
                virtual_hosted_style_request=False,
                client_options={
                    "allow_http": urlsplit(address.endpoint).scheme == "http",
                    "connect_timeout": timedelta(seconds=5),
                    "timeout": timedelta(seconds=120),
                },
                retry_config={"max_retries": 2, "retry_timeout": timedelta(seconds=30)},
            )
        )

    def put(self, key: str, path: Path, sha256: str) -> None:
        """In place of what was there; read back and hashed, because not every store checks what it was sent. Raises
        Fault storage.failed when other bytes came back."""
        with _told(key):
            obstore.put(self._store, key, path)
        if self.hashed(key) != sha256:
            raise Fault("storage.failed", reason="the object store gave other bytes back")

    def mark(self, key: str) -> None:
        """An object of no bytes."""
        with _told(key):
            obstore.put(self._store, key, b"")

    def head(self, key: str) -> Object | None:
        try:
            with _told(key):
                found = obstore.head(self._store, key)
        except Refused:
            return None
        return Object(found["path"], found["size"], found["last_modified"])

    def read(self, key: str, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """From byte `start` up to `stop`, in blocks. Raises Refused asset.unknown."""
        if stop is not None and stop <= start:
            return
        wanted = {"range": {"offset": start} if stop is None else (start, stop)}
        with _told(key):
            answer = obstore.get(self._store, key, options=wanted)  # type: ignore[arg-type]
            for block in answer.stream(min_chunk_size=_BLOCK):
                yield bytes(block)

    def hashed(self, key: str) -> str:
        """The SHA-256 of what lies there. Raises Refused asset.unknown."""
        found = hashlib.sha256()
        for block in self.read(key):
            found.update(block)
        return found.hexdigest()

    def listed(self, prefix: str) -> Iterator[Object]:
        with _told(prefix):
            for several in obstore.list(self._store, prefix):
                for each in several:
                    yield Object(each["path"], each["size"], each["last_modified"])

    def delete(self, key: str) -> None:
        """What is not there is deleted already."""
        try:
            with _told(key):
                obstore.delete(self._store, key)
        except Refused:
            pass

    def link(self, key: str, good_for: timedelta) -> str | None:
        """Where anybody may read this object for so long, at most `LINK_MOST`; none where the store makes no links."""
        if not isinstance(self._store, S3Store):
            return None
        with _told(key):
            return obstore.sign(self._store, "GET", key, min(good_for, LINK_MOST))


@contextmanager
def _told(key: str) -> Iterator[None]:
    try:
        yield
    except (NotFoundError, FileNotFoundError) as failure:
        raise Refused("asset.unknown", asset=key.rpartition("/")[2][:80]) from failure
    except (PermissionDeniedError, UnauthenticatedError) as failure:
        raise Fault("storage.denied") from failure
    except (BaseError, OSError) as failure:
        # The first line says what; those below are the inside of the library.
        raise Fault("storage.away", reason=" ".join(str(failure).splitlines()[0].split())[:_WORDS]) from failure
