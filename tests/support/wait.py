"""Waiting for something to become true, with a deadline and without guessing how long it takes."""

from __future__ import annotations

import threading
from collections.abc import Callable

from broadcasts.clock import SystemClock

_LOOK_S = 0.005


def until(condition: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
    """Raises AssertionError naming `what` when `condition` is still false at the deadline."""
    clock = SystemClock()
    deadline = clock.monotonic() + seconds
    while not condition():
        assert clock.monotonic() < deadline, f"waited {seconds} s in vain: {what}"
        threading.Event().wait(_LOOK_S)
