"""The operating regulation of a station: when sound is allowed and how loud (R-032, R-051, R-107).

It is asked when a broadcast is saved, approved and compiled; the unit asks its own copy.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

MINUTES_A_DAY = 1440
MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Window:
    """Minutes of the local day, `start` included, `end` not. Over midnight it is written as two."""

    start: int
    end: int

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.end <= MINUTES_A_DAY:
            raise ValueError(f"no window of a day: {self.start} to {self.end}")


@dataclass(frozen=True)
class Ceiling:
    """No louder than `volume` (0 to 100) within the window."""

    window: Window
    volume: int


@dataclass(frozen=True)
class Regulation:
    hours: tuple[Window, ...]
    ceilings: tuple[Ceiling, ...] = ()
    emergency_volume: int = 100

    def allows(self, start: datetime, duration: timedelta, zone: tzinfo) -> bool:
        """Whether the whole sound, [start, start + duration), lies inside the allowed hours."""
        begin = _into_the_day(start, zone)
        end = begin + duration
        return any(opens * MINUTE <= begin and end <= closes * MINUTE for opens, closes in self._spans())

    def _spans(self) -> list[tuple[int, int]]:
        """The windows of two days in a row, joined where they touch, so that 24 hours are really 24 hours."""
        spans: list[tuple[int, int]] = []
        for day in (0, MINUTES_A_DAY):
            for window in sorted(self.hours, key=lambda window: window.start):
                start, end = window.start + day, window.end + day
                if spans and start <= spans[-1][1]:
                    spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
                else:
                    spans.append((start, end))
        return spans

    def ceiling(self, start: datetime, duration: timedelta, zone: tzinfo) -> int:
        """The lowest volume that any ceiling touched by the sound allows; 100 where none does."""
        begin = _into_the_day(start, zone)
        end = begin + duration
        touched = [
            ceiling.volume
            for ceiling in self.ceilings
            for day in (0, MINUTES_A_DAY)
            if (ceiling.window.start + day) * MINUTE < end and begin < (ceiling.window.end + day) * MINUTE
        ]
        return min(touched, default=100)


def _into_the_day(instant: datetime, zone: tzinfo) -> timedelta:
    """What the local clock shows: exact, because a sound may end on the second at which the hours end."""
    local = instant.astimezone(zone)
    return timedelta(hours=local.hour, minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
