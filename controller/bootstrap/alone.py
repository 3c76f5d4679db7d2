"""One controller on one data folder, and one on a port."""

from __future__ import annotations

import fcntl
import os
import socket
from pathlib import Path
from typing import IO

from broadcasts.errors import Fault


def only_one(data: Path) -> IO[str]:
    """Two controllers on one data folder would be two hands at one wheel. Raises Fault("already_running")."""
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = (data / "loa.lock").open("a+", encoding="utf-8")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.seek(0)
        process = lock.read().strip()
        lock.close()
        raise Fault("already_running", data=str(data), process=process or "?") from None
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    return lock


def holder(data: Path) -> str | None:
    """The process of the controller that holds this data folder; none where nobody does."""
    try:
        with (data / "loa.lock").open("r+", encoding="utf-8") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                return lock.read().strip() or "?"
    except FileNotFoundError:
        pass
    return None


def check_port(host: str, port: int) -> None:
    """Raises Fault("port_in_use")."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as failure:
            raise Fault("port_in_use", host=host, port=port, detail=failure.strerror or "") from None
