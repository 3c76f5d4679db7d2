"""The play plan: all that a unit needs to sound right for a week without hearing from anybody."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field, model_validator

from broadcasts.wire.base import (
    DurationMs,
    Level,
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
from broadcasts.wire.relay import Relay

MinuteOfDay = Annotated[int, Field(ge=0, le=1440)]


class OnPreempt(StrEnum):
    """What a broadcast does when it loses the horn (design, section 5)."""

    RESUME = "resume"
    """Goes on where the clock demands: the part that was displaced stays unheard."""
    RESTART = "restart"
    """Starts again from its beginning, if it can begin by `not_after`."""
    DROP = "drop"
    NEXT_SLOT = "next_slot"
    """Plays whole as soon as the horn is free, if it can begin by `deadline`."""


class Late(StrEnum):
    """What a unit does that could not start on the second."""

    DROP = "drop"
    """Joins at the right place while the slot lasts; afterwards it is missed."""
    SHIFT = "shift"
    """Plays whole from the beginning as soon as it can, if that is by `not_after`."""
    PLAY = "play"
    """Joins while the slot lasts; afterwards plays whole if it can begin by `not_after`."""


class Window(Message):
    """Minutes of the local day, `start` included, `end` not. A window over midnight is written as two."""

    start: MinuteOfDay
    end: MinuteOfDay

    @model_validator(mode="after")
    def _runs_forward(self) -> Window:
        if self.end <= self.start:
            raise ValueError("a window ends after it starts")
        return self


class Ceiling(Window):
    """No louder than `volume` in this window. Where two overlap the lower one holds; where none holds, 100."""

    volume: Volume


class Policy(Message):
    """What the unit enforces by itself, whatever an item says. Source: the station's operating regulation (R-032,
    R-051, R-107); only an emergency passes (R-068)."""

    utc_offset_min: Annotated[int, Field(ge=-720, le=840)]
    hours: Annotated[list[Window], Field(max_length=12)]
    """When ordinary and priority sound is allowed; none means never. A delivery must lie inside from start to end."""
    weekend_hours: Annotated[list[Window], Field(max_length=12)] | None = None
    """On Saturdays and Sundays instead of `hours`, local days; absent: as on other days."""
    ceilings: Annotated[list[Ceiling], Field(max_length=24)]
    emergency_volume: Volume
    telemetry_idle_s: Annotated[int, Field(ge=60, le=86_400)]
    telemetry_playing_s: Annotated[int, Field(ge=10, le=3_600)]
    max_autonomy_s: Annotated[int, Field(ge=3_600, le=30 * 86_400)]
    """A unit without verified contact for so long falls silent."""
    scopes: Annotated[list[Name], Field(max_length=8)]


class Assignment(Message):
    """Which place this hardware serves, and since when (R-085)."""

    cluster: Name
    since: UnixMs


CODECS = ("opus", "mp3", "aac", "bin")


class Asset(Message):
    """A file to hold. Immutable and named by its hash."""

    sha256: Sha256
    size: Annotated[int, Field(ge=1, le=500_000_000)]
    codec: Annotated[str, Field(pattern=r"^[a-z0-9]{2,16}$")]
    """One of `CODECS`, or a newer one, which does not decode here. `bin` is no sound: an image of firmware, with a
    duration of 0."""
    duration_ms: DurationMs
    path: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9/_.-]{0,200}$")]
    """Below the base address that the unit was enrolled with: never a host, never `..`."""
    chunk_size: Annotated[int, Field(ge=4096, le=4_194_304)]
    chunks: Annotated[list[Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{22}$")]], Field(max_length=4096)]
    """First 16 bytes of the SHA-256 of each chunk, base64url: which part of a broken download to fetch again."""

    @model_validator(mode="after")
    def _stays_below_its_folder(self) -> Asset:
        if ".." in self.path:
            raise ValueError("an asset path does not climb")
        if len(self.chunks) != -(-self.size // self.chunk_size):
            raise ValueError("one hash for each chunk")
        return self


class Item(Message):
    """One delivery: this asset at this second. The unit does no calendar arithmetic."""

    id: Reference
    asset: Sha256
    """What sounds; of a relay, the fallback."""
    start: UnixMs
    not_after: UnixMs
    """The last instant at which it may begin."""
    level: Level
    rank: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    """Inside a level the higher rank wins, then the earlier start, then the smaller id."""
    volume: Volume
    on_preempt: Annotated[OnPreempt, newer_as(OnPreempt, OnPreempt.DROP)]
    deadline: UnixMs | None = None
    late: Annotated[Late, newer_as(Late, Late.DROP)]
    hard_end: UnixMs | None = None
    relay: Relay | None = None
    """Another station from `start` to `hard_end`, in place of `asset`."""

    @model_validator(mode="after")
    def _makes_sense(self) -> Item:
        if self.not_after < self.start:
            raise ValueError("an item may begin at its start at least")
        if self.on_preempt is OnPreempt.NEXT_SLOT and self.deadline is None:
            raise ValueError("next_slot names its deadline")
        return self

    @model_validator(mode="after")
    def _is_live(self) -> Item:
        """What another station sends can neither be begun again nor moved; and a unit that knows no relays, and plays
        the fallback, has to end with the slot too."""
        if self.relay is None:
            return self
        if self.hard_end is None or not self.start < self.hard_end <= self.start + self.relay.length_ms:
            raise ValueError("a relay has a hard end, inside its slot")
        if self.on_preempt not in (OnPreempt.RESUME, OnPreempt.DROP):
            raise ValueError("a relay that was displaced resumes or is dropped")
        if self.late is not Late.DROP:
            raise ValueError("a relay that is late joins while its slot lasts")
        return self


Setting = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]


class Wanted(Message):
    """Firmware (`asset`, of codec `bin`) or settings (`values`) that the unit should come to have."""

    version: Reference
    asset: Sha256 | None = None
    values: Annotated[dict[Setting, Text], Field(max_length=32)] = {}
    manifest: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{10,2000}$")] | None = None
    """Of an image: `broadcasts.wire.firmware.Manifest` as compact JWS, signed by a key of the use `firmware`."""
    attempt: Annotated[int, Field(ge=1, le=99)] | None = None
    """A unit that failed with this version tries it again only under a higher number; none: 1."""
    hours: Annotated[list[Window], Field(max_length=4)] | None = None
    """When it may be taken; none: in any quiet moment."""


MAX_ITEMS, MAX_ASSETS, MAX_EMERGENCY_SET = 2000, 500, 64


Preloaded = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}/[a-z]{2,3}$")]
"""`storm/vi`."""


class Plan(Versioned):
    """`loa/v1/u/{unit}/in/plan`, retained, at most 64 KiB signed. Valid until `horizon_end` plus 24 h."""

    unit: Name
    version: Version
    issued_at: UnixMs
    horizon_end: UnixMs
    assignment: Assignment
    policy: Policy
    items: Annotated[list[Item], Field(max_length=MAX_ITEMS)]
    assets: Annotated[list[Asset], Field(max_length=MAX_ASSETS)]
    emergency_set: Annotated[list[Sha256], Field(max_length=MAX_EMERGENCY_SET)] = []
    """Assets to hold for alerts, fetched before all others and never dropped from the cache."""
    preloaded: Annotated[dict[Preloaded, Annotated[int, Field(ge=0)]], Field(max_length=2 * MAX_EMERGENCY_SET)] = {}
    """Kind of alert and language to a place in `emergency_set`: what a trigger (CONTRACT.md, section 6c) sounds."""
    firmware: Wanted | None = None
    configuration: Wanted | None = None
    note: Text = ""

    @model_validator(mode="after")
    def _names_what_it_plays(self) -> Plan:
        held = {asset.sha256 for asset in self.assets}
        if len(held) != len(self.assets):
            raise ValueError("an asset stands once")
        if not held.issuperset({item.asset for item in self.items}) or not held.issuperset(self.emergency_set):
            raise ValueError("every asset that is played is listed")
        if any(place >= len(self.emergency_set) for place in self.preloaded.values()):
            raise ValueError("what is preloaded stands in the emergency set")
        if any(
            each is not None and each.asset and each.asset not in held for each in (self.firmware, self.configuration)
        ):
            raise ValueError("every file that is wanted is listed")
        if len({item.id for item in self.items}) != len(self.items):
            raise ValueError("a delivery stands once")
        return self


VALID_AFTER_HORIZON_MS = 24 * 3_600_000
MAX_AHEAD_MS = 24 * 3_600_000
"""A unit refuses versions and issue times more than this ahead of its trusted time."""
