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


@dataclass(frozen=True)
class Schedule:
    """When, in the local time of the station. `until` is the last day, included; `once` ignores it."""

    repeat: Repeat
    first: date
    at: time
    until: date | None = None


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
