"""Whether a unit is there, as the pages say it."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum


class Presence(StrEnum):
    ONLINE = "online"
    SILENT = "silent"
    """Connected by the broker's account, but nothing was heard for longer than allowed."""
    OFFLINE = "offline"
    NEVER = "never"


def newer(ours: tuple[int, int] | None, theirs: tuple[int, int]) -> bool:
    """Whether the pair (boot_id, conn) is not older than what we know; a death of the same connection counts."""
    return ours is None or theirs >= ours


def presence(connected: bool | None, last_sign: datetime | None, now: datetime, allowed: timedelta) -> Presence:
    """`connected` is the newest birth or death, `last_sign` the last message of any kind (R-077)."""
    if connected is None:
        return Presence.NEVER
    if not connected:
        return Presence.OFFLINE
    return Presence.SILENT if last_sign is None or now - last_sign > allowed else Presence.ONLINE
