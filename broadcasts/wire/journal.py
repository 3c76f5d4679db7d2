"""The unit's journal: evidence that survives the link, the broker and the controller."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Discriminator, Field, Tag

from broadcasts.wire.base import (
    WORD,
    DurationMs,
    Message,
    Name,
    Reference,
    Sha256,
    Text,
    UnixMs,
    Versioned,
    Volume,
    is_newer,
)
from broadcasts.wire.ear import ENVELOPE_MOST_FRAMES, Base64Url, Source
from broadcasts.wire.live import SessionId

MOST_TEXT = 3_000
"""Characters that a result may bring: a batch stays below its 32 KiB even if each takes six bytes of JSON."""
Seq = Annotated[int, Field(ge=1, le=9_007_199_254_740_991)]


class Amplifier(StrEnum):
    """What the current sensor says about the horns while the decoder ran."""

    SOUND = "sound"
    SILENT = "silent"
    """The amplifier drew no signal current: a cut wire, a dead amplifier."""
    NONE = "none"
    """No sensor, or not enough samples."""


class Outcome(StrEnum):
    PLAYED = "played"
    PREEMPTED = "preempted"
    FAILED = "failed"
    WITHDRAWN = "withdrawn"
    """A newer plan or alert document took it away while it sounded."""


class NotPlayed(StrEnum):
    """Why a unit did not sound something that was due: a bounded list, spoken in words by the page."""

    LATE = "late"
    NO_ASSET = "no_asset"
    QUIET_HOURS = "quiet_hours"
    NO_TRUSTED_TIME = "no_trusted_time"
    TIME_JUMP = "time_jump"
    AUTONOMY_OVER = "autonomy_over"
    DISPLACED = "displaced"
    POWER_OFF = "power_off"
    EXPIRED = "expired"


class Entry(Message):
    """`at` is the unit's own clock, `clock_error_ms` its bound on the error (none: no trusted time)."""

    seq: Seq
    at: UnixMs
    clock_error_ms: Annotated[int, Field(ge=0)] | None = None


class Started(Entry):
    """Written when samples leave the decoder, not when they are queued."""

    kind: Literal["started"] = "started"
    item: Reference
    asset: Sha256
    offset_ms: DurationMs
    """Where in the asset it began: above 0 when the unit joined a running slot."""
    late_ms: Annotated[int, Field(ge=-86_400_000, le=604_800_000)]
    """Start against the planned start, by the unit's own clock."""
    volume: Volume
    relay: Name | None = None
    """The source that it relays; `asset` is the fallback then, and `offset_ms` counts from the begin of the slot."""
    live: SessionId | None = None
    """The live session; `item` is `live-` and this, `asset` the hash of the session's key (`wire.live.asset_of`), and
    `offset_ms` and `late_ms` count from its `not_before`."""
    drill: bool | None = None
    """True: `item` is a drill, and nothing of this proves that anything else sounded."""


class LiveHeard(Message):
    """How live voice came over between `started` and `ended`."""

    packets: Annotated[int, Field(ge=0)]
    """Taken in: of this session, rightly signed, not known yet, in time at least for a part of it."""
    late: Annotated[int, Field(ge=0)]
    """Came after all of their time, and were dropped."""
    refused: Annotated[int, Field(ge=0)]
    """Badly signed, or to be played too far in the future."""
    voice_ms: DurationMs
    concealed_ms: DurationMs
    """Gaps that were bridged, at most 200 ms of each."""
    lost_ms: DurationMs
    """Silence between the first packet and the last where packets are missing; a pause of the sender is none."""


class Ended(Entry):
    kind: Literal["ended"] = "ended"
    item: Reference
    asset: Sha256
    outcome: Outcome
    started_at: UnixMs
    offset_ms: DurationMs
    played_ms: DurationMs
    volume: Volume
    amplifier: Amplifier
    amplifier_ma: Annotated[int, Field(ge=0, le=100_000)] | None = None
    by: Reference | None = None
    """What displaced it."""
    reason: Text = ""
    relay: Name | None = None
    """As in `started`. `played_ms` is all the time it had the horn."""
    relay_ms: DurationMs | None = None
    """Of it, how long the source gave sound."""
    fallback_ms: DurationMs | None = None
    """Of it, how long the fallback sounded. What remains was silence."""
    live: SessionId | None = None
    """As in `started`."""
    live_heard: LiveHeard | None = None
    drill: bool | None = None
    """As in `started`."""


class Skipped(Entry):
    """Due, and not played."""

    kind: Literal["skipped"] = "skipped"
    item: Reference
    why: NotPlayed
    by: Reference | None = None
    detail: Text = ""
    drill: bool | None = None
    """As in `started`."""


class FaultEntry(Entry):
    """A fault appears or goes. Codes are lower-case words: `clock_untrusted`, `speaker_wire`, `asset_corrupt`,
    `relay_silent` (`detail` is the source)."""

    kind: Literal["fault"] = "fault"
    code: Annotated[str, Field(pattern=r"^[a-z][a-z_]{1,40}$")]
    raised: bool
    detail: Text = ""


