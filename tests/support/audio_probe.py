"""What a confined child process can still see and do: `python -m tests.support.audio_probe` through `child.run`."""

from __future__ import annotations

import importlib
import os
import resource
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from broadcasts.audio import child
from broadcasts.audio.chain import Limits


def probe(job: dict[str, Any], limits: Limits) -> dict[str, Any]:
    del limits
    try:
        socket.create_connection(("127.0.0.1", job["port"]), timeout=2).close()
        reached = True
    except OSError:
        reached = False
    refused = [name for name, deed in _DEEDS.items() if not _succeeds(deed, Path(job["secret"]))]
    status = Path("/proc/self/status").read_text(encoding="ascii")
    names = ("RLIMIT_AS", "RLIMIT_CPU", "RLIMIT_FSIZE", "RLIMIT_NOFILE", "RLIMIT_CORE")
    return {
        "environment": sorted(os.environ),
        "reached": reached,
        "refused": refused,
        "network": os.readlink("/proc/self/ns/net"),
        "user": os.getuid(),
        "no_new_privs": "NoNewPrivs:\t1" in status,
        "limits": {name: resource.getrlimit(getattr(resource, name))[0] for name in names},
    }


_DEEDS: dict[str, Callable[[Path], object]] = {
    "read a secret": Path.read_bytes,
    "change a secret": lambda secret: secret.open("ab").close(),
    "look around": lambda secret: list(secret.parent.iterdir()),
    "write beside it": lambda secret: secret.with_name("new").touch(),
    "start a program": lambda secret: subprocess.run(["/bin/true"], check=True),
    "work in its folder": lambda secret: Path("own").write_bytes(b"x") + len(Path("own").read_bytes()),
    "import late": lambda secret: importlib.import_module("colorsys"),
}


def _succeeds(deed: Callable[[Path], object], secret: Path) -> bool:
    try:
        deed(secret)
    except (OSError, ImportError):
        return False
    return True


if __name__ == "__main__":
    child.serve(probe)
