"""What time a unit believes it is, and how far it may trust it. CONTRACT.md, section 4."""

from __future__ import annotations

from dataclasses import dataclass

from broadcasts.wire.journal import NotPlayed
from broadcasts.wire.status import ClockSource, ClockState
from device_sim.events import Moment, Reading

JUMP_MS = 5 * 60_000
MOVED_MS = 2_000
"""The wall clock left the monotonic clock by so much: ask what time it is."""
DRIFT_MS = 2_000
ROUND_TRIP_MS = 10_000
ASK_EVERY_MS = 6 * 3_600_000
ASK_AGAIN_MS = 60_000
"""After a correction: `clock_drift` stands until an answer agrees."""
ANSWER_WAIT_MS = 20_000
ANSWER_MOST_MS = 15 * 60_000
PERSIST_MS = 60_000
DRIFT_PPM = 100
"""How much a unit allows its own oscillator when it states its error."""


@dataclass
class ClockStore:
    """What is on the disk. `correction_ms` stands for setting the hardware clock."""

    correction_ms: int = 0
    verified_ms: int = 0
    """The newest verified `issued_at` or signed `now`."""
    persisted_ms: int = 0
    confirmed_ms: int | None = None
    """When signed time last confirmed the battery-backed clock; none after a jump or when it never did."""
    confirmed_error_ms: int = 0
    contact_ms: int = 0
    """The last word that proves a living controller, for autonomy."""


