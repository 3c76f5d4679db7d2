"""Lanes of a picture of time: where each bar lies and where the marks of the hours and days are. Only reckoning; the
template draws."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from broadcasts.clock import VIETNAM

WIDE = 360.0
LEAST = 1.2
"""A play of a minute in a month is still to be seen."""


@dataclass(frozen=True)
class Span:
    begin: datetime
    end: datetime | None
    """None: it goes on."""
    kind: str
    said: str


@dataclass(frozen=True)
class Bar:
    x: float
    width: float
    kind: str
    said: str


@dataclass(frozen=True)
class Tick:
    x: float
    at: datetime


def bars(spans: Iterable[Span], begin: datetime, end: datetime, wide: float = WIDE) -> list[Bar]:
    """What lies in [begin, end), cut to it; nothing reaches over the right edge."""
    whole = (end - begin).total_seconds()
    found = []
    for span in spans:
        first, last = max(span.begin, begin), min(span.end or end, end)
        if first > last or first >= end or (span.end is not None and span.end <= begin):
            continue
        width = max((last - first).total_seconds() / whole * wide, LEAST)
        x = min((first - begin).total_seconds() / whole * wide, wide - width)
        found.append(Bar(round(x, 1), round(width, 1), span.kind, span.said))
    return found


def ticks(begin: datetime, end: datetime, wide: float = WIDE) -> list[Tick]:
    """Every four hours of a day, every midnight of a week, every fifth of a month, in Viet Nam; none so near to an
    edge that its name would not fit."""
    length = end - begin
    step = (
        timedelta(hours=4) if length <= timedelta(days=2) else timedelta(days=1 if length <= timedelta(days=8) else 5)
    )
    at = begin.astimezone(VIETNAM).replace(hour=0, minute=0, second=0, microsecond=0)
    found = []
    while at < end:
        x = (at - begin) / length * wide
        if 14 <= x <= wide - 14:
            found.append(Tick(round(x, 1), at))
        at += step
    return found


def columns(shares: Sequence[float | None], wide: float = WIDE, high: float = 60.0) -> list[tuple[float, float, float]]:
    """(x, y, height) of a column for each share of 0 to 1; none has no height."""
    step = wide / max(1, len(shares))
    found = []
    for number, share in enumerate(shares):
        height = high * min(1.0, max(0.0, share or 0.0))
        found.append((round(number * step, 1), round(high - height, 1), round(height, 1)))
    return found
