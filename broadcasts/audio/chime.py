"""Opening sounds, computed, our own: four falling bell tones, three rising wooden ones, two strokes of a gong."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from broadcasts.audio.pcm import Samples

_BELL = ((1.0, 1.0, 0.55), (2.0, 0.45, 0.35), (2.76, 0.2, 0.2))
_WOOD = ((1.0, 1.0, 0.22), (3.93, 0.25, 0.08), (9.2, 0.06, 0.04))
_GONG = ((1.0, 1.0, 1.1), (1.51, 0.5, 0.8), (2.09, 0.35, 0.6), (2.95, 0.2, 0.3))
"""Times the tone, strength, seconds until it has fallen to a third."""


@dataclass(frozen=True)
class Tune:
    tones_hz: tuple[float, ...]
    step_s: float
    length_s: float
    partials: tuple[tuple[float, float, float], ...]


FALLING = "falling"
TUNES = {
    FALLING: Tune((1046.5, 880.0, 698.5, 523.3), 0.42, 2.4, _BELL),
    "rising": Tune((523.3, 659.3, 784.0, 1046.5), 0.26, 1.8, _WOOD),
    "gong": Tune((587.3, 440.0), 0.9, 3.2, _GONG),
}


def chime(rate: int, name: str = FALLING) -> bytes:
    """Mono 16-bit samples, peak -6 dBFS; the same bytes every time. The first one lasts 2.4 s."""
    tune = TUNES[name]
    sound: Samples = np.zeros(int(tune.length_s * rate))
    for index, tone in enumerate(tune.tones_hz):
        start = int(index * tune.step_s * rate)
        t = np.arange(sound.size - start) / rate
        attack = np.minimum(t / 0.004, 1.0)
        for times, strength, fall in tune.partials:
            sound[start:] += attack * strength * np.exp(-t / fall) * np.sin(2 * np.pi * tone * times * t)
    sound *= 0.5 / np.max(np.abs(sound))
    return (np.round(sound * 32767)).astype("<i2").tobytes()