class CommandAccepted(Entry):
    """The unit is at a command that takes its time; the result follows."""

    kind: Literal["command_accepted"] = "command_accepted"
    command: Reference


class CommandResult(Entry):
    kind: Literal["command_result"] = "command_result"
    command: Reference
    done: bool
    detail: Text = ""
    """One word or two, of the list in CONTRACT.md, section 10."""
    text: Annotated[str, Field(max_length=MOST_TEXT)] = ""
    """What the unit brings along, for people: a line for each stretch that it heard, or the tail of its log."""


class Envelope(Entry):
    """What the unit heard while it sounded: one frame every 256 ms, 8 signs each (CONTRACT.md, section 12). At most 5
    minutes; a longer sounding is told in parts, each with its own `offset_ms`. Written after what it tells of."""

    kind: Literal["envelope"] = "envelope"
    item: Reference
    asset: Sha256
    started_at: UnixMs
    """Of the sounding, as in its `started` and `ended`."""
    offset_ms: DurationMs
    """Where in the asset the first frame begins, as the unit believes."""
    frames: Annotated[int, Field(ge=1, le=ENVELOPE_MOST_FRAMES)]
    source: Source
    level_dbfs: Annotated[int, Field(ge=-120, le=0)] | None = None
    """Mean level of what was heard, in the bands of the envelope; told only when below -60: bytes are a bill."""
    data: Annotated[Base64Url, Field(max_length=(ENVELOPE_MOST_FRAMES * 4 + 2) // 3)]
    """One byte a frame. Another length is nobody's evidence, and spoils no batch."""


KNOWN = ("started", "ended", "skipped", "fault", "command_accepted", "command_result", "envelope")
"""The kinds of entries of this version; a newer unit may write others."""


WORDS: dict[str, dict[str, type[StrEnum]]] = {
    "ended": {"outcome": Outcome, "amplifier": Amplifier},
    "skipped": {"why": NotPlayed},
    "envelope": {"source": Source},
}
"""Fields whose lists may grow. A newer word in one of them makes the entry one that we do not know."""


def _known() -> Iterator[dict[str, Any]]:
    """JSON Schema of what is read as an entry of this version, rightly or wrongly."""
    no_word = {"not": {"type": "string", "pattern": WORD}}
    for kind in KNOWN:
        lists = WORDS.get(kind, {}).items()
        words = {name: {"anyOf": [{"enum": [*known]}, no_word]} for name, known in lists}
        yield {"properties": {"kind": {"const": kind}, **words}}


class OtherEntry(Entry):
    """An entry of a kind that this version does not know, or that says something it has no word for. It proves nothing
    here; it is kept whole, and its number counts: a unit that knows more than we do must not wait for ever for its
    acknowledgement."""

    model_config = ConfigDict(extra="allow", json_schema_extra={"not": {"anyOf": [*_known()]}})
    kind: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,40}$")]


def _tag(entry: Any) -> str:
    if not isinstance(entry, dict):
        return "other" if isinstance(entry, OtherEntry) else getattr(entry, "kind", "other")
    kind = entry.get("kind")
    if not isinstance(kind, str) or kind not in KNOWN:
        return "other"
    newer = (is_newer(entry.get(name), known) for name, known in WORDS.get(kind, {}).items())
    return "other" if any(newer) else kind


AnyEntry = Annotated[
    Annotated[Started, Tag("started")]
    | Annotated[Ended, Tag("ended")]
    | Annotated[Skipped, Tag("skipped")]
    | Annotated[FaultEntry, Tag("fault")]
    | Annotated[CommandAccepted, Tag("command_accepted")]
    | Annotated[CommandResult, Tag("command_result")]
    | Annotated[Envelope, Tag("envelope")]
    | Annotated[OtherEntry, Tag("other")],
    Discriminator(_tag),
]


class JournalBatch(Versioned):
    """`loa/v1/u/{unit}/out/journal`, signed by the unit's own key. (unit, journal_id, seq) names an entry for ever;
    `journal_id` changes only when the storage was lost."""

    unit: Name
    journal_id: Reference
    boot_id: Annotated[int, Field(ge=0, le=9_007_199_254_740_991)]
    entries: Annotated[list[AnyEntry], Field(min_length=1, max_length=200)]
    oldest: Seq = 1
    """The lowest `seq` the unit still holds: nothing below it will ever come, so nobody need wait for it."""
    historical: bool = False
    """Sent late: settles what was open, never changes what is shown as live."""


class JournalAck(Versioned):
    """`loa/v1/u/{unit}/in/journal-ack`, retained: every entry up to `seq` is safe with the controller. A higher epoch
    may lower the mark: a controller restored from backup is told again."""

    unit: Name
    journal_id: Reference
    seq: Annotated[int, Field(ge=0)]
    epoch: Annotated[int, Field(ge=0)]
