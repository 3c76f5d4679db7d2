"""What a child process that reads strangers' bytes gives up before it reads them. Linux; elsewhere only the limits."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import sys
from importlib.util import find_spec
from pathlib import Path

import broadcasts
from broadcasts.audio import landlock, seccomp
from broadcasts.audio.chain import Limits

_PDEATHSIG, _NO_NEW_PRIVS = 1, 38
_NEWUSER, _NEWNET = 0x10000000, 0x40000000
_LIBRARIES = ("av", "espeakng_loader", "numpy", "pydub")


def _site_folders() -> set[Path]:
    """Where the libraries lie, which need not be below Python's own prefix: an environment may borrow them, from a
    person's own folder or by a path file."""
    found = (find_spec(name) for name in _LIBRARIES)
    return {Path(spec.origin).parents[1] for spec in found if spec is not None and spec.origin}


_READABLE = (
    *map(Path, (sys.prefix, sys.base_prefix, "/usr", "/lib", "/lib64", "/proc/self")),
    *_site_folders(),
    Path(broadcasts.__file__).parent,
)
_DEVICES = tuple(Path("/dev", name) for name in ("null", "zero", "full", "urandom"))
"""Nothing can be kept in them."""


def missing() -> list[str]:
    """The walls that this system does not have; what is left then is `confine`'s limits and the other walls."""
    walls = {"Landlock": landlock.version() > 0, "seccomp": seccomp.known()}
    return [name for name, there in walls.items() if not there]


def confine(limits: Limits, folder: Path) -> None:
    """Bounds memory, CPU seconds, file size, open files; no core dump; dies with its parent; writes in `folder` only.

    Reads there, and what Python and its libraries need; no socket, no program, no other process, none new. Must come
    before the first thread.
    """
    _prctl(_PDEATHSIG, signal.SIGKILL)
    _prctl(_NO_NEW_PRIVS, 1)
    landlock.restrict(_READABLE, [folder, *_DEVICES])
    seccomp.refuse_calls()
    for what, bound in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, limits.open_files),
        (resource.RLIMIT_FSIZE, limits.work_bytes),
        (resource.RLIMIT_AS, limits.memory_bytes),
    ):
        _bound(what, bound)
    # Soft limit first: SIGXCPU says why it died, the hard limit only kills.
    _bound(resource.RLIMIT_CPU, limits.cpu_seconds, limits.cpu_seconds + 5)


def leave_network() -> bool:
    """Into a network of our own with nothing in it; False where the system does not allow it.

    Must come before the first thread. An ordinary user needs a user namespace for it, in which he stays himself.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "unshare"):
        return False
    if libc.unshare(_NEWNET) == 0:
        return True
    user, group = os.getuid(), os.getgid()
    if libc.unshare(_NEWUSER | _NEWNET) != 0:
        return False
    with contextlib.suppress(OSError):
        Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1", encoding="ascii")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1", encoding="ascii")
    return True


def _bound(what: int, soft: int, hard: int | None = None) -> None:
    allowed = resource.getrlimit(what)[1]
    wanted = hard if hard is not None else soft
    if allowed != resource.RLIM_INFINITY:
        wanted, soft = min(wanted, allowed), min(soft, allowed)
    resource.setrlimit(what, (soft, wanted))


def _prctl(option: int, value: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if hasattr(libc, "prctl"):
        libc.prctl(option, value, 0, 0, 0)
