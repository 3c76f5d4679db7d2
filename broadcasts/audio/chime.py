"""The station's opening sound, computed: four falling bell tones, our own."""

from __future__ import annotations

import numpy as np

from broadcasts.audio.pcm import Samples

_TONES_HZ = (1046.5, 880.0, 698.5, 523.3)
_STEP_S, _LENGTH_S = 0.42, 2.4
_PARTIALS = ((1.0, 1.0, 0.55), (2.0, 0.45, 0.35), (2.76, 0.2, 0.2))
"""Times the tone, strength, seconds until it has fallen to a third."""


def chime(rate: int) -> bytes:
    """2.4 s of mono 16-bit samples, peak -6 dBFS; the same bytes every time."""
    sound: Samples = np.zeros(int(_LENGTH_S * rate))
    for index, tone in enumerate(_TONES_HZ):
        start = int(index * _STEP_S * rate)
        t = np.arange(sound.size - start) / rate
        attack = np.minimum(t / 0.004, 1.0)
        for times, strength, fall in _PARTIALS:
            sound[start:] += attack * strength * np.exp(-t / fall) * np.sin(2 * np.pi * tone * times * t)
    sound *= 0.5 / np.max(np.abs(sound))
    return (np.round(sound * 32767)).astype("<i2").tobytes()
