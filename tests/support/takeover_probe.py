"""The confined child as a crafted file would use it: `python -m tests.support.takeover_probe`.

Job: `parent` (a process), `secret` (a file outside), `out` (what the parent will keep). Answer: each deed with the
number of the error that stopped it, 0 where nothing did.
"""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import threading
from collections.abc import Callable
from typing import Any

from broadcasts.audio import child
from broadcasts.audio.chain import Limits

_PRLIMIT = {"x86_64": 302, "aarch64": 261}
_TRUNCATE = {"x86_64": 76, "aarch64": 45}


def probe(job: dict[str, Any], limits: Limits) -> dict[str, Any]:
    parent, secret, out = int(job["parent"]), job["secret"], job["out"]
    deeds: dict[str, Callable[[], object]] = {
        "signal the parent": lambda: os.kill(parent, 0),
        "signal everybody": lambda: os.kill(0, 0),
        "bound the parent": lambda: _call(_PRLIMIT[platform.machine()], parent, resource.RLIMIT_CORE, None, None),
        "fork": _forked,
        "link to a secret": lambda: os.symlink(secret, out),
        "make a pipe with a name": lambda: os.mkfifo("stage.txt"),
        "open a secret to everybody": lambda: os.chmod(secret, 0o777),
        "empty a secret": lambda: _call(_TRUNCATE[platform.machine()], secret.encode(), 0),
        "date a secret": lambda: os.utime(secret, (0, 0)),
        "hand the parent's cores away": lambda: os.sched_setaffinity(parent, {0}),
    }
    answers = {name: _told(deed) for name, deed in deeds.items()}
    thread = threading.Thread(target=lambda: answers.update({"thread": 0}))
    thread.start()
    thread.join()
    return answers | {"signal itself": _told(lambda: os.kill(os.getpid(), 0))}


def _forked() -> None:
    process = os.fork()
    if process == 0:
        os._exit(0)
    os.waitpid(process, 0)


def _call(*told: object) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(*told) != 0:
        raise OSError(ctypes.get_errno(), "refused")


def _told(deed: Callable[[], object]) -> int:
    try:
        deed()
    except OSError as error:
        return error.errno or -1
    return 0


if __name__ == "__main__":
    child.serve(probe)
