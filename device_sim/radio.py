"""Simulated stations: what they send when, and what of it reaches the receiver of one pole. Live and in virtual time.

Deterministic: a station is on the air except for the stretches that were said beforehand or by whoever plays fate.
All instants are true time, Unix ms.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from device_sim.events import SourceHeard, SourceLost, Tune

CONNECT_MS = 800
"""From tuning in to the first sound, or to knowing that nobody answers."""


class Air(StrEnum):
    SOUND = "sound"
    SILENT = "silent"
    """The carrier or the connection stands; nobody speaks."""
    OFF = "off"
    """No carrier, no answer; a connection that stood breaks off."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Something other than sound, [from_ms, to_ms). Of two that overlap the worse one holds."""

    from_ms: int
    to_ms: int
    air: Air


def dropping(from_ms: int, to_ms: int, up_ms: int, down_ms: int) -> list[Stretch]:
    """A connection that breaks off again and again."""
    begins = range(from_ms + up_ms, to_ms, up_ms + down_ms)
    return [Stretch(begin, min(begin + down_ms, to_ms), Air.OFF) for begin in begins]


class Radio:
    """All stations that anybody may tune in. One that nobody said anything about sends all day."""

    def __init__(self) -> None:
        self._stretches: dict[str | None, list[Stretch]] = {}

    def disturb(self, stretches: Iterable[Stretch], source: str | None = None) -> None:
        """To one source, or to all."""
        self._stretches.setdefault(source, []).extend(stretches)

    def air(self, source: str, now: int) -> Air:
        here = [each.air for each in self._of(source) if each.from_ms <= now < each.to_ms]
        return Air.OFF if Air.OFF in here else Air.SILENT if here else Air.SOUND

    def next_change(self, source: str, now: int) -> int | None:
        marks = (mark for each in self._of(source) for mark in (each.from_ms, each.to_ms))
        return min((mark for mark in marks if mark > now), default=None)

    def _of(self, source: str) -> list[Stretch]:
        return [*self._stretches.get(source, ()), *self._stretches.get(None, ())]


class Reception:
    """The receiver of one pole: a tuner, and whatever reads streams over the mobile link."""

    def __init__(self, radio: Radio) -> None:
        self._radio = radio
        self._tuned: Tune | None = None
        self._ready_at = 0
        self._air: Air | None = None
        """What was told last; none: nothing yet."""
        self._counted = 0
        self.streamed_ms = 0
        """How long data came over the mobile link, since it was last set to 0."""
        self.here: Air = Air.SOUND
        """What the place adds: a bad aerial, a blocked address."""

    @property
    def is_tuned(self) -> bool:
        return self._tuned is not None

    @property
    def sounds(self) -> bool:
        """Whether sound of the station arrives at this pole."""
        return self._air is Air.SOUND

    def tune(self, tune: Tune, now: int) -> None:
        self.untune(now)
        self._tuned, self._ready_at = tune, now + CONNECT_MS

    def untune(self, now: int) -> None:
        self._count(now)
        self._tuned = self._air = None

    def look(self, now: int, linked: bool) -> SourceHeard | SourceLost | None:
        """What changed for the unit; `linked`: the mobile network is there, which a tuner does not need."""
        self._count(now)
        if self._tuned is None or now < self._ready_at:
            return None
        air = self._now(self._tuned, now, linked)
        if air is self._air:
            return None
        tuned = self._tuned
        self._air = air
        if air is Air.OFF:
            # Who was lost is not looked for any more: the unit asks again by itself.
            self._tuned = self._air = None
            return SourceLost(tuned.source, "unreachable")
        return SourceHeard(tuned.source, air is Air.SOUND)

    def next_look(self, now: int) -> int | None:
        if self._tuned is None:
            return None
        if now < self._ready_at:
            return self._ready_at
        return self._radio.next_change(self._tuned.source, now)

    def _now(self, tuned: Tune, now: int, linked: bool) -> Air:
        sent = self._radio.air(tuned.source, now)
        if Air.OFF in (sent, self.here) or (tuned.url is not None and not linked):
            return Air.OFF
        return Air.SILENT if Air.SILENT in (sent, self.here) else Air.SOUND

    def _count(self, now: int) -> None:
        if self._air is not None and self._tuned is not None and self._tuned.url is not None:
            self.streamed_ms += now - self._counted
        self._counted = now
