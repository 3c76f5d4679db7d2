"""Back up a controller, also while it runs: database, audio, keys, certificates, as one file of mode 0600.

    python -m deploy.backup [--data DIR] [--to FILE]      settings as for `loa serve` (LOA_DATA, LOA_DATABASE_FILE)

The archive holds every private key of the station except a root key that is kept offline, as it should be: whoever
has the file can speak as the station. It is plain tar with `manifest.json` last, which names each file's SHA-256.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import json
import os
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import make_url

from broadcasts.clock import VIETNAM, SystemClock
from broadcasts.errors import Refused
from controller.settings import Settings, from_environment

FORMAT = 1
MANIFEST = "manifest.json"
SQLITE, POSTGRES = "database/loa.db", "database/loa.dump"
FOLDERS = ("keys", "tls", "audio/assets", "audio/originals")
"""Beside the database; `fleet.json` (a demo's units) too. Not kept: the broker's store and unfinished uploads, which
the controller makes anew."""
FILES = ("fleet.json",)
_BLOCK = 1 << 20


class CannotBackUp(Exception):
    """One sentence for the person at the terminal."""


@dataclass(frozen=True)
class Made:
    archive: Path
    files: int
    size: int


def back_up(settings: Settings, archive: Path, now: datetime) -> Made:
    """Raises CannotBackUp. An existing file is never overwritten; nothing half-made keeps the name."""
    if archive.exists():
        raise CannotBackUp(f"{archive} is there already.")
    beside = archive.with_name(f"{archive.name}.part")
    try:
        archive.parent.mkdir(parents=True, exist_ok=True)
        beside.unlink(missing_ok=True)
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            hashes = _write(settings, file, now)
            file.flush()
            os.fsync(file.fileno())
        beside.rename(archive)
    except (OSError, sqlite3.Error) as failure:
        beside.unlink(missing_ok=True)
        raise CannotBackUp(f"The backup could not be written: {failure}") from failure
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    return Made(archive, len(hashes), archive.stat().st_size)


def _write(settings: Settings, file: io.BufferedWriter, now: datetime) -> dict[str, str]:
    hashes: dict[str, str] = {}
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
        # The database first: every recording that it names exists by then, and recordings are never changed.
        with tempfile.TemporaryDirectory(prefix="loa-backup-", dir=settings.data) as scratch:
            name, copy = _database(settings, Path(scratch))
            hashes[name] = _add(tar, name, copy)
        for path in _lasting(settings.data):
            name = path.relative_to(settings.data).as_posix()
            hashes[name] = _add(tar, name, path)
        manifest = {"format": FORMAT, "made_at": now.isoformat(), "files": hashes}
        text = json.dumps(manifest, indent=1).encode()
        entry = tarfile.TarInfo(MANIFEST)
        entry.size, entry.mode = len(text), 0o600
        tar.addfile(entry, io.BytesIO(text))
    return hashes


def _lasting(data: Path) -> Iterator[Path]:
    for folder in FOLDERS:
        # A name with a dot first, or `.new` last, is being written at this moment.
        yield from sorted(
            path
            for path in (data / folder).rglob("*")
            if path.is_file() and not path.name.startswith(".") and path.suffix not in (".new", ".part")
        )
    yield from (data / name for name in FILES if (data / name).is_file())


def _add(tar: tarfile.TarFile, name: str, path: Path) -> str:
    """The SHA-256 of the bytes that went in."""
    with path.open("rb") as source:
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode = os.fstat(source.fileno()).st_size, 0o600
        reader = _Hashing(source)
        tar.addfile(entry, reader)
    return reader.hexdigest()


class _Hashing(io.RawIOBase):
    def __init__(self, source: io.BufferedReader) -> None:
        self._source, self._hash = source, hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self._source.read(size)
        self._hash.update(data)
        return data

    def hexdigest(self) -> str:
        return self._hash.hexdigest()


def _database(settings: Settings, scratch: Path) -> tuple[str, Path]:
    """One consistent moment of the database, while others write."""
    url = make_url(settings.database_url)
    if url.get_backend_name() == "sqlite":
        source, copy = Path(url.database or ""), scratch / "loa.db"
        if not source.is_file():
            raise CannotBackUp(f"There is no database at {source}.")
        with (
            contextlib.closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True, timeout=30)) as here,
            contextlib.closing(sqlite3.connect(copy)) as there,
        ):
            here.backup(there)  # in one go: a writer meanwhile waits, or we begin again, but never a mixture
            there.execute("pragma journal_mode=delete")
            (well,) = there.execute("pragma integrity_check").fetchone()
        if well != "ok":
            raise CannotBackUp(f"The database is damaged: {well}")
        return SQLITE, copy
    copy = scratch / "loa.dump"
    postgres_tool("pg_dump", settings, "--format=custom", "--no-owner", f"--file={copy}")
    return POSTGRES, copy


def postgres_tool(program: str, settings: Settings, *arguments: str) -> None:
    """pg_dump or pg_restore on the settings' database; the password goes by environment, never on a command line.

    Raises CannotBackUp.
    """
    url = make_url(settings.database_url)
    host = url.host or str(url.query.get("host", ""))
    given = {"PGHOST": host, "PGPORT": str(url.port or ""), "PGUSER": url.username, "PGPASSWORD": url.password}
    environment: Mapping[str, str] = {**os.environ, **{name: str(value) for name, value in given.items() if value}}
    command = [program, *arguments, f"--dbname={url.database}"]
    try:
        told = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise CannotBackUp(f"{program} is missing. On Debian: apt-get install postgresql-client") from None
    if told.returncode:
        raise CannotBackUp(f"{program} failed: {told.stderr.strip()[-600:]}")


def settings_of(data: Path | None) -> Settings:
    """From the environment, `data` in place of LOA_DATA. Raises CannotBackUp."""
    given = {**os.environ, **({"LOA_DATA": str(data)} if data else {})}
    try:
        return from_environment(given)
    except Refused as refused:
        raise CannotBackUp(f"The settings are refused: {refused}") from None


def main(arguments: Sequence[str] | None = None) -> int:
    now = SystemClock().now()
    parser = argparse.ArgumentParser(
        prog="backup", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="instead of LOA_DATA")
    parser.add_argument("--to", type=Path, default=Path(f"loa-{now.astimezone(VIETNAM):%Y%m%d-%H%M%S}.tar"))
    given = parser.parse_args(arguments)
    try:
        made = back_up(settings_of(given.data), given.to, now)
    except CannotBackUp as reason:
        print(f"backup: {reason}", file=sys.stderr)
        return 1
    print(f"{made.archive}: {made.files} files, {made.size / 1_000_000:.1f} MB. It holds private keys: lock it away.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