class Timekeeper:
    def __init__(self, store: ClockStore, battery: bool) -> None:
        """`battery`: the hardware clock runs on while power is off."""
        self.store = store
        self._battery = battery
        self.source = ClockSource.NONE
        self.held = False
        self.now = 0
        self._raw = 0
        self._mono = 0
        self._boot_mono = 0
        self._anchor = (0, 0)
        self._leave = 0
        self._asked_leave = 0
        self._error_ms = 0
        self._error_since = 0
        self._blind_until: int | None = None
        self._held_mono: int | None = None
        self._excuses: list[tuple[int, int, NotPlayed]] = []
        self.nonce: tuple[str, int] | None = None
        self.ask_at: int | None = None
        self._wait = ANSWER_WAIT_MS

    @property
    def trusted(self) -> bool:
        return self.source is not ClockSource.NONE and not self.held

    @property
    def lower_ms(self) -> int:
        return max(self.store.verified_ms, self.store.persisted_ms)

    def boot(self, reading: Reading) -> None:
        self._boot_mono = self._mono = reading.mono_ms
        self._leave = self._asked_leave = reading.wall_ms - reading.mono_ms
        raw = reading.wall_ms + self.store.correction_ms
        kept = self._battery and self.store.confirmed_ms is not None
        # A clock that lost its battery comes back in the past, below what was persisted a minute before.
        if kept and raw >= self.lower_ms:
            self.source = ClockSource.RTC
            self._error_ms = self.store.confirmed_error_ms
            since = max(0, raw - (self.store.confirmed_ms or raw))
            self._error_ms += since * DRIFT_PPM // 1_000_000
            self._error_since = reading.mono_ms
            self._excuses = [(0, raw, NotPlayed.POWER_OFF)]
        else:
            self.store.confirmed_ms = None
        self._anchor = (reading.mono_ms, self.lower_ms)
        self.observe(reading)

    def observe(self, reading: Reading) -> None:
        """Look at the clocks; notices jumps."""
        self._mono = reading.mono_ms
        self._raw = reading.wall_ms + self.store.correction_ms
        leave = reading.wall_ms - reading.mono_ms
        if self.source is not ClockSource.NONE:
            if not self.held and abs(leave - self._leave) > JUMP_MS:
                self.held = True
                self._held_mono = self._mono
                self.store.confirmed_ms = None
            if abs(leave - self._asked_leave) > MOVED_MS:
                self._asked_leave = leave
                self.ask_at = min(self.ask_at or self._mono, self._mono)
        if self.trusted:
            self._anchor = (self._mono, max(self._raw, self.lower_ms))
            self.now = self._anchor[1]
            if self.now - self.store.persisted_ms >= PERSIST_MS:
                self.store.persisted_ms = self.now
        else:
            # Without trust: the lower bound, carried on. It can be behind, never ahead.
            self.now = max(self._anchor[1] + self._mono - self._anchor[0], self.lower_ms)
            self._raw = self.now

    def verified(self, instant_ms: int) -> None:
        """A verified document says it was issued then."""
        if instant_ms > self.store.verified_ms:
            self.store.verified_ms = instant_ms
            self.now = max(self.now, instant_ms)
            if not self.trusted:
                self._anchor = (self._mono, max(self.now, self._anchor[1] + self._mono - self._anchor[0]))

    def asked(self, nonce: str) -> None:
        self.nonce = (nonce, self._mono)
        self.ask_at = self._mono + self._wait
        self._wait = min(2 * self._wait, ANSWER_MOST_MS)

    def wonder(self, most_ms: int, after_ms: int) -> None:
        """Ask again in `after_ms` if the error may be more than `most_ms`: in six hours a clock drifts by seconds."""
        error = self.error_ms()
        if error is not None and error > most_ms:
            self.ask_at = min(self.ask_at or self._mono + after_ms, self._mono + after_ms)

    def joined(self) -> None:
        self.ask_at = self._mono
        self._wait = ANSWER_WAIT_MS

    def answer(self, nonce: str, signed_ms: int, reading: Reading) -> int | None:
        """Take the verified answer to our last question. Returns by how much the clock was corrected (ms, positive:
        it was behind) when it had been trusted or held before, 0 when it had not; none when the answer is not used."""
        if self.nonce is None or nonce != self.nonce[0]:
            return None
        round_trip = reading.mono_ms - self.nonce[1]
        self.nonce = None
        if not 0 <= round_trip <= ROUND_TRIP_MS:
            return None
        best = signed_ms + round_trip // 2
        before = reading.wall_ms + self.store.correction_ms
        known = self.source is not ClockSource.NONE
        uptime = reading.mono_ms - self._boot_mono
        if not known:
            self._excuses = [(0, best - uptime, NotPlayed.POWER_OFF), (0, best, NotPlayed.NO_TRUSTED_TIME)]
        elif self.held and self._held_mono is not None:
            held_from = best - (reading.mono_ms - self._held_mono)
            self._excuses.append((held_from - JUMP_MS, best, NotPlayed.TIME_JUMP))
        self.store.correction_ms += best - before
        self.store.verified_ms = max(self.store.verified_ms, signed_ms)
        # The persisted time came from a clock that may have been ahead; signed time may take it back.
        self.store.persisted_ms = best
        self.store.confirmed_ms = best
        self.store.confirmed_error_ms = round_trip // 2
        self.store.contact_ms = best
        self._error_ms, self._error_since = round_trip // 2, reading.mono_ms
        self.source, self.held, self._held_mono = ClockSource.SIGNED, False, None
        self._leave = self._asked_leave = reading.wall_ms - reading.mono_ms
        moved = best - before if known else 0
        self.ask_at = reading.mono_ms + (ASK_AGAIN_MS if abs(moved) > DRIFT_MS else ASK_EVERY_MS)
        self._wait = ANSWER_WAIT_MS
        self.observe(reading)
        return moved

    def error_ms(self) -> int | None:
        if not self.trusted:
            return None
        return self._error_ms + (self._mono - self._error_since) * DRIFT_PPM // 1_000_000

    def mono_at(self, instant_ms: int) -> int:
        """The monotonic instant at which this clock will show `instant_ms`."""
        return self._mono + max(0, instant_ms - self._raw)

    def moment(self, reading: Reading, max_autonomy_s: int | None) -> Moment:
        alone = max_autonomy_s is not None and self.now - self.store.contact_ms > max_autonomy_s * 1000
        return Moment(self.now, self._mono, self.error_ms(), self.trusted, self.held, alone, reading.sensors)

    def contact(self) -> None:
        """A newer document was verified: somebody is there."""
        self.store.contact_ms = max(self.store.contact_ms, self.now)

    def excuse(self, instant_ms: int) -> NotPlayed | None:
        """Why nothing could sound at `instant_ms`, as far as power and time go."""
        for begin, end, why in self._excuses:
            if begin <= instant_ms < end:
                return why
        return None

    def state(self) -> ClockState:
        return ClockState(source=self.source, trusted=self.trusted, error_ms=self.error_ms())
