"""What a unit hears of its own sound: an envelope in the journal, a clip on demand (CONTRACT.md, section 12)."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from broadcasts.wire.base import DurationMs, Name, Reference, Sha256, UnixMs, Versioned

ENVELOPE_FRAME_MS = 256
ENVELOPE_MOST_FRAMES = 1_170
ENVELOPE_PART_MS = ENVELOPE_FRAME_MS * ENVELOPE_MOST_FRAMES
"""A sounding of more than 5 minutes is told in parts: each stays small beside the 32 KiB of a batch, and a cut costs at
most one."""
CLIP_MOST_S = 10
CLIP_MOST_BYTES = 16_000
"""13 kbit/s over 10 s; Opus at 8 kbit/s needs about 9,000. Coded for JSON and signed it stays below 32 KiB."""


class Source(StrEnum):
    """Where the unit listened."""

    LINE_OUT = "line_out"
    """Behind the amplifier or before it: proves the decoder, and the amplifier where it is behind it."""
    MICROPHONE = "microphone"
    """Below the horns: proves the horns."""


class ClipCodec(StrEnum):
    OPUS = "opus"
    """In Ogg (RFC 7845), mono."""


Base64Url = Annotated[str, Field(min_length=1, pattern=r"^[A-Za-z0-9_-]+$")]
"""RFC 4648, section 5, without padding."""


class Clip(Versioned):
    """`loa/v1/u/{unit}/out/clip`, signed by the unit's own key: at most 10 s of what was heard, because a `capture`
    asked for it. Said once, never retained; neither side keeps it longer than the match takes."""

    unit: Name
    command: Reference
    """The `capture` that asked."""
    at: UnixMs
    """When the first sample was taken, by the unit's own clock."""
    item: Reference
    asset: Sha256
    started_at: UnixMs
    """Of the sounding, as in its `started`."""
    offset_ms: DurationMs
    """Where in the asset the unit believes the first sample to lie."""
    length_ms: Annotated[int, Field(ge=1, le=CLIP_MOST_S * 1000)]
    source: Source
    codec: ClipCodec
    data: Annotated[Base64Url, Field(max_length=(CLIP_MOST_BYTES * 4 + 2) // 3)]
