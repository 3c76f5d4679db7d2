"""Relays (tiếp âm) of other stations: where the sound comes from and for how long (R-024).

An address goes to every pole that relays it: what may be one is `domain.outside`'s word.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from broadcasts.domain import outside
from broadcasts.errors import Refused

LEAST_MINUTES, MOST_MINUTES = 1, 180
LEAST_SILENCE, MOST_SILENCE = 5, 120
USUAL_SILENCE = 20
"""Seconds. A breath before the news is no failure; a village that hears nothing for long has gone."""
BAND = (87_500, 108_000)
"""kHz: FM broadcasting in Viet Nam."""


class SourceKind(StrEnum):
    """Whose station it is."""

    VOV = "vov"
    """The national radio."""
    PROVINCE = "province"
    LOWER = "lower"
    """A station of a commune or of what was a district."""
    OTHER = "other"


@dataclass(frozen=True)
class Relay:
    """What a form says of a relay. `source` is the id of a source in the registry."""

    source: str
    minutes: int
    silence_s: int = USUAL_SILENCE
    """So long the source may be silent until the fallback sounds, seconds."""

    @property
    def slot(self) -> timedelta:
        return timedelta(minutes=self.minutes)


@dataclass(frozen=True)
class Share:
    """How much of a relay sounded, and whose sound that was."""

    source: timedelta
    fallback: timedelta

    @property
    def percent(self) -> tuple[int, int]:
        """Of what sounded, rounded: the source's part, the fallback's; (0, 0) where nothing did."""
        whole = self.source + self.fallback
        if not whole:
            return 0, 0
        mine = round(100 * (self.source / whole))
        return mine, 100 - mine


def check_slot(minutes: int, silence_s: int) -> None:
    """Raises Refused: "relay.minutes", "relay.silence"."""
    if not LEAST_MINUTES <= minutes <= MOST_MINUTES:
        raise Refused("relay.minutes", least=LEAST_MINUTES, most=MOST_MINUTES)
    if not LEAST_SILENCE <= silence_s <= MOST_SILENCE:
        raise Refused("relay.silence", least=LEAST_SILENCE, most=MOST_SILENCE)


def check_address(url: str, frequency_khz: int | None, *, inside: bool = False) -> None:
    """Exactly one of both. `inside`: a demo, whose streams come from this machine.

    Raises Refused: "relay.address" (none, or both), "relay.frequency", and what `outside.check_url` raises.
    """
    if bool(url) == (frequency_khz is not None):
        raise Refused("relay.address")
    if frequency_khz is not None:
        if not BAND[0] <= frequency_khz <= BAND[1]:
            raise Refused("relay.frequency", least=BAND[0], most=BAND[1])
        return
    outside.check_url(url, inside=inside)
