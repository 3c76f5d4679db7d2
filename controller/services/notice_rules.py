"""Which channels carry notices of faults, and how often and when they speak."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import time, timedelta


@dataclass(frozen=True)
class NoticeRules:
    """Which channels there are, and how often and when they speak."""

    channels: tuple[str, ...] = ()
    gather: timedelta = timedelta(minutes=30)
    """What is not urgent waits so long for company."""
    night: tuple[time, time] | None = (time(21, 30), time(6, 0))
    """From when to when, in Viet Nam, nothing is told but what is urgent; none: told at any hour."""
