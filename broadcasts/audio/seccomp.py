"""Calls that a process may not make any more, by Linux's seccomp: no socket, no program, no other process, no name that
leads elsewhere.

The last wall where a container lets nobody leave its network and where the kernel's Landlock knows no TCP (before 6.7),
no signals (6.12), no truncation (6.2); of modes, owners, times and other processes' limits it knows nothing at all. No
root needed. What is refused is answered as not permitted, so that a library that only asks goes on.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct

_SET_SECCOMP, _FILTER = 22, 2
_ALLOW, _REFUSE, _UNKNOWN = 0x7FFF0000, 0x00050000 | 1, 0x00050000 | 38
# Classic BPF: load a word of the call, jump when it equals, is at least, has one of these bits; answer.
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _ANSWER = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER_AT, _ARCHITECTURE_AT, _FIRST_ARGUMENT_AT = 0, 4, 16
"""Of an argument the lower half: processes and flags are no longer, and both machines are little-endian."""
_X32 = 0x40000000
"""Numbers from here on are x86-64's other table of the same calls."""
_A_THREAD = 0x00010000

_SHARED = (
    *(425, 426, 427),  # io_uring, which makes calls past this filter
    *(424, 434, 438, 440),  # pidfd_send_signal, _open and _getfd, process_madvise
    *(428, 429, 430, 431, 432, 433, 442, 452),  # the newer calls that mount, fchmodat2
)
_CLONE3 = 435
"""Its flags lie in memory, where no filter sees them: it is not known here, and the C library takes clone."""
# By machine: its number as AUDIT_ARCH_ has it, and the calls by theirs.
_CALLS: dict[str, tuple[int, tuple[int, ...]]] = {
    "x86_64": (
        0xC000003E,
        (
            # socket, connect, accept, sendto, sendmsg, bind, listen; execve, execveat
            *(41, 42, 43, 44, 46, 49, 50, 59, 322),
            # ptrace, process_vm_readv, process_vm_writev
            *(101, 310, 311),
            # fork, vfork, tkill, rt_sigqueueinfo, rt_tgsigqueueinfo
            *(57, 58, 200, 129, 297),
            # setpriority, sched_setparam, _setscheduler, _setaffinity and _setattr, ioprio_set
            *(141, 142, 144, 203, 314, 251),
            # link, linkat, symlink, symlinkat, mknod, mknodat
            *(86, 265, 88, 266, 133, 259),
            # truncate; chmod, fchmod, fchmodat; chown, fchown, lchown, fchownat; utime, utimes, futimesat, utimensat
            *(76, 90, 91, 268, 92, 93, 94, 260, 132, 235, 261, 280),
            # setxattr, lsetxattr, fsetxattr, and what removes them
            *(188, 189, 190, 197, 198, 199),
            # unshare, setns, mount, umount2, pivot_root, chroot
            *(272, 308, 165, 166, 155, 161),
            # bpf, perf_event_open, userfaultfd, add_key, request_key, keyctl
            *(321, 298, 323, 248, 249, 250),
        ),
    ),
    "aarch64": (
        0xC00000B7,
        (
            *(198, 203, 202, 206, 211, 200, 201, 221, 281),
            *(117, 270, 271),
            *(130, 138, 240),
            *(140, 118, 119, 122, 274, 30),
            *(37, 36, 33),
            *(45, 52, 53, 54, 55, 88),
            *(5, 6, 7, 14, 15, 16),
            *(97, 268, 40, 39, 41, 51),
            *(280, 241, 282, 217, 218, 219),
        ),
    ),
}
_ON_ITSELF = {"x86_64": (62, 234, 302), "aarch64": (129, 131, 261)}
"""kill, tgkill, prlimit64."""
_CLONE = {"x86_64": 56, "aarch64": 220}


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_char_p)]


def known() -> bool:
    """Whether `refuse_calls` can do anything here. Nothing is refused by asking."""
    libc = ctypes.CDLL(None, use_errno=True)
    if platform.machine() not in _CALLS or not hasattr(libc, "prctl"):
        return False
    # A filter that lies nowhere: a kernel that has filters cannot read it, another one does not know the word.
    return bool(
        libc.prctl(_SET_SECCOMP, _FILTER, None, 0, 0) != 0 and ctypes.get_errno() in (errno.EFAULT, errno.EACCES)
    )


def refuse_calls() -> bool:
    """For this process, its threads, and from now on; needs PR_SET_NO_NEW_PRIVS. False where the system cannot."""
    machine = platform.machine()
    libc = ctypes.CDLL(None, use_errno=True)
    if machine not in _CALLS or not hasattr(libc, "prctl"):
        return False
    steps = _steps(machine, os.getpid())
    program = _Program(len(steps), b"".join(steps))
    return bool(libc.prctl(_SET_SECCOMP, _FILTER, ctypes.byref(program), 0, 0) == 0)


def _steps(machine: str, process: int) -> list[bytes]:
    """Refused: another architecture's calls, those that are listed, and of the other table all. New threads may be, new
    processes not; signals and limits are for `process` alone (0 of prlimit64 is oneself)."""
    architecture, numbers = _CALLS[machine]
    refuse = _step(_ANSWER, _REFUSE)
    steps = [_step(_LOAD, _ARCHITECTURE_AT), _step(_EQUAL, architecture, yes=1), refuse, _step(_LOAD, _NUMBER_AT)]
    steps += _where(_AT_LEAST, _X32, [refuse])
    for number in (*numbers, *_SHARED):
        steps += _where(_EQUAL, number, [refuse])
    steps += _where(_EQUAL, _CLONE3, [_step(_ANSWER, _UNKNOWN)])
    steps += _where(_EQUAL, _CLONE[machine], _only((_ANY_BIT, _A_THREAD)))
    kill, tgkill, prlimit = _ON_ITSELF[machine]
    for number in (kill, tgkill):
        steps += _where(_EQUAL, number, _only((_EQUAL, process)))
    steps += _where(_EQUAL, prlimit, _only((_EQUAL, process), (_EQUAL, 0)))
    return [*steps, _step(_ANSWER, _ALLOW)]


def _where(code: int, value: int, then: list[bytes]) -> list[bytes]:
    return [_step(code, value, no=len(then)), *then]


def _only(*cases: tuple[int, int]) -> list[bytes]:
    """Allowed where the first argument is as one of the cases has it."""
    tests = [_step(code, value, yes=len(cases) - at) for at, (code, value) in enumerate(cases)]
    return [_step(_LOAD, _FIRST_ARGUMENT_AT), *tests, _step(_ANSWER, _REFUSE), _step(_ANSWER, _ALLOW)]


def _step(code: int, value: int, yes: int = 0, no: int = 0) -> bytes:
    return struct.pack("=HBBI", code, yes, no, value)
