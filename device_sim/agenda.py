"""Virtual time: what happens when, and nothing in between."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from datetime import UTC, datetime


def ms(instant: datetime) -> int:
    return round(instant.timestamp() * 1000)


class Agenda:
    """True time is an integer of Unix ms that jumps from deed to deed; deeds of one instant keep their order."""

    def __init__(self, now: int) -> None:
        self.now = now
        self._heap: list[tuple[int, int, Callable[[], None]]] = []
        self._count = 0

    def at(self, instant: int, deed: Callable[[], None]) -> None:
        """An instant in the past is now."""
        self._count += 1
        heapq.heappush(self._heap, (max(instant, self.now), self._count, deed))

    def after(self, wait_ms: int, deed: Callable[[], None]) -> None:
        self.at(self.now + wait_ms, deed)

    @property
    def next_at(self) -> int | None:
        return self._heap[0][0] if self._heap else None

    def run_until(self, end: int) -> None:
        """Everything up to and with `end`."""
        heap = self._heap
        while heap and heap[0][0] <= end:
            self.now, _, deed = heapq.heappop(heap)
            deed()
        self.now = max(self.now, end)

    def datetime(self) -> datetime:
        return datetime.fromtimestamp(self.now / 1000, UTC)
