"""Where a demo lives: its data folder, held by one demo at a time, its ports, its socket."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import random
import shutil
import socket
import sqlite3
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

LONGEST_SOCKET = 107
"""Bytes of a Unix socket's path on Linux, without the closing zero."""
BROKER_PORTS = range(20_000, 32_000)
"""Below those that the kernel hands out for outgoing connections: one of them would be taken now and then."""

MIGRATIONS = Path(__file__).resolve().parent.parent / "controller" / "db" / "migrations" / "versions"


class CannotRun(Exception):
    """One or two sentences for the person at the terminal."""


@dataclass
class Place:
    """`data` is absolute. Close it to let another demo in."""

    data: Path
    lock: IO[str]
    temporary: Path | None = None

    @classmethod
    def open(cls, data: Path) -> Place:
        """Raises CannotRun: the folder cannot be used, or a demo or a controller runs on it."""
        data = data.absolute()
        try:
            data.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = (data / "demo.lock").open("a+", encoding="utf-8")
        except OSError as failure:
            raise CannotRun(
                f"The data folder {data} cannot be used: {failure.strerror}. LOA_DATA names another."
            ) from None
        try:
            _take(lock)
        except OSError:
            told = _read(lock)
            lock.close()
            where = f" at {told['address']}" if told.get("address") else ""
            raise CannotRun(
                f"A demo runs on {data} already{where} (process {told.get('process', '?')}). Open it, or stop it with"
                " Ctrl-C in its terminal. A second one beside it needs its own folder and port:"
                " make run LOA_DATA=other-folder PORT=8001"
            ) from None
        place = cls(data, lock)
        place.say()
        if process := _controller_on(data):
            place.close()
            raise CannotRun(f"A controller (process {process}) runs on {data} already. Stop it first.")
        return place

    def say(self, address: str = "") -> None:
        """For whoever comes second: who holds this place, and where the pages are."""
        self.lock.truncate(0)
        self.lock.write(json.dumps({"process": os.getpid(), "address": address}))
        self.lock.flush()

    def close(self) -> None:
        self.lock.truncate(0)
        self.lock.close()
        if self.temporary is not None:
            shutil.rmtree(self.temporary, ignore_errors=True)

    def broker_port(self) -> int:
        """The same at every start, unless somebody else took it meanwhile."""
        kept = self.kept("broker_port")
        if isinstance(kept, int) and kept in BROKER_PORTS and is_free("127.0.0.1", kept):
            return kept
        chance = random.SystemRandom()
        for _ in range(100):
            port = chance.choice(BROKER_PORTS)
            if is_free("127.0.0.1", port):
                self.keep("broker_port", port)
                return port
        raise CannotRun("No free port was found for the broker.")

    def shape(self) -> str | None:
        """Which shape the SQLite database has and which one this version knows, as one word; none: no database."""
        if not (self.data / "loa.db").exists():
            return None
        try:
            with contextlib.closing(sqlite3.connect(self.data / "loa.db")) as database:
                at = database.execute("select version_num from alembic_version").fetchall()
        except sqlite3.Error:
            return None
        seen = hashlib.sha256(str(at).encode())
        for step in sorted(MIGRATIONS.glob("*.py")):
            seen.update(step.read_bytes())
        return seen.hexdigest()

    def kept(self, name: str) -> Any:
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            return json.loads((self.data / "demo.json").read_text(encoding="utf-8"))[name]
        return None

    def keep(self, name: str, value: Any) -> None:
        file, told = self.data / "demo.json", {}
        with contextlib.suppress(OSError, ValueError):
            told = json.loads(file.read_text(encoding="utf-8"))
        told = (told if isinstance(told, dict) else {}) | {name: value}
        beside = file.with_suffix(".new")
        beside.write_text(json.dumps(told) + "\n", encoding="utf-8")
        beside.replace(file)

    def socket(self) -> Path:
        """The fleet's control socket: in the data folder, or, where that lies too deep, in a private folder nearby."""
        name = f"loa-{hashlib.sha256(str(self.data).encode()).hexdigest()[:12]}.sock"
        runtime = os.environ.get("XDG_RUNTIME_DIR", "")
        for path in (self.data / "fleet.sock", *([Path(runtime) / name] if runtime else [])):
            if len(os.fsencode(path)) <= LONGEST_SOCKET and os.access(path.parent, os.W_OK):
                return path
        self.temporary = Path(tempfile.mkdtemp(prefix="loa-", dir="/tmp"))  # mkdtemp makes it private
        return self.temporary / "fleet.sock"


def check_address(host: str, port: int) -> None:
    """Raises CannotRun when nobody could listen there now."""
    try:
        is_free(host, port, tell=True)
    except socket.gaierror:
        raise CannotRun(f"HOST={host} is no name or address that this machine knows.") from None
    except OSError as failure:
        if failure.errno == errno.EADDRINUSE:
            raise CannotRun(
                f"Port {port} is in use by another program. Another one: make run PORT={_another(port)}"
            ) from None
        if failure.errno == errno.EACCES:
            raise CannotRun(f"Port {port} needs root. Another one: make run PORT=8000") from None
        if failure.errno == errno.EADDRNOTAVAIL:
            raise CannotRun(
                f"HOST={host} is not an address of this machine. All of them: make run HOST=0.0.0.0"
            ) from None
        raise CannotRun(f"Nobody can listen on {host} port {port}: {failure.strerror}.") from None


def is_free(host: str, port: int, *, tell: bool = False) -> bool:
    """`tell`: raise the OSError instead of answering False."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError:
        if tell:
            raise
        return False
    return True


def _another(port: int) -> int:
    return port + 80 if 1024 <= port < 65_000 else 8000


def _take(lock: IO[str]) -> None:
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _read(lock: IO[str]) -> dict[str, Any]:
    lock.seek(0)
    try:
        told = json.loads(lock.read())
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _controller_on(data: Path) -> str:
    """The process number of a controller that holds this folder (`loa.lock`), else nothing."""
    try:
        lock = (data / "loa.lock").open("r+", encoding="utf-8")
    except OSError:
        return ""
    with lock:
        try:
            _take(lock)
        except OSError:
            return lock.read().strip() or "?"
        return ""
