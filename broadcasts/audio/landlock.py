"""Which files a process may touch from now on, by Linux's Landlock (kernel 5.13; TCP from 6.7). No root needed.

A decoder that a crafted file has taken over finds no keys, no database and no program to start.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterable
from pathlib import Path

# Numbers of linux/landlock.h; the system calls have the same ones on every architecture.
_CREATE, _ADD, _RESTRICT = 444, 445, 446
_ASK_VERSION, _PATH_BENEATH = 1, 1
_WRITE_FILE, _READ_FILE, _READ_DIR, _TRUNCATE = 1 << 1, 1 << 2, 1 << 3, 1 << 14
_OF_A_FILE = 1 | _WRITE_FILE | _READ_FILE | _TRUNCATE | 1 << 15
_READ = _READ_FILE | _READ_DIR
_TCP, _SCOPES = 0b11, 0b11


def version() -> int:
    """0 where there is no Landlock."""
    libc = ctypes.CDLL(None, use_errno=True)
    return max(int(libc.syscall(_CREATE, None, 0, _ASK_VERSION)), 0) if hasattr(libc, "syscall") else 0


def restrict(readable: Iterable[Path], writable: Iterable[Path]) -> bool:
    """Reading below `readable`, everything but starting programs below `writable`, nothing else; no TCP.

    For the calling thread and what it starts; needs PR_SET_NO_NEW_PRIVS. False where the kernel has no Landlock.
    """
    known = version()
    if not known:
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    every = (1 << (13 + (known >= 2) + (known >= 3) + (known >= 5))) - 1
    asked = struct.pack("=QQQ", every, _TCP if known >= 4 else 0, _SCOPES if known >= 6 else 0)
    size = 24 if known >= 6 else 16 if known >= 4 else 8
    rules = libc.syscall(_CREATE, asked, size, 0)
    if rules < 0:
        return False
    try:
        for paths, rights in ((readable, _READ), (writable, every & ~1)):
            for path in paths:
                _allow(libc, rules, path, rights)
        return bool(libc.syscall(_RESTRICT, rules, 0) == 0)
    finally:
        os.close(rules)


def _allow(libc: ctypes.CDLL, rules: int, path: Path, rights: int) -> None:
    try:
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not path.is_dir():
            rights &= _OF_A_FILE
        libc.syscall(_ADD, rules, _PATH_BENEATH, struct.pack("=Qi", rights, handle), 0)
    finally:
        os.close(handle)
