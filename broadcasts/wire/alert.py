"""Emergency is state, not an event: each standing scope has one complete list of its active alerts."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, model_validator

from broadcasts.wire.base import (
    Language,
    Message,
    Name,
    One,
    Reference,
    Text,
    UnixMs,
    Version,
    Versioned,
    Volume,
    newer_as,
)
from broadcasts.wire.ear import Base64Url
from broadcasts.wire.plan import Asset

MOST_ALERTS = 64
"""Active at once in one scope."""


INLINE_MOST_BYTES = 32_768
"""Of sound that travels in the document: one such alert fits into a list."""


class AlertKind(StrEnum):
    STORM = "storm"
    FLOOD = "flood"
    SURGE = "surge"
    SALT = "salt"
    TSUNAMI = "tsunami"
    FIRE = "fire"
    EPIDEMIC = "epidemic"
    MISSING = "missing"
    ALL_CLEAR = "all_clear"
    OTHER = "other"


class Repeat(Message):
    """Sounds at `not_before`, then every `every_s`, at most `times` in all (none: until `hard_end`). R-058 to R-064."""

    every_s: Annotated[int, Field(ge=10, le=86_400)]
    times: Annotated[int, Field(ge=1, le=1000)] | None = None
    opening_s: Annotated[list[Annotated[int, Field(ge=0, le=86_400)]], Field(min_length=2, max_length=12)] | None = None
    """When it sounds first, seconds after `not_before`, rising, the first 0; `every_s` counts from the last of them.
    As many zeros as there are, so often it sounds at once, one sounding after the other."""

    @model_validator(mode="after")
    def _opens(self) -> Repeat:
        opening = self.opening_s
        if opening is not None and (opening[0] != 0 or opening != sorted(opening)):
            raise ValueError("an opening begins at once and does not go back")
        return self


class Rendition(Message):
    language: Language
    asset: Asset
    also: Annotated[list[Asset], Field(min_length=1, max_length=3)] | None = None
    """The same sound in other codecs: a unit takes the first of `asset` and these that it decodes."""
    data: Annotated[Base64Url, Field(max_length=(INLINE_MOST_BYTES * 4 + 2) // 3)] | None = None
    """The bytes of `asset` themselves, base64url without padding: nobody who takes this has to fetch them."""


class Alert(Message):
    """One active alert. A unit that is not meant ignores it; `target` "all" means every unit of the scope."""

    id: Reference
    kind: Annotated[AlertKind, newer_as(AlertKind, AlertKind.OTHER)]
    """For people; no unit behaves by it."""
    level: One = 1
    target: Literal["all"] | Annotated[list[Name], Field(min_length=1, max_length=2000)]
    content: Annotated[list[Rendition], Field(min_length=1, max_length=6)]
    """Played one after the other, in this order."""
    repeat: Repeat | None = None
    volume: Volume
    issued_at: UnixMs
    not_before: UnixMs
    hard_end: UnixMs
    """Nothing of this alert sounds at or after this instant. R-065."""
    max_blind_s: Annotated[int, Field(ge=10, le=3600)]
    """How long a unit without trusted time may sound it, by its monotonic clock."""
    reason: Text

    @model_validator(mode="after")
    def _ends(self) -> Alert:
        if self.hard_end <= self.not_before:
            raise ValueError("an alert ends after it begins")
        return self


class AlertDocument(Versioned):
    """`loa/v1/s/{scope}/alert`, retained. Silence is a newer version without the entry; an empty payload means
    nothing at all. `void_before` silences every alert issued before it in this scope and in narrower ones."""

    scope: Name
    version: Version
    issued_at: UnixMs
    alerts: Annotated[list[Alert], Field(max_length=MOST_ALERTS)]
    void_before: UnixMs = 0

    @model_validator(mode="after")
    def _alerts_stand_once(self) -> AlertDocument:
        if len({alert.id for alert in self.alerts}) != len(self.alerts):
            raise ValueError("an alert stands once")
        return self
