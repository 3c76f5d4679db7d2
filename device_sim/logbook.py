"""What a technician reads when a unit puzzles him: a short ring in memory, gone with the power as on small units."""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime

from device_sim.events import Moment

LINES = 40
LONGEST_LINE = 120


class Logbook:
    def __init__(self) -> None:
        self._lines: deque[tuple[int | None, int, str]] = deque(maxlen=LINES)
        self._began: int | None = None

    def note(self, m: Moment, text: str) -> None:
        """No secret may stand in it: it is sent to whoever may ask for it."""
        self._began = m.mono if self._began is None else self._began
        self._lines.append((m.now if m.trusted else None, m.mono - self._began, text[:LONGEST_LINE]))

    def tail(self, most: int) -> list[str]:
        """The newest lines that fit into `most` characters, in order, each with its time in UTC; without trusted time
        with the seconds since the first line."""
        found: list[str] = []
        for now, mono, text in reversed(self._lines):
            line = f"{f'+{mono // 1000}s' if now is None else _utc(now)} {text}"
            most -= len(line) + 1
            if most < 0:
                break
            found.append(line)
        return found[::-1]


def _utc(ms: int) -> str:
    return f"{datetime.fromtimestamp(ms / 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"
