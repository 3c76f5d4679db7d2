"""The operating regulation of a station: when sound is allowed and how loud (R-032, R-051, R-107).

It is asked when a broadcast is saved, approved and compiled; the unit asks its own copy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo

from broadcasts.domain.limits import Limits

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


NORMAL = (Window(5 * 60, 21 * 60),)
"""What counts as a usual hour where a station does not say: suggested by R-051, after R-107 to R-111. A guess."""
NIGHT = (Window(21 * 60, MINUTES_A_DAY), Window(0, 6 * 60))
"""The night of QCVN 26:2010: sound in it needs the commune's explicit decision on record (R-109)."""
SATURDAY = 5
NO_LIMITS = Limits()


@dataclass(frozen=True)
class Regulation:
    """`hours`: when sound is allowed. `weekend`: on Saturdays and Sundays instead. `normal`: what surprises nobody;
    whatever sounds outside of it was confirmed in words by author and approver (R-053)."""

    hours: tuple[Window, ...]
    ceilings: tuple[Ceiling, ...] = ()
    emergency_volume: int = 100
    weekend: tuple[Window, ...] | None = None
    normal: tuple[Window, ...] = NORMAL
    limits: Limits = NO_LIMITS

    def hours_on(self, day: date) -> tuple[Window, ...]:
        return self.weekend if self.weekend is not None and day.weekday() >= SATURDAY else self.hours

    def allows(self, start: datetime, duration: timedelta, zone: tzinfo) -> bool:
        """Whether the whole sound, [start, start + duration), lies inside the allowed hours."""
        day = start.astimezone(zone).date()
        return _inside(start, duration, zone, self.hours_on(day), self.hours_on(day + timedelta(days=1)))

    def is_usual(self, start: datetime, duration: timedelta, zone: tzinfo) -> bool:
        """Whether the whole sound lies inside the normal hours."""
        return _inside(start, duration, zone, self.normal, self.normal)

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


def touches_night(windows: Sequence[Window]) -> bool:
    return any(ours.start < night.end and night.start < ours.end for ours in windows for night in NIGHT)


def _inside(
    start: datetime, duration: timedelta, zone: tzinfo, today: Sequence[Window], tomorrow: Sequence[Window]
) -> bool:
    """The windows of two days in a row are joined where they touch, so that 24 hours are really 24 hours."""
    begin = _into_the_day(start, zone)
    end = begin + duration
    spans: list[tuple[int, int]] = []
    for day, windows in ((0, today), (MINUTES_A_DAY, tomorrow)):
        for window in sorted(windows, key=lambda window: window.start):
            first, last = window.start + day, window.end + day
            if spans and first <= spans[-1][1]:
                spans[-1] = (spans[-1][0], max(last, spans[-1][1]))
            else:
                spans.append((first, last))
    return any(opens * MINUTE <= begin and end <= closes * MINUTE for opens, closes in spans)


def _into_the_day(instant: datetime, zone: tzinfo) -> timedelta:
    """What the local clock shows: exact, because a sound may end on the second at which the hours end."""
    local = instant.astimezone(zone)
    return timedelta(hours=local.hour, minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
