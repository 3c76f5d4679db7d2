"""Put a backup back: checked whole before anything is touched, the old data moved aside, never deleted.

    python -m deploy.restore FILE [--data DIR] [--replace]     settings as for `loa serve`

SQLite comes back in the data folder; a PostgreSQL backup goes into an empty database, so the old one stays too.

A restored controller knows less than units and broker do. So that it outranks its own past (design, section 6), the
epoch of its acknowledgements is raised, and units tell their journals again from where the backup ends; everything is
published anew, plans and alerts above the versions that are out there; emergencies that stood in the backup are taken
off, because they may have been silenced since; and everybody logs in again.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import sqlite3
import sys
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any

from sqlalchemy import delete, inspect, make_url, select, update

from broadcasts.clock import VIETNAM, SystemClock
from controller.db import migrate
from controller.db.engine import Database
from controller.db.tables import LoginSession, ScopeDocument, Unit, UnitPlan
from controller.services.acknowledging import ask_again
from controller.services.alert_restoring import take_all_off
from controller.settings import Settings
from deploy.backup import FORMAT, MANIFEST, POSTGRES, SQLITE, CannotBackUp, postgres_tool, settings_of

_BLOCK = 1 << 20
_OPEN = ("audio/",)
"""What other users may read, if the folders above let them; everything else is 0600."""


class CannotRestore(Exception):
    """One or two sentences for the person at the terminal."""


@dataclass(frozen=True)
class Restored:
    made_at: str
    aside: Path | None
    """Where the data of before are."""


def restore(settings: Settings, archive: Path, now: datetime, *, replace: bool = False) -> Restored:
    """Raises CannotRestore; then the data are as they were."""
    data = settings.data.absolute()
    postgres = make_url(settings.database_url).get_backend_name() != "sqlite"
    if not postgres and settings.database and Path(make_url(settings.database).database or "") != data / "loa.db":
        raise CannotRestore("The SQLite database must lie in the data folder: leave LOA_DATABASE away.")
    with _nobody_runs(data):
        inhabited = data.is_dir() and any(each.name != "loa.lock" for each in data.iterdir())
        if inhabited and not replace:
            raise CannotRestore(f"{data} is not empty. --replace moves it aside and puts the backup in its place.")
        if postgres and _has_tables(settings):
            raise CannotRestore(
                "The PostgreSQL database is not empty. Make a new one and name it in LOA_DATABASE_FILE."
            )
        fresh = data.with_name(f"{data.name}.restoring")
        shutil.rmtree(fresh, ignore_errors=True)
        try:
            manifest = _unpack(archive, fresh)
            _check_kind(manifest, postgres=postgres)
            if postgres:
                _into_postgres(settings, fresh / POSTGRES)
                outrank(Database(settings.database_url), now)
            else:
                (fresh / SQLITE).rename(fresh / "loa.db")
                outrank(Database(f"sqlite:///{fresh / 'loa.db'}"), now)
            shutil.rmtree(fresh / "database")
            aside = _move_aside(data, now) if inhabited else None
            if data.exists():
                shutil.rmtree(data)  # at most a lock file
            fresh.rename(data)
        except (OSError, tarfile.TarError, ValueError, KeyError, sqlite3.Error, CannotBackUp) as failure:
            raise CannotRestore(f"{archive} was not restored: {failure}") from failure
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
    return Restored(str(manifest["made_at"]), aside)


def outrank(db: Database, now: datetime) -> None:
    """Bring the database to this version's shape and make its owner outrank its own past.

    By time, not only by one: two restores of the same backup must differ, or units would not listen to the second.
    """
    migrate.upgrade(db)
    with db.write() as session:
        ask_again(session, list(session.scalars(select(Unit.id))), now)
        session.execute(update(UnitPlan).values(published_at=None))
        session.execute(update(ScopeDocument).values(published_at=None))
        take_all_off(session, now)
        session.execute(delete(LoginSession))
    db.close()


@contextlib.contextmanager
def _nobody_runs(data: Path) -> Iterator[None]:
    """Raises CannotRestore when a controller has the folder."""
    with contextlib.ExitStack() as undo:
        with contextlib.suppress(FileNotFoundError):
            lock = undo.enter_context((data / "loa.lock").open("r+", encoding="utf-8"))
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise CannotRestore(f"A controller runs on {data}: stop it first.") from None
        yield


def _has_tables(settings: Settings) -> bool:
    db = Database(settings.database_url)
    try:
        return bool(inspect(db.engine).get_table_names())
    finally:
        db.close()


def _unpack(archive: Path, to: Path) -> dict[str, Any]:
    """Every file of the manifest, its hash compared; nothing else. Raises OSError, ValueError, KeyError, TarError."""
    to.mkdir(mode=0o700, parents=True)
    with tarfile.open(archive, mode="r:") as tar:
        members = {member.name: member for member in tar.getmembers()}
        text = tar.extractfile(members[MANIFEST]) if MANIFEST in members else None
        if text is None:
            raise ValueError("it is no backup of Loa, or was cut off")
        manifest: dict[str, Any] = json.loads(text.read())
        if manifest["format"] != FORMAT:
            raise ValueError(f"its format {manifest['format']} is not known to this version")
        for name, sha256 in manifest["files"].items():
            pure = PurePosixPath(name)
            member = members.get(name)
            if pure.is_absolute() or ".." in pure.parts or member is None or not member.isreg():
                raise ValueError(f"{name} does not belong there")
            if _copy(tar, member, to / pure) != sha256:
                raise ValueError(f"{name} is damaged")
    return manifest


def _copy(tar: tarfile.TarFile, member: tarfile.TarInfo, to: Path) -> str:
    source = tar.extractfile(member)
    assert source is not None
    to.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    seen = hashlib.sha256()
    mode = 0o644 if member.name.startswith(_OPEN) else 0o600
    with os.fdopen(os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        while block := source.read(_BLOCK):
            seen.update(block)
            file.write(block)
        file.flush()
        os.fsync(file.fileno())
    return seen.hexdigest()


def _check_kind(manifest: dict[str, Any], *, postgres: bool) -> None:
    wanted, other = (POSTGRES, "SQLite") if postgres else (SQLITE, "PostgreSQL")
    if wanted not in manifest["files"]:
        raise ValueError(f"it holds a {other} database; set LOA_DATABASE_FILE accordingly")


def _into_postgres(settings: Settings, dump: Path) -> None:
    """All or nothing: one transaction."""
    options = ("--no-owner", "--exit-on-error", "--single-transaction")
    postgres_tool("pg_restore", settings, *options, str(dump))


def _move_aside(data: Path, now: datetime) -> Path:
    aside = data.with_name(f"{data.name}.before-{now.astimezone(VIETNAM):%Y%m%d-%H%M%S}")
    if aside.exists():
        raise ValueError(f"{aside} is there already")
    return data.rename(aside)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="restore", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("archive", type=Path)
    parser.add_argument("--data", type=Path, help="instead of LOA_DATA")
    parser.add_argument("--replace", action="store_true", help="there are data; move them aside")
    given = parser.parse_args(arguments)
    try:
        done = restore(settings_of(given.data), given.archive, SystemClock().now(), replace=given.replace)
    except (CannotRestore, CannotBackUp) as reason:
        print(f"restore: {reason}", file=sys.stderr)
        return 1
    print(f"restored the state of {done.made_at}; the journals are asked for again")
    if done.aside:
        print(f"the data of before are in {done.aside}; delete them when all is well")
    return 0


if __name__ == "__main__":
    sys.exit(main())
