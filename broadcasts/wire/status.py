"""What a unit says about itself, and the small talk about time and commands."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from broadcasts.wire.base import (
    Message,
    Name,
    Reference,
    Sha256,
    Text,
    UnixMs,
    Version,
    Versioned,
    Volume,
    newer_as,
)

BootId = Annotated[int, Field(ge=0, le=9_007_199_254_740_991)]
"""Grows with every boot. A unit whose counter was lost takes the Unix seconds of its first trusted time."""


class PresenceState(StrEnum):
    ONLINE = "online"
    OFFLINE = "offline"


class Presence(Versioned):
    """`loa/v1/u/{unit}/out/presence`, retained; the offline one is the last will. The greater pair (boot_id, conn)
    is the newer one."""

    unit: Name
    state: PresenceState
    boot_id: BootId
    conn: Annotated[int, Field(ge=0, le=2_147_483_647)]
    at: UnixMs | None = None


class ClockSource(StrEnum):
    GNSS = "gnss"
    NTP = "ntp"
    SIGNED = "signed"
    RTC = "rtc"
    NONE = "none"


class ClockState(Message):
    source: ClockSource
    trusted: bool
    error_ms: Annotated[int, Field(ge=0)] | None = None
    """A bound on the error, as far as the unit knows."""


class PlayerState(StrEnum):
    IDLE = "idle"
    PLAYING = "playing"
    HELD = "held"
    """Scheduled play waits for trusted time."""


class Player(Message):
    state: PlayerState
    item: Reference | None = None


class RefusalReason(StrEnum):
    BAD_SIGNATURE = "bad_signature"
    NOT_FOR_ME = "not_for_me"
    OLDER = "older"
    FAR_FUTURE = "far_future"
    EXPIRED = "expired"
    MALFORMED = "malformed"
    TOO_LARGE = "too_large"
    KEY_NOT_TRUSTED = "key_not_trusted"


class Refusal(Message):
    """The last document this unit would not apply."""

    document: Annotated[str, Field(pattern=r"^[a-z-]{1,20}$")]
    version: Version | None = None
    reason: RefusalReason
    at: UnixMs


class UpdateState(StrEnum):
    DOWNLOADING = "downloading"
    VERIFIED = "verified"
    """The file is here, and is what its manifest says."""
    INSTALLED = "installed"
    """In the slot that does not run; it boots in the next quiet moment."""
    TRIAL = "trial"
    CONFIRMED = "confirmed"
    ROLLED_BACK = "rolled_back"
    """The unit runs what it ran before."""
    REFUSED = "refused"


class Update(Message):
    """How far the unit has come with the firmware that it was last told to have."""

    version: Reference
    attempt: Annotated[int, Field(ge=1, le=99)] = 1
    state: Annotated[UpdateState, newer_as(UpdateState, UpdateState.DOWNLOADING)]
    reason: Annotated[str, Field(pattern=r"^[a-z][a-z_]{0,39}$")] | None = None
    """Of `rolled_back` and `refused`: a word of CONTRACT.md, section 7a, or a newer one."""


class Reported(Versioned):
    """`loa/v1/u/{unit}/out/reported`, retained: what this unit has come to hold."""

    unit: Name
    boot_id: BootId
    at: UnixMs
    plan_version: Version | None = None
    plan_hash: Sha256 | None = None
    """SHA-256 of the plan's compact JWS, so that everybody speaks about the same bytes."""
    trust_version: Version | None = None
    alerts: dict[Name, Version] = {}
    drills: dict[Name, Version] = {}
    """As `alerts`, of the drill documents that it has applied: of a scope that is not here it knows none."""
    assets: Annotated[list[Sha256], Field(max_length=500)] = []
    journal_id: Reference | None = None
    journal_seq: Annotated[int, Field(ge=0)] = 0
    """The last entry written so far: when all up to it is acknowledged, what is not in the journal did not happen."""
    refused: Refusal | None = None
    player: Player
    clock: ClockState
    firmware: Reference
    configuration: Reference | None = None
    """The version of the settings in force; none: those it was made with."""
    update: Update | None = None
    faults: Annotated[list[Annotated[str, Field(pattern=r"^[a-z][a-z_]{1,40}$")]], Field(max_length=32)] = []
    codecs: (
        Annotated[list[Annotated[str, Field(pattern=r"^[a-z0-9]{2,16}$")]], Field(min_length=1, max_length=8)] | None
    ) = None
    """What this unit decodes, the best first. None: `opus` and `mp3`."""


class PowerSource(StrEnum):
    MAINS = "mains"
    BATTERY = "battery"


class Telemetry(Versioned):
    """`loa/v1/u/{unit}/out/telemetry`, QoS 0: numbers that may be lost. R-071, R-075."""

    unit: Name
    at: UnixMs
    power: PowerSource
    volts: Annotated[float, Field(ge=0, le=500)]
    temperature_c: Annotated[float, Field(ge=-60, le=150)]
    signal_dbm: Annotated[int, Field(ge=-150, le=0)]
    storage_free_mb: Annotated[int, Field(ge=0)]
    amplifier_ma: Annotated[int, Field(ge=0, le=100_000)]
    volume: Volume
    playing: Reference | None = None
    data_mb: Annotated[int, Field(ge=0, le=10_000_000)] | None = None
    """What the modem has counted since the month began, both ways; none: it does not count."""


class TimeAsk(Versioned):
    """`loa/v1/u/{unit}/out/time-ask`: please sign what time it is, with this nonce inside."""

    unit: Name
    nonce: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{16,64}$")]


class Time(Versioned):
    """`loa/v1/u/{unit}/in/time`: the answer. Half the round trip bounds the error."""

    unit: Name
    nonce: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{16,64}$")]
    now: UnixMs


CAPTURE_DEFAULT_S, CAPTURE_MOST_S = 10, 30
VOLUME_LEAST = 20
"""A command makes nothing silent."""
VOLUME_MINUTES, VOLUME_MINUTES_MOST = 60, 1_440


class CommandKind(StrEnum):
    QUIET_TEST = "quiet_test"
    """Are the horns on the line? Nobody below hears it."""
    CAPTURE = "capture"
    """Listen to the line-out for `seconds` (args, 1 to 30, default 10) and say what was on it. With `item` and
    `offset_ms`: at most 10 s from there on, and send the sound itself as a `Clip`."""
    REBOOT = "reboot"
    UPLOAD_LOG = "upload_log"
    """The tail of the unit's own log."""
    AMPLIFIER = "amplifier"
    """`power` (args): `on` or `off`, while nothing sounds; whatever is to sound switches it on."""
    VOLUME = "volume"
    """Nothing ordinary louder than `percent` (20 to 100) for `minutes` (1 to 1440, default 60)."""
    REFETCH = "refetch"
    """Hash what is held, and fetch at once what is wrong or missing; only `asset` where it is named."""
    OTHER = "other"
    """One that this version does not have: not obeyed, and answered so. Nobody says it."""


class Command(Versioned):
    """`loa/v1/u/{unit}/in/command`, never retained: do this once, between `issued_at` and `expires_at`. `seq` never
    goes back."""

    unit: Name
    seq: Annotated[int, Field(ge=1, le=9_999_999_999_999)]
    """max(last of this unit, Unix ms of issue) + 1 at ours."""
    id: Reference
    kind: Annotated[CommandKind, newer_as(CommandKind, CommandKind.OTHER)]
    args: dict[str, Text] = {}
    issued_at: UnixMs
    expires_at: UnixMs
