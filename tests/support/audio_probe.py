"""What a confined child process can still see and do: `python -m tests.support.audio_probe` through `child.run`."""

from __future__ import annotations

import os
import resource
import socket
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
    status = Path("/proc/self/status").read_text(encoding="ascii")
    names = ("RLIMIT_AS", "RLIMIT_CPU", "RLIMIT_FSIZE", "RLIMIT_NOFILE", "RLIMIT_CORE")
    return {
        "environment": sorted(os.environ),
        "reached": reached,
        "network": os.readlink("/proc/self/ns/net"),
        "user": os.getuid(),
        "no_new_privs": "NoNewPrivs:\t1" in status,
        "limits": {name: resource.getrlimit(getattr(resource, name))[0] for name in names},
    }


if __name__ == "__main__":
    child.serve(probe)
