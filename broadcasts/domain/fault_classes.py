"""What can be wrong with a cluster, as data: how soon each class is told, how urgent it is, what it takes away.

`within` is a promise, counted from the moment the trouble shows: from the blow itself, or, for what only a sounding can
show, from the end of the sounding that shows it. `loasim detect` holds all of them against a fleet in virtual time.
R-071, R-072, R-077, R-080, R-082; the numbers are ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
NONE = timedelta()


class Code(StrEnum):
    OFFLINE = "offline"
    QUOTA_USED = "quota_used"
    MUTE = "mute"
    MAINS_LOST = "mains_lost"
    BATTERY_LOW = "battery_low"
    SUPPLY_BAD = "supply_bad"
    CABINET_HOT = "cabinet_hot"
    STORAGE_FULL = "storage_full"
    SIGNAL_WEAK = "signal_weak"
    LINK_FLAPPING = "link_flapping"
    RESTARTS = "restarts"
    CLOCK_WRONG = "clock_wrong"
    QUOTA_NEAR = "quota_near"
    AMPLIFIER_STUCK = "amplifier_stuck"
    AMPLIFIER_DEAD = "amplifier_dead"
    LINE_OPEN = "line_open"
    HORN_WEAK = "horn_weak"
    HORN_DRIFT = "horn_drift"
    FAILED_TO_SOUND = "failed_to_sound"
    FILE_BROKEN = "file_broken"
    FIRMWARE_REFUSED = "firmware_refused"
    RELAY_SILENT = "relay_silent"
    AUTONOMY_OVER = "autonomy_over"
    OTHER = "other"
    """The unit, or another step of ours, says something that has no class of its own."""


class Urgency(StrEnum):
    NOW = "now"
    """People hear nothing, or would not hear an alert."""
    TODAY = "today"
    ROUND = "round"
    """With the next journey that passes by."""


class Question(StrEnum):
    CONNECTED = "connected"
    REPORTING = "reporting"
    ABLE = "able"
    HEARD = "heard"


@dataclass(frozen=True)
class FaultClass:
    code: Code
    urgency: Urgency
    raise_after: timedelta
    """So long it has to last before it is a fault."""
    clear_after: timedelta
    """So long it has to be gone; twice as long after each time that it came back."""
    within: timedelta
    """Told at the latest so long after it shows."""
    shows: str = "at_once"
    """`at_once`, `play` (end of the next sounding), `two_plays`, `many_plays`."""
    denies: frozenset[Question] = frozenset()
    """Which of the four questions it answers with no."""
    latched: bool = False
    """It stands until a quiet test or a good play proves that it is over."""
    bring: tuple[str, ...] = ()
    """What a technician takes along: words of the catalogue, `bring.…`."""
    grouped: bool = False
    """One cause can take many clusters of an area at once."""


_ABLE = frozenset({Question.ABLE})
_SILENT = frozenset({Question.ABLE, Question.HEARD})
_AWAY = frozenset({Question.CONNECTED, Question.REPORTING})
_ALL = (
    FaultClass(
        Code.OFFLINE, Urgency.NOW, 20 * MINUTE, 2 * MINUTE, 30 * MINUTE,
        denies=_AWAY, bring=("sim", "antenna", "meter"), grouped=True,
    ),
    FaultClass(
        Code.QUOTA_USED, Urgency.NOW, 20 * MINUTE, 2 * MINUTE, 30 * MINUTE, denies=_AWAY, bring=("sim",),
    ),
    FaultClass(
        Code.MUTE, Urgency.NOW, 65 * MINUTE, 2 * MINUTE, 70 * MINUTE,
        denies=frozenset({Question.REPORTING}), bring=("laptop", "spare_unit"), grouped=True,
    ),
    FaultClass(
        Code.MAINS_LOST, Urgency.NOW, 5 * MINUTE, 5 * MINUTE, 10 * MINUTE,
        bring=("meter", "fuse"), grouped=True,
    ),
    FaultClass(Code.BATTERY_LOW, Urgency.NOW, NONE, 15 * MINUTE, 20 * MINUTE, bring=("battery", "meter")),
    FaultClass(
        Code.SUPPLY_BAD, Urgency.NOW, NONE, 30 * MINUTE, 20 * MINUTE, denies=_ABLE, bring=("meter", "relay"),
        grouped=True,
    ),
    FaultClass(Code.CABINET_HOT, Urgency.TODAY, NONE, 30 * MINUTE, 20 * MINUTE, bring=("fan", "thermometer")),
    FaultClass(Code.STORAGE_FULL, Urgency.TODAY, NONE, 30 * MINUTE, 20 * MINUTE, bring=("card",)),
    FaultClass(Code.SIGNAL_WEAK, Urgency.ROUND, HOUR, HOUR, 80 * MINUTE, bring=("antenna", "sim")),
    FaultClass(Code.LINK_FLAPPING, Urgency.TODAY, NONE, 2 * HOUR, 130 * MINUTE, bring=("antenna", "sim")),
    FaultClass(Code.RESTARTS, Urgency.TODAY, NONE, 6 * HOUR, 6 * HOUR, bring=("supply", "spare_unit")),
    FaultClass(Code.CLOCK_WRONG, Urgency.NOW, 10 * MINUTE, 10 * MINUTE, 30 * MINUTE, denies=_ABLE,
               bring=("clock_battery",)),
    FaultClass(Code.QUOTA_NEAR, Urgency.TODAY, NONE, NONE, 20 * MINUTE, bring=("sim",)),
    FaultClass(Code.AMPLIFIER_STUCK, Urgency.TODAY, NONE, 10 * MINUTE, 20 * MINUTE, bring=("relay", "amplifier")),
    FaultClass(
        Code.AMPLIFIER_DEAD, Urgency.NOW, NONE, NONE, 10 * MINUTE, "play", _SILENT, True, ("amplifier", "fuse"),
    ),
    FaultClass(Code.LINE_OPEN, Urgency.NOW, NONE, NONE, 10 * MINUTE, "play", _SILENT, True, ("cable", "horn", "meter")),
    FaultClass(Code.HORN_WEAK, Urgency.TODAY, NONE, NONE, 10 * MINUTE, "two_plays", bring=("horn", "cable")),
    FaultClass(Code.HORN_DRIFT, Urgency.ROUND, NONE, NONE, 10 * MINUTE, "many_plays", bring=("horn", "meter")),
    FaultClass(
        Code.FAILED_TO_SOUND, Urgency.NOW, NONE, NONE, 10 * MINUTE, "play", _SILENT, True, ("horn", "card", "laptop"),
    ),
    FaultClass(Code.FILE_BROKEN, Urgency.TODAY, 10 * MINUTE, 10 * MINUTE, 30 * MINUTE, bring=("card",)),
    FaultClass(Code.FIRMWARE_REFUSED, Urgency.ROUND, 10 * MINUTE, 10 * MINUTE, 30 * MINUTE, bring=("laptop",)),
    FaultClass(Code.RELAY_SILENT, Urgency.TODAY, 10 * MINUTE, 10 * MINUTE, 30 * MINUTE, bring=("antenna",)),
    FaultClass(Code.AUTONOMY_OVER, Urgency.NOW, NONE, 10 * MINUTE, 20 * MINUTE, denies=_ABLE, bring=("sim", "laptop")),
    FaultClass(Code.OTHER, Urgency.ROUND, 10 * MINUTE, 10 * MINUTE, 30 * MINUTE),
)  # fmt: skip
CLASSES: dict[Code, FaultClass] = {each.code: each for each in _ALL}

BY_THE_UNIT: dict[str, Code] = {
    "amplifier_stuck": Code.AMPLIFIER_STUCK,
    "cabinet_hot": Code.CABINET_HOT,
    "clock_untrusted": Code.CLOCK_WRONG,
    "clock_jump": Code.CLOCK_WRONG,
    "cache_full": Code.STORAGE_FULL,
    "asset_corrupt": Code.FILE_BROKEN,
    "firmware_refused": Code.FIRMWARE_REFUSED,
    "relay_silent": Code.RELAY_SILENT,
    "autonomy_over": Code.AUTONOMY_OVER,
}
"""Codes that units raise (CONTRACT.md, section 9). `speaker_wire` is judged with the current that went with it."""
SPEAKER_WIRE = "speaker_wire"


def severity(code: str) -> int:
    """0 is the most urgent."""
    return list(Urgency).index(CLASSES[Code(code)].urgency)
