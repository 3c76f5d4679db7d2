"""What lasts at a pole when power goes and the unit only senses: its clock with all errors, mains, the wire.

Pure: every call says what time it truly is. Neither unit nor contract knows of it.
"""

from __future__ import annotations

from dataclasses import dataclass

from device_sim.ear import Pole
from device_sim.events import Reading, Sensors

MAINS_V, BATTERY_V = 228.0, 12.4


@dataclass
class Hardware:
    clock_error_ms: int = 0
    """The hardware clock against true time, as if nobody had ever set it."""
    drift_ppm: float = 0.0
    drift_since_ms: int = 0
    wire_intact: bool = True
    mains: bool = True
    air: str = "sound"
    """What the place does to every station that is received here: a word of `radio.Air`."""

    def error_ms(self, true_ms: int) -> int:
        drifted = (true_ms - self.drift_since_ms) * self.drift_ppm / 1e6 if self.drift_ppm else 0.0
        return self.clock_error_ms + round(drifted)

    def reading(self, pole: Pole, true_ms: int, mono_ms: int) -> Reading:
        sensors = Sensors(
            amplifier_ma=pole.amplifier_ma(true_ms),
            line_closed=pole.wire_intact,
            mains=self.mains,
            volts=MAINS_V if self.mains else BATTERY_V,
        )
        return Reading(true_ms + self.error_ms(true_ms), mono_ms, sensors)
