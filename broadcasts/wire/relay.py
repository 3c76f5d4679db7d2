"""A slot that carries another station instead of a file (tiếp âm, R-024). CONTRACT.md, section 5a."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, ValidationInfo, model_validator

from broadcasts.wire.base import Message, Name

SILENCE_DEFAULT_S = 20
MOST_REDIRECTS = 3
"""A unit follows no more on its way to a stream."""
STREAM_BIT_S = 64_000
"""What a stream should have at most: 15 minutes of it are 7.2 MB on a mobile link."""


def _has_a_port(url: str) -> str:
    if urlsplit(url).port == 0:
        raise ValueError("not a port")
    return url


StreamUrl = Annotated[
    str,
    Field(
        max_length=300,
        pattern=r"^https?://(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?"
        r"(?:[/?][A-Za-z0-9._~:/?\[\]@!$&'()*+,;=%-]*)?$",
    ),
    AfterValidator(_has_a_port),
]
"""ASCII, without credentials and without a fragment: a plan is signed, not secret."""


class Relay(Message):
    """Where the sound of an item comes from: `url` or `frequency_khz`. With neither it comes in a way that only newer
    versions know. The item's `asset` is the fallback bulletin, which is also all that a unit plays that knows no
    relays."""

    source: Name
    """Its id in the controller's register: what the log names (R-024)."""
    url: StreamUrl | None = None
    """Audio over HTTP or HTTPS."""
    frequency_khz: Annotated[int, Field(ge=64_000, le=108_000)] | None = None
    """The unit's own FM tuner: no data is paid for, and it works without a link."""
    length_ms: Annotated[int, Field(ge=1_000, le=12 * 3_600_000)]
    """The slot. Its sound has no other length."""
    silence_s: Annotated[int, Field(ge=5, le=120)] = SILENCE_DEFAULT_S
    """How long the source may give no sound before the fallback begins."""

    @model_validator(mode="after")
    def _comes_from_one_place(self, told: ValidationInfo) -> Relay:
        places = [place for place in (self.url, self.frequency_khz) if place is not None]
        if len(places) > 1 or not (places or told.mode == "json"):
            raise ValueError("a relay has a url or a frequency, one of them")
        return self
