"""The hardware that a unit only senses: clocks with errors, mains, amplifier, the wire to the horns, and who listens.

Pure: every call says what time it truly is (Unix ms) and what the monotonic clock shows (ms). Live fleet and virtual
world use the same pole, and neither unit nor contract knows of it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

from device_sim.ear import Ear, Sound
from device_sim.events import Reading, Sensors, Sounding
from device_sim.player import expected_ma

QUIESCENT_MA = 12
"""What an amplifier draws that has nobody to drive: a decoder that runs into a cut wire."""
MAINS_V, BATTERY_V = 228.0, 12.4


@dataclass
class Hardware:
    """What lasts when power goes: it belongs to the pole, not to the program on it."""

    clock_error_ms: int = 0
    """The hardware clock against true time, as if nobody had ever set it."""
    drift_ppm: float = 0.0
    drift_since_ms: int = 0
    wire_whole: bool = True
    mains: bool = True


class Pole:
    def __init__(self, hardware: Hardware, ear: Ear) -> None:
        self.hardware = hardware
        self.ear = ear
        self._decoder: Sounding | None = None
        self._began = 0
        """When the decoder began the present sounding (monotonic ms)."""
        self._ordered = 0
        """When it was last told from where to play."""
        self._charge = 0.0
        """mA x ms since then, up to `_counted` (monotonic ms)."""
        self._counted = 0

    def reading(self, true_ms: int, mono_ms: int) -> Reading:
        return Reading(true_ms + self.clock_error_ms(true_ms), mono_ms, self._sensors(mono_ms))

    def clock_error_ms(self, true_ms: int) -> int:
        hardware = self.hardware
        drifted = (true_ms - hardware.drift_since_ms) * hardware.drift_ppm / 1e6 if hardware.drift_ppm else 0
        return hardware.clock_error_ms + round(drifted)

    # --- what the unit does to its hardware

    def sounding(self, order: Sounding, true_ms: int, mono_ms: int) -> None:
        """The decoder begins, goes on with another file, or changes its volume."""
        same = self._decoder is not None and self._decoder.item == order.item
        self._count(mono_ms)
        if not same:
            self._charge, self._began, self._counted = 0.0, mono_ms, mono_ms
        self._decoder, self._ordered = order, mono_ms
        if self.hardware.wire_whole:
            self.ear.hears(Sound(order.item, order.asset, true_ms, order.offset_ms, order.volume))

    def silent(self, true_ms: int) -> None:
        self._decoder = None
        self.ear.silence(true_ms)

    # --- what the world does to it

    def power_off(self, true_ms: int) -> None:
        self.silent(true_ms)

    def cut_wire(self, true_ms: int, mono_ms: int) -> None:
        self._count(mono_ms)
        self.hardware.wire_whole = False
        self.ear.silence(true_ms)

    def repair_wire(self, true_ms: int, mono_ms: int) -> None:
        self._count(mono_ms)
        if not self.hardware.wire_whole and (order := self._decoder) is not None:
            position = order.offset_ms + mono_ms - self._ordered
            self.ear.hears(Sound(order.item, order.asset, true_ms, position, order.volume))
        self.hardware.wire_whole = True

    # --- inside

    def _current_ma(self) -> int:
        if self._decoder is None:
            return 0
        return expected_ma(self._decoder.volume) if self.hardware.wire_whole else QUIESCENT_MA

    def _count(self, mono_ms: int) -> None:
        self._charge += self._current_ma() * (mono_ms - self._counted)
        self._counted = mono_ms

    def _sensors(self, mono_ms: int) -> Sensors:
        hardware = self.hardware
        mean: int | None = None
        if self._decoder is not None:
            self._count(mono_ms)
            lasted = mono_ms - self._began
            mean = round(self._charge / lasted) if lasted > 0 else self._current_ma()
        return Sensors(
            amplifier_ma=mean,
            line_closed=hardware.wire_whole,
            mains=hardware.mains,
            volts=MAINS_V if hardware.mains else BATTERY_V,
        )

    def state(self) -> dict[str, object]:
        return asdict(self.hardware)
