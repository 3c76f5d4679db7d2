"""A pole: amplifier, wire, horns, and the villager below. The record that tests and verdicts are measured against."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from device_sim.events import RELAYED, SPOKEN, Sounding

QUIESCENT_MA = 12
"""What an amplifier draws that has nobody to drive: a decoder that runs into a cut wire."""
LOOSE_MS = 20_000
"""A loose contact closes for so long, then opens for as long."""
STRANGER = "another-programme"
"""The name of what sounds where the player's card holds something else under the right name."""
TAPED = 64


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


@dataclass(frozen=True, slots=True)
class Run:
    """One stretch of the decoder, for the ear of the unit. True time, Unix ms."""

    item: str
    asset: str
    from_ms: int
    to_ms: int
    offset_ms: int
    volume: int
    audible: bool
    """It was on the line to the horns."""

    def between(self, from_ms: int, to_ms: int) -> Run | None:
        begin, end = max(from_ms, self.from_ms), min(to_ms, self.to_ms)
        if end <= begin:
            return None
        return replace(self, from_ms=begin, to_ms=end, offset_ms=self.offset_ms + begin - self.from_ms)


class Pole:
    """Every instant is true time, Unix ms."""

    def __init__(self, remember: int | None = None) -> None:
        """`remember`: how many stretches are kept, the newest; none means all."""
        self.wire_intact = True
        self.loose = False
        """The wire has a loose contact: sound comes and goes, half of the time each."""
        self.wrong_file = False
        """Another programme lies under the name of every file."""
        self.amplifier_dead = False
        self.horns_left = 1.0
        """The part of the usual load that is on the line: one horn of two is silent, or all of them are tired."""
        self._tape: deque[Run] = deque(maxlen=TAPED)
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
        return Sound(order.item, self._given(order), self._audible_from, now, offset, order.volume)

    def tape(self, from_ms: int, to_ms: int) -> list[Run]:
        """What the decoder gave in [from, to), in order, and what of it was on the line."""
        runs = [*self._tape, *self._running(to_ms)]
        told = []
        for run in runs:
            part = run.between(from_ms, to_ms)
            if part is None:
                continue
            reached = part.from_ms
            for begin, end in self.closed(part.from_ms, part.to_ms) if part.audible else ():
                told += [replace(silent, audible=False) for silent in [part.between(reached, begin)] if silent]
                told += [sound for sound in [part.between(begin, end)] if sound]
                reached = end
            told += [replace(silent, audible=False) for silent in [part.between(reached, part.to_ms)] if silent]
        return told

    def closed(self, from_ms: int, to_ms: int) -> Iterator[tuple[int, int]]:
        """When in [from, to) the contact is closed."""
        if not self.loose:
            yield from_ms, to_ms
            return
        for begin in range(from_ms - from_ms % (2 * LOOSE_MS), to_ms, 2 * LOOSE_MS):
            if min(begin + LOOSE_MS, to_ms) > max(begin, from_ms):
                yield max(begin, from_ms), min(begin + LOOSE_MS, to_ms)

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
        self.wire_intact, self.loose = True, False
        self._listen(now)

    def kill_amplifier(self, dead: bool, now: int) -> None:
        """It draws nothing, and nothing is heard; or somebody put another one in."""
        self._note(now)
        self.amplifier_dead = dead
        self._listen(now)

    def tire_horns(self, left: float, now: int) -> None:
        """`left`: the part of the usual current; 1 is what they were made for."""
        self._note(now)
        self.horns_left = left

    def loosen_wire(self, now: int) -> None:
        self._note(now)
        self.loose = True
        self._listen(now)

    def swap_files(self, wrong: bool, now: int) -> None:
        """Another programme under every name, or what the names say again."""
        self._note(now)
        self.wrong_file = wrong
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
        if self.amplifier_dead:
            return 0
        return round((100 + 20 * self._order.volume) * self.horns_left) if self.wire_intact else QUIESCENT_MA

    @property
    def _driven(self) -> bool:
        """Whether samples that are not silence leave the decoder."""
        return self._order is not None and (self._receiving or not self._order.asset.startswith(RELAYED))

    def _listen(self, now: int) -> None:
        self._audible_from = now if self._on_line and self._driven else None

    @property
    def _on_line(self) -> bool:
        return self.wire_intact and not self.amplifier_dead

    def _given(self, order: Sounding) -> str:
        return STRANGER if self.wrong_file and not order.asset.startswith((RELAYED, SPOKEN)) else order.asset

    def _running(self, now: int) -> Iterator[Run]:
        """The present stretch of the decoder since it was last noted."""
        order = self._order
        if order is not None and now > self._counted and self._driven:
            offset = order.offset_ms + self._counted - self._ordered
            yield Run(order.item, self._given(order), self._counted, now, offset, order.volume, self._on_line)

    def _count(self, now: int) -> None:
        for run in self._running(now):
            last = self._tape[-1] if self._tape else None
            if last is not None and run == replace(run, **_goes_on(last)):
                self._tape[-1] = replace(last, to_ms=run.to_ms)
            else:
                self._tape.append(run)
        if self._driven:
            closed = sum(end - begin for begin, end in self.closed(self._counted, now))
            self._charge += self._current_ma() * closed + QUIESCENT_MA * (now - self._counted - closed)
            self._driven_ms += now - self._counted
        self._counted = now

    def _note(self, now: int) -> None:
        self._count(now)
        sound = self.hearing(now)
        if sound is None or sound.to_ms <= sound.from_ms:
            return
        for begin, end in self.closed(sound.from_ms, sound.to_ms):
            offset = sound.offset_ms + begin - sound.from_ms
            self._heard.append(replace(sound, from_ms=begin, to_ms=end, offset_ms=offset))


def _goes_on(last: Run) -> dict[str, Any]:
    """What a stretch is that continues `last`."""
    told = {name: getattr(last, name) for name in ("item", "asset", "volume", "audible")}
    return {**told, "from_ms": last.to_ms, "offset_ms": last.offset_ms + last.to_ms - last.from_ms}
