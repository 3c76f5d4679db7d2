"""The way from the decoder through a horn and the air to the unit's ear: what a capture brings, simulated.

Pure and from a seed: the same sound over the same path is the same capture. Sound is mono at 8 kHz, -1 to 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 8_000
HORN_LOW_HZ, HORN_HIGH_HZ = 300.0, 3_600.0
COLOUR_DB = 4.0
"""No horn is even: each has its own hills and valleys of about this height."""
LEVEL = 0.05
"""Of what comes in, as root mean square: a microphone 10 m below."""
GUST_S = 1.5

Sound = NDArray[np.float64]


class Noise(StrEnum):
    PINK = "pink"
    """A street: even in time."""
    WIND = "wind"
    """Gusts: comes and goes, as speech does."""


@dataclass(frozen=True)
class AirPath:
    """Of one pole at one time. dB and seconds as named."""

    snr_db: float = 20.0
    """Sound against noise between 300 and 3,400 Hz, over all of it. Of a cut wire: of what would be."""
    noise: Noise = Noise.PINK
    echo_s: float = 0.5
    """A second horn, or a wall 85 m away."""
    echo_db: float | None = None
    reverb_s: float = 0.4
    reverb_db: float | None = None
    """Against the direct sound."""
    drift_ppm: float = 0.0
    """How much faster the clock of the capture runs."""
    neighbour_db: float | None = None
    """Another pole with another bulletin, against this one."""
    wire_cut: bool = False
    muted: tuple[tuple[float, float], ...] = ()
    """From, to in seconds: a contact that is loose."""


def captured(played: Sound, path: AirPath, seed: int, neighbour: Sound | None = None) -> Sound:
    """What the ear takes in while `played` leaves the decoder; as long as it, drift apart. `neighbour` is what the
    other pole plays, at least as long."""
    chance = np.random.default_rng(seed)
    horn = _horned(played, chance)
    loud = _strength(horn)
    sound = np.zeros_like(horn) if path.wire_cut else _muted(horn, path.muted)
    if path.echo_db is not None:
        late = round(path.echo_s * RATE_HZ)
        echo = np.concatenate([np.zeros(late), sound])[: len(sound)]
        sound = sound + echo * 10 ** (path.echo_db / 20)
    if path.reverb_db is not None:
        sound = _reverberated(sound, path.reverb_s, path.reverb_db, chance)
    if path.neighbour_db is not None and neighbour is not None:
        other = _horned(neighbour[: len(sound)], chance)
        sound = sound + other * (loud / max(_strength(other), 1e-12)) * 10 ** (path.neighbour_db / 20)
    noise = _noise(len(sound), path.noise, chance)
    sound = sound + noise * (loud / max(_strength(noise), 1e-12)) * 10 ** (-path.snr_db / 20)
    if path.drift_ppm:
        sound = _drifted(sound, path.drift_ppm)
    return np.asarray(sound * (LEVEL / max(loud, 1e-12)), np.float64)


def _horned(sound: Sound, chance: np.random.Generator) -> Sound:
    size = len(sound) + 1_024
    hertz = np.fft.rfftfreq(size, 1 / RATE_HZ)
    passes = 1 / np.sqrt(1 + (HORN_LOW_HZ / np.maximum(hertz, 1)) ** 8) / np.sqrt(1 + (hertz / HORN_HIGH_HZ) ** 16)
    hills = np.interp(hertz, np.linspace(0, RATE_HZ / 2, 12), chance.uniform(-COLOUR_DB, COLOUR_DB, 12))
    passed: Sound = np.fft.irfft(np.fft.rfft(sound, size) * passes * 10 ** (hills / 20), size)[: len(sound)]
    return passed


def _reverberated(sound: Sound, seconds: float, against_db: float, chance: np.random.Generator) -> Sound:
    """A tail that falls by 60 dB in `seconds`."""
    length = round(seconds * RATE_HZ)
    tail = chance.standard_normal(length) * 10 ** (-3 * np.arange(length) / length)
    tail *= 10 ** (against_db / 20) / np.sqrt(np.sum(tail**2))
    tail[0] += 1.0
    size = len(sound) + length
    around: Sound = np.fft.irfft(np.fft.rfft(sound, size) * np.fft.rfft(tail, size), size)[: len(sound)]
    return around


def _noise(length: int, kind: Noise, chance: np.random.Generator) -> Sound:
    spectrum = np.fft.rfft(chance.standard_normal(length))
    spectrum /= np.sqrt(np.maximum(np.arange(len(spectrum)), 1))
    noise: Sound = np.fft.irfft(spectrum, length)
    if kind is Noise.WIND:
        steps = max(2, round(length / RATE_HZ / GUST_S) + 1)
        gusts = np.interp(np.linspace(0, steps - 1, length), np.arange(steps), chance.uniform(-9.0, 6.0, steps))
        noise = noise * 10 ** (gusts / 20)
    return noise


def _muted(sound: Sound, stretches: tuple[tuple[float, float], ...]) -> Sound:
    kept = sound.copy()
    for begin, end in stretches:
        kept[round(begin * RATE_HZ) : round(end * RATE_HZ)] = 0.0
    return kept


def _drifted(sound: Sound, ppm: float) -> Sound:
    """As a clock takes it that runs `ppm` faster: more samples of the same sound."""
    length = round(len(sound) * (1 + ppm / 1e6))
    at = np.arange(length) / (1 + ppm / 1e6)
    return np.asarray(np.interp(at, np.arange(len(sound)), sound), np.float64)


def _strength(sound: Sound) -> float:
    """Root mean square between 300 and 3,400 Hz."""
    if not len(sound):
        return 0.0
    spectrum, hertz = np.abs(np.fft.rfft(sound)) ** 2, np.fft.rfftfreq(len(sound), 1 / RATE_HZ)
    inside = float(spectrum[(hertz >= 300.0) & (hertz <= 3_400.0)].sum())
    return float(np.sqrt(2 * inside)) / len(sound)
