"""What goes into a unit and what comes out of it, live and in virtual time alike.

The runner (live link or virtual world) owns all I/O. It calls `Unit.update` when something arrived or when the wake
time is reached, and carries out what the unit asks for. Times are milliseconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Sensors:
    """What the hardware measures at the moment of a reading."""

    amplifier_ma: int | None = None
    """Mean current of the amplifier since the present sounding began; between soundings what it draws all the same.
    None when it is off, or nobody measures."""
    line_closed: bool | None = None
    """Whether an inaudible test tone finds the horns; none without a sensor."""
    mains: bool = True
    volts: float = 230.0
    temperature_c: float = 32.0
    signal_dbm: int = -80
    storage_free_mb: int | None = None
    """Of a card that something else has filled; none: what the cache leaves."""
    data_mb: int | None = None
    """What the modem counted this month; none: it does not count."""
    update_fault: str = ""
    """What is wrong with the box as soon as it is given another firmware: a word of `updating.Defect`."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The unit's own clocks, errors included. `mono_ms` starts anywhere, never goes back, and may restart at a boot."""

    wall_ms: int
    mono_ms: int
    sensors: Sensors = Sensors()


class Boot(StrEnum):
    POWER = "power"
    COMMAND = "command"
    WATCHDOG = "watchdog"


# --- inbox


@dataclass(frozen=True, slots=True)
class Powered:
    """The first event of every life of a `Unit`."""

    cause: Boot = Boot.POWER


@dataclass(frozen=True, slots=True)
class LinkUp:
    """Connected with the last `Connect`, and every filter of `topics.unit_filters` is subscribed."""


@dataclass(frozen=True, slots=True)
class LinkDown:
    """The connection is gone, or the attempt failed. The unit asks again by itself."""


@dataclass(frozen=True, slots=True)
class Arrived:
    topic: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class SmsReceived:
    """The modem took a short message: its text as ASCII, or its binary body. From whom proves nothing."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Got:
    """A piece of a file, in order of offset. `complete`: this was the last piece of what `Fetch` asked for."""

    sha256: str
    offset: int
    data: bytes
    complete: bool


@dataclass(frozen=True, slots=True)
class FetchFailed:
    """`status` is the HTTP status, 0 when there was none (refused, broken off, timed out)."""

    sha256: str
    status: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class SourceHeard:
    """The station of the last `Tune` is received; said again whenever its sound begins or ends."""

    source: str
    sounding: bool
    """False: silence, below -50 dBFS."""


@dataclass(frozen=True, slots=True)
class SourceLost:
    """Nobody answers, or what stood broke off. The unit tunes in again by itself."""

    source: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Listen:
    """To the ear: tell what was heard of this sounding, in the stretch of the asset that ends now. Answered by
    `Overheard`. With `command`: the sound itself, coded."""

    item: str
    asset: str
    started_at: int
    """Of the sounding, by the unit's own clock."""
    offset_ms: int
    length_ms: int
    before_ms: int = 0
    """So long before this stretch the sounding began."""
    command: str = ""


@dataclass(frozen=True, slots=True)
class Overheard:
    """`data` is the envelope (CONTRACT.md, section 12), or Opus in Ogg; empty where the ear has nothing to tell."""

    of: Listen
    data: bytes
    level_dbfs: int | None = None


Inbox = Powered | LinkUp | LinkDown | Arrived | SmsReceived | Got | FetchFailed | SourceHeard | SourceLost | Overheard

# --- outbox


@dataclass(frozen=True, slots=True)
class Connect:
    """One attempt with a clean session: answered by exactly one `LinkUp` or `LinkDown`. User name = client id."""

    client_id: str
    secret: str
    will_topic: str
    will_payload: bytes
    keep_alive_s: int


@dataclass(frozen=True, slots=True)
class Disconnect:
    """Close the connection (or give up the attempt) without a will; no `LinkDown` follows."""


@dataclass(frozen=True, slots=True)
class Publish:
    topic: str
    payload: bytes
    qos: int
    retain: bool


@dataclass(frozen=True, slots=True)
class Fetch:
    """GET `{base}/{path}` with `Range: bytes={offset}-{offset + size - 1}`. At most one fetch runs at a time."""

    sha256: str
    path: str
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class CancelFetch:
    """Forget the running fetch; pieces that still arrive for it are ignored."""

    sha256: str


@dataclass(frozen=True, slots=True)
class Sounding:
    """To the decoder: from now on play `asset` from `offset_ms` at `volume` (0 to 100). Said again when the volume
    changes or the next rendition begins; it replaces what ran before."""

    item: str
    asset: str
    """The hash of a file, or `relayed(source)`: what the receiver gives; `offset_ms` counts from its slot then. Or
    `spoken(session)`: the packets that are held, each at its own instant."""
    offset_ms: int
    volume: int


@dataclass(frozen=True, slots=True)
class Silent:
    """To the decoder: stop."""


@dataclass(frozen=True, slots=True)
class Restart:
    """Boot again: throw this `Unit` away and make a new one on the same disk with `Powered(cause)`."""

    cause: Boot


@dataclass(frozen=True, slots=True)
class Tune:
    """Receive another station, by exactly one of stream and tuner; replaces what was received before. Answered by
    `SourceHeard` or `SourceLost`. Nothing of it sounds before a `Sounding` says so."""

    source: str
    url: str | None
    frequency_khz: int | None


@dataclass(frozen=True, slots=True)
class Untune:
    """Receive nothing any more; no answer."""


Outbox = Connect | Disconnect | Publish | Fetch | CancelFetch | Sounding | Silent | Restart | Tune | Untune | Listen

RELAYED = "relay:"


def relayed(source: str) -> str:
    """The name of what a station sends, where a sound is named: no hash contains a colon."""
    return f"{RELAYED}{source}"


SPOKEN = "live:"


def spoken(session: str) -> str:
    """The name of what somebody says live, where a sound is named."""
    return f"{SPOKEN}{session}"


@dataclass(frozen=True, slots=True)
class Step:
    """Carry out `outbox` in order; call `update` again when something arrives, at `wake_at_mono_ms` at the latest, and
    whenever the wall clock is set."""

    outbox: tuple[Outbox, ...]
    wake_at_mono_ms: int


@dataclass(frozen=True, slots=True)
class Moment:
    """One step's idea of time, for the parts of a unit."""

    now: int
    """Unix ms, never below the lower bound."""
    mono: int
    error_ms: int | None
    """A bound on the error of `now`; none without trusted time."""
    trusted: bool
    held: bool
    """The clock jumped: nothing scheduled is judged until signed time confirms it."""
    alone: bool
    """Autonomy is over."""
    sensors: Sensors
