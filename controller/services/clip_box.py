"""Where a clip waits for its match: in memory, for seconds. Where it lies while it is matched: `audio.listening`."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from broadcasts.wire.ear import Clip

MOST = 200
WAITS = timedelta(minutes=5)
"""A clip that nobody came to match in this time is thrown away."""


@dataclass(frozen=True)
class Waiting:
    clip: Clip = field(repr=False)  # no log shows what was to be heard
    signed: bool
    at: datetime


class ClipBox:
    """From any thread. A full box lets the oldest go: a clip is worth less than its privacy."""

    def __init__(self) -> None:
        self._clips: deque[Waiting] = deque(maxlen=MOST)
        self._lock = threading.Lock()

    def put(self, clip: Clip, signed: bool, at: datetime) -> None:
        with self._lock:
            self._clips.append(Waiting(clip, signed, at))

    def take(self, now: datetime) -> list[Waiting]:
        """All that wait, and the box is empty; those that are too old go unheard."""
        with self._lock:
            taken = [each for each in self._clips if each.at > now - WAITS]
            self._clips.clear()
        return taken

    def __len__(self) -> int:
        return len(self._clips)
