"""The only reader of time in Loa. Everything else is told what time it is.

A `Clock` gives aware UTC instants and a monotonic count of seconds. Rules never take a clock, they take `now`.
"""

from __future__ import annotations

import json
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol
from zoneinfo import ZoneInfo

VIETNAM = ZoneInfo("Asia/Ho_Chi_Minh")
"""The zone of every page, report and regulation. R-050; Viet Nam keeps UTC+7 all year."""


class Clock(Protocol):
    def now(self) -> datetime:
        """The instant, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds since an arbitrary point; never goes back, never jumps."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()


class ManualClock:
    """A clock that stands still until it is told otherwise: tests and the virtual world."""

    def __init__(self, start: datetime) -> None:
        if start.tzinfo is None:
            raise ValueError("a ManualClock starts at an aware instant")
        self._start = start.astimezone(UTC)
        self._now = self._start

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return (self._now - self._start).total_seconds()

    def advance(self, seconds: float) -> None:
        self.set(self._now + timedelta(seconds=seconds))

    def set(self, instant: datetime) -> None:
        """Raises ValueError when `instant` lies in the past: time does not go back here."""
        if instant < self._now:
            raise ValueError(f"the clock stands at {self._now}, cannot go back to {instant}")
        self._now = instant.astimezone(UTC)


class SandboxClock:
    """The machine's clock plus an offset kept in a file, so that a demo's controller and units share one time.

    The offset only grows (`move_to`), because signed documents refuse to go back. A missing or torn file counts as
    "no change"; the file is looked at no more than five times a second.
    """

    _LOOK_EVERY_S = 0.2

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._offset = timedelta(0)
        self._looked = -1.0
        self._refresh()

    def now(self) -> datetime:
        self._refresh()
        return datetime.now(UTC) + self._offset

    def monotonic(self) -> float:
        return time.monotonic()

    def move_to(self, instant: datetime) -> None:
        """Move this clock, and every other one on the same file, forward to `instant`.

        Raises ValueError when `instant` is not in the future.
        """
        with self._lock:
            self._read()  # another one on the same file may have moved it this very moment
            ahead = instant - datetime.now(UTC) - self._offset
            if ahead <= timedelta(0):
                raise ValueError("the sandbox clock only moves forward")
            self._offset += ahead
            beside = self._path.with_suffix(".new")
            beside.write_text(json.dumps({"offset_s": self._offset.total_seconds()}), encoding="utf-8")
            beside.replace(self._path)

    def _refresh(self) -> None:
        with self._lock:
            looked = time.monotonic()
            if looked - self._looked < self._LOOK_EVERY_S:
                return
            self._looked = looked
            self._read()

    def _read(self) -> None:
        try:
            told = timedelta(seconds=float(json.loads(self._path.read_text(encoding="utf-8"))["offset_s"]))
        except (OSError, ValueError, KeyError, TypeError, OverflowError):
            return
        self._offset = max(self._offset, told)


def unix_ms(instant: datetime) -> int:
    """Milliseconds since 1970-01-01T00:00:00Z, the only form of time on the wire."""
    return round(instant.timestamp() * 1000)


def from_unix_ms(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)
