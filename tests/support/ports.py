"""Ports for servers of tests: never one that the system gives to a connection meanwhile, never one given out twice."""

from __future__ import annotations

import os
import random
import socket
from pathlib import Path

_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_LOWEST, _HIGHEST = 10_000, 19_999
"""Below what the system hands out by itself, and below what a demo takes for its broker."""
_given: set[int] = set()


def free_port() -> int:
    """Free on loopback. Another run, or another worker of this one, draws from the same range by chance."""
    low = _LOWEST if int(_RANGE.read_text(encoding="ascii").split()[0]) > _HIGHEST else 0
    chance = random.Random(os.urandom(8))
    for _ in range(1_000):
        port = chance.randint(low, _HIGHEST) if low else 0
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            port = int(probe.getsockname()[1])
        if port not in _given:
            _given.add(port)
            return port
    raise AssertionError(f"no free port from {_LOWEST} to {_HIGHEST}")
