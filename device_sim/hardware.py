"""What lasts at a pole when power goes and the unit only senses: its clock with all errors, mains, the wire.

Pure: every call says what time it truly is. Neither unit nor contract knows of it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from device_sim.ear import Pole
from device_sim.events import Reading, Sensors

MAINS_V, BATTERY_V, EMPTY_V = 228.0, 12.4, 11.2
SIGNAL_DBM, WEAK_DBM = -80, -113
SHADE_C = 32.0
HELD_MA = 60
"""What an amplifier draws whose relay does not open, with nothing to play: a hiss in the horns."""
WARMING_MS = 20 * 60_000
"""After so long two thirds of the way to the new temperature are done."""


@dataclass
class Hardware:
    clock_error_ms: int = 0
    """The hardware clock against true time, as if nobody had ever set it."""
    drift_ppm: float = 0.0
    drift_since_ms: int = 0
    wire_intact: bool = True
    wire_loose: bool = False
    wrong_file: bool = False
    ear_broken: bool = False
    """The microphone, or the tap of the line-out, gives nothing but its own hiss."""
    neighbour: bool = False
    """The pole of another commune sounds its own programme here, louder than ours."""
    mains: bool = True
    battery_low: bool = False
    signal_dbm: int = SIGNAL_DBM
    storage_free_mb: int | None = None
    """Something else has filled the card up to this; none: nothing has."""
    data_mb: int | None = None
    update_fault: str = ""
    """A word of `updating.Defect`: shows only when another firmware comes."""
    amplifier_stuck: bool = False
    heat_to_c: float = SHADE_C
    heat_from_c: float = SHADE_C
    heat_since_ms: int = 0
    warming_ms: int = WARMING_MS
    air: str = "sound"
    """What the place does to every station that is received here: a word of `radio.Air`."""

    def error_ms(self, true_ms: int) -> int:
        drifted = (true_ms - self.drift_since_ms) * self.drift_ppm / 1e6 if self.drift_ppm else 0.0
        return self.clock_error_ms + round(drifted)

    def temperature_c(self, true_ms: int) -> float:
        """Of the cabinet; follows what `heat` asked for as a lump of metal does."""
        if self.warming_ms <= 0:
            return self.heat_to_c
        left = math.exp(-max(0, true_ms - self.heat_since_ms) / self.warming_ms)
        return round(self.heat_to_c + (self.heat_from_c - self.heat_to_c) * left, 1)

    def heat(self, to_c: float, true_ms: int, warming_ms: int = WARMING_MS) -> None:
        """Sun on the door, a fan that stands; back to `SHADE_C` when that is over."""
        self.heat_from_c, self.heat_since_ms = self.temperature_c(true_ms), true_ms
        self.heat_to_c, self.warming_ms = to_c, warming_ms

    def reading(self, pole: Pole, true_ms: int, mono_ms: int) -> Reading:
        drawn = pole.amplifier_ma(true_ms)
        sensors = Sensors(
            amplifier_ma=HELD_MA if drawn is None and self.amplifier_stuck else drawn,
            temperature_c=self.temperature_c(true_ms),
            line_closed=pole.wire_intact,
            mains=self.mains,
            volts=MAINS_V if self.mains else EMPTY_V if self.battery_low else BATTERY_V,
            signal_dbm=self.signal_dbm,
            storage_free_mb=self.storage_free_mb,
            data_mb=self.data_mb,
            update_fault=self.update_fault,
        )
        return Reading(true_ms + self.error_ms(true_ms), mono_ms, sensors)
