"""Calls that a process may not make any more, by Linux's seccomp: no socket, no program, no other process's memory.

The last wall where a container lets nobody leave its network and where the kernel's Landlock knows no TCP yet (before
6.7). No root needed. What is refused is answered as not permitted, so that a library that only asks goes on.
"""

from __future__ import annotations

import ctypes
import platform
import struct

_SET_SECCOMP, _FILTER = 22, 2
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000 | 1
# Classic BPF: load a word of the call, jump when it equals or is at least, answer.
_LOAD, _EQUAL, _AT_LEAST, _ANSWER = 0x20, 0x15, 0x35, 0x06
_NUMBER_AT, _ARCHITECTURE_AT = 0, 4
_X32 = 0x40000000
"""Numbers from here on are x86-64's other table of the same calls."""

_SHARED = (425, 426, 427)
"""io_uring, which makes calls past this filter."""
_CALLS: dict[str, tuple[int, tuple[int, ...]]] = {
    # socket, connect, accept, sendto, sendmsg, bind, listen, execve, ptrace, process_vm_readv and _writev, execveat
    "x86_64": (0xC000003E, (41, 42, 43, 44, 46, 49, 50, 59, 101, 310, 311, 322)),
    "aarch64": (0xC00000B7, (198, 203, 202, 206, 211, 200, 201, 221, 117, 270, 271, 281)),
}


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_char_p)]


def refuse_calls() -> bool:
    """For this process and what it forks; needs PR_SET_NO_NEW_PRIVS. False where the system cannot."""
    known = _CALLS.get(platform.machine())
    libc = ctypes.CDLL(None, use_errno=True)
    if known is None or not hasattr(libc, "prctl"):
        return False
    steps = _steps(known[0], known[1] + _SHARED)
    program = _Program(len(steps), b"".join(steps))
    return bool(libc.prctl(_SET_SECCOMP, _FILTER, ctypes.byref(program), 0, 0) == 0)


def _steps(architecture: int, numbers: tuple[int, ...]) -> list[bytes]:
    """Refused: another architecture's calls, those of `numbers`, and of the other table all."""
    checks = [(_AT_LEAST, _X32), *((_EQUAL, number) for number in numbers)]
    steps = [_step(_LOAD, _ARCHITECTURE_AT), _step(_EQUAL, architecture, no=len(checks) + 2), _step(_LOAD, _NUMBER_AT)]
    steps += [_step(what, value, yes=len(checks) - at) for at, (what, value) in enumerate(checks)]
    return [*steps, _step(_ANSWER, _ALLOW), _step(_ANSWER, _REFUSE)]


def _step(code: int, value: int, yes: int = 0, no: int = 0) -> bytes:
    return struct.pack("=HBBI", code, yes, no, value)
