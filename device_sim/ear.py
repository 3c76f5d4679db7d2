"""A pole: amplifier, wire, horns, and the villager below. The record that tests and verdicts are measured against."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from device_sim.events import RELAYED, Sounding

QUIESCENT_MA = 12
"""What an amplifier draws that has nobody to drive: a decoder that runs into a cut wire."""


@dataclass(frozen=True, slots=True)
class Sound:
    """One stretch of sound as it was heard, in true time (Unix ms)."""

    item: str
    asset: str
    from_ms: int
    to_ms: int
    offset_ms: int
    """Where in the asset the stretch began."""
    volume: int


class Pole:
    """Every instant is true time, Unix ms."""

    def __init__(self, remember: int | None = None) -> None:
        """`remember`: how many stretches are kept, the newest; none means all."""
        self.wire_intact = True
        self._heard: deque[Sound] = deque(maxlen=remember)
        self._order: Sounding | None = None
        self._ordered = 0
        """When the decoder was last told what to play, and from where."""
        self._audible_from: int | None = None
        self._receiving = False
        """Sound of a station arrives at the receiver."""
        self._counted = 0
        self._charge = self._driven_ms = 0
        """mA x ms, and for how long there was something to amplify, since the present sounding began, up to
        `_counted`."""

    @property
    def heard(self) -> list[Sound]:
        """Every stretch that has ended, in order."""
        return list(self._heard)

    @property
    def playing(self) -> Sounding | None:
        """What the decoder runs, heard or not."""
        return self._order

    def hearing(self, now: int) -> Sound | None:
        """What is to be heard now; it has lasted until `now`."""
        if self._order is None or self._audible_from is None:
            return None
        offset = self._order.offset_ms + self._audible_from - self._ordered
        order = self._order
        return Sound(order.item, order.asset, self._audible_from, now, offset, order.volume)

    def play(self, order: Sounding, now: int) -> None:
        """The decoder begins, goes on with the next file, or changes its volume."""
        self._note(now)
        if self._order is None or self._order.item != order.item:
            self._driven_ms = self._charge = 0
        self._order, self._ordered = order, now
        self._listen(now)

    def receive(self, sounds: bool, now: int) -> None:
        """What the receiver gives to a decoder that relays it."""
        if sounds == self._receiving:
            return
        relays = self._order is not None and self._order.asset.startswith(RELAYED)
        if relays:
            self._note(now)
        self._receiving = sounds
        if relays:
            self._listen(now)

    def silence(self, now: int) -> None:
        """The decoder stops, or power goes."""
        self._note(now)
        self._order = self._audible_from = None

    def cut_wire(self, now: int) -> None:
        self._note(now)
        self.wire_intact, self._audible_from = False, None

    def repair_wire(self, now: int) -> None:
        self._note(now)
        self.wire_intact = True
        self._listen(now)

    def amplifier_ma(self, now: int) -> int | None:
        """Mean current since the present sounding began, pauses of a relayed station left out; none while the decoder
        stands."""
        if self._order is None:
            return None
        self._count(now)
        return round(self._charge / self._driven_ms) if self._driven_ms > 0 else self._current_ma()

    def _current_ma(self) -> int:
        """Two horns of 30 W at this volume."""
        if self._order is None:
            return 0
        return 100 + 20 * self._order.volume if self.wire_intact else QUIESCENT_MA

    @property
    def _driven(self) -> bool:
        """Whether samples that are not silence leave the decoder."""
        return self._order is not None and (self._receiving or not self._order.asset.startswith(RELAYED))

    def _listen(self, now: int) -> None:
        self._audible_from = now if self.wire_intact and self._driven else None

    def _count(self, now: int) -> None:
        if self._driven:
            self._charge += self._current_ma() * (now - self._counted)
            self._driven_ms += now - self._counted
        self._counted = now

    def _note(self, now: int) -> None:
        self._count(now)
        sound = self.hearing(now)
        if sound is not None and sound.to_ms > sound.from_ms:
            self._heard.append(sound)
