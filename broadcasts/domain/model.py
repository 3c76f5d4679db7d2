"""The frozen values of the rules: what a broadcast is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import IntEnum, StrEnum

from broadcasts.ids import AssetId, BroadcastId, ClusterId, DeliveryId


class Priority(IntEnum):
    """Exactly the three of the law; the lower number is the more urgent (R-014, R-022)."""

    EMERGENCY = 1
    PRIORITY = 2
    ORDINARY = 3


class Field(IntEnum):
    """Lĩnh vực, as the source systems number it (R-021)."""

    GENERAL = 1
    UNEXPECTED = 2
    PARTY_AND_LAW = 3
    LOCAL_DIRECTION = 4
    KNOWLEDGE = 5
    GOOD_EXAMPLES = 6


class OnPreempt(StrEnum):
    """What a broadcast does when it loses the horn (design, section 5)."""

    RESUME = "resume"
    RESTART = "restart"
    DROP = "drop"
    NEXT_SLOT = "next_slot"


class Late(StrEnum):
    """What becomes of an occurrence that could not start on the second."""

    DROP = "drop"
    SHIFT = "shift"
    PLAY = "play"


class Repeat(StrEnum):
    ONCE = "once"
    DAILY = "daily"
    WEEKDAYS = "weekdays"
    """Monday to Friday: what most stations ask for."""
    WEEKLY = "weekly"
    MONTHLY = "monthly"


@dataclass(frozen=True)
class Pattern:
    """What a schedule says beyond its repeat; the words of RFC 5545 where it has one. Days are local, instants UTC."""

    every: int = 1
    """Each so many days, weeks or months (INTERVAL)."""
    weekdays: tuple[int, ...] = ()
    """Weekly: 0 is Monday (BYDAY)."""
    month_days: tuple[int, ...] = ()
    """Monthly: 1 to 31, or -1 for the last (BYMONTHDAY). A month without that day is left out."""
    nth_weekday: tuple[int, int] | None = None
    """Monthly instead: (1 to 5 or -1 for the last, weekday)."""
    months: tuple[int, ...] = ()
    """Monthly, only in these: one month of the twelve makes it yearly (BYMONTH)."""
    minutes: int | None = None
    """Again every so many minutes of the same day, up to `last_at`, included."""
    last_at: time | None = None
    count: int | None = None
    """So many starts in all, by the rule: one that an exception takes out is not made up for (COUNT)."""
    only_on: tuple[str, ...] = ()
    """Names of `occasions`: only on days that have one of them. Part of the rule."""
    not_on: tuple[str, ...] = ()
    """Not on days that have one of these. An exception."""
    skip_days: tuple[date, ...] = ()
    skip: tuple[datetime, ...] = ()
    """Starts that are left out (EXDATE)."""
    extra: tuple[datetime, ...] = ()
    """Starts beside the rule (RDATE); neither `count` nor `until` nor `not_on` asks about them."""
    before: datetime | None = None
    """Nothing starts at or after this instant: where a series was cut."""


PLAIN = Pattern()


@dataclass(frozen=True)
class Schedule:
    """When, in the local time of the station. `until` is the last day, included; `once` ignores it, and all of the
    pattern but its exceptions and extra starts."""

    repeat: Repeat
    first: date
    at: time
    until: date | None = None
    pattern: Pattern = PLAIN


@dataclass(frozen=True)
class Occurrence:
    """One start instant of a broadcast, UTC."""

    broadcast: BroadcastId
    start: datetime


@dataclass(frozen=True)
class Slot:
    """What wants the horn of one cluster, and when: enough to decide who wins."""

    delivery: DeliveryId
    broadcast: BroadcastId
    cluster: ClusterId
    asset: AssetId
    start: datetime
    duration: timedelta
    priority: Priority
    rank: int = 0
    on_preempt: OnPreempt = OnPreempt.RESUME
    late: Late = Late.DROP
    not_after: datetime | None = None
    volume: int = 70

    @property
    def end(self) -> datetime:
        return self.start + self.duration
