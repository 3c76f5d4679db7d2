"""What a box computes of its own sound while it plays (CONTRACT.md, section 12): one byte each 256 ms.

Written from the contract and not from the controller's code, which computes the same in another way. A small box runs
nine biquads sample by sample; here each is its impulse response, cut off where nothing of it is left.
"""

from __future__ import annotations

import base64
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from broadcasts.wire.ear import ENVELOPE_FRAME_MS, ENVELOPE_MOST_FRAMES

RATE_HZ = 8_000
FRAME_SAMPLES = RATE_HZ * ENVELOPE_FRAME_MS // 1000
_BANDS = 9
_LOW_HZ, _HIGH_HZ = 300.0, 3_400.0
_RINGING = 1_024
"""Samples after which the narrowest band has fallen by more than 200 dB."""
_QUIET = 2.0**-40
_TOLD_BELOW_DBFS = -60

Sound = NDArray[np.float64]


def _response(band: int) -> Sound:
    """Of the biquad of `band`, by its difference equation."""
    low = _LOW_HZ * (_HIGH_HZ / _LOW_HZ) ** (band / _BANDS)
    high = _LOW_HZ * (_HIGH_HZ / _LOW_HZ) ** ((band + 1) / _BANDS)
    middle = math.sqrt(low * high)
    turn = 2 * math.pi * middle / RATE_HZ
    alpha = math.sin(turn) * (high - low) / middle / 2
    gain, back1, back2 = alpha / (1 + alpha), -2 * math.cos(turn) / (1 + alpha), (1 - alpha) / (1 + alpha)
    said = [0.0, 0.0]
    for n in range(_RINGING):
        pulse = {0: gain, 2: -gain}.get(n, 0.0)
        said.append(pulse - back1 * said[-1] - back2 * said[-2])
    return np.array(said[2:])


_SIZE = 4_096
_RESPONSES = np.fft.rfft(np.stack([_response(band) for band in range(_BANDS)]), _SIZE)


@dataclass(frozen=True)
class Told:
    """What an entry of the journal says: `data` is base64url, `level_dbfs` a whole number from -120 to -61, or none."""

    frames: int
    data: str
    level_dbfs: int | None


class EnvelopeEar:
    """Fed with samples at 8 kHz in -1 to 1, in pieces of any length, from the begin of a sounding. Keeps less than
    half a second of sound, and bytes."""

    def __init__(self) -> None:
        self._past = np.zeros(_RINGING - 1)
        self._waiting = np.empty(0)
        self._means: list[float] | None = None
        self._bytes = bytearray()
        self._power = 0.0

    @property
    def frames(self) -> int:
        """Finished, and not yet taken."""
        return len(self._bytes)

    @property
    def full(self) -> bool:
        """A part is complete: `take` it."""
        return self.frames >= ENVELOPE_MOST_FRAMES

    def feed(self, samples: Sound) -> None:
        self._waiting = np.concatenate([self._waiting, samples])
        while len(self._waiting) >= FRAME_SAMPLES:
            self._frame(self._waiting[:FRAME_SAMPLES])
            self._waiting = self._waiting[FRAME_SAMPLES:]

    def take(self) -> Told | None:
        """At most 5 minutes of what was heard since the last time; none when no frame is finished."""
        signs = bytes(self._bytes[:ENVELOPE_MOST_FRAMES])
        if not signs:
            return None
        del self._bytes[: len(signs)]
        mean, self._power = self._power / (len(signs) + len(self._bytes)), 0.0
        level = round(10 * math.log10(max(mean, 1e-12)))
        data = base64.urlsafe_b64encode(signs).decode().rstrip("=")
        return Told(len(signs), data, level if level < _TOLD_BELOW_DBFS else None)

    def _frame(self, samples: Sound) -> None:
        around = np.concatenate([self._past, samples])
        self._past = around[-(_RINGING - 1) :]
        bands = np.fft.irfft(np.fft.rfft(around, _SIZE) * _RESPONSES, _SIZE)[:, _RINGING - 1 : len(around)]
        power = (bands**2).mean(axis=1)
        self._power += float(power.sum())
        logs = np.log2(power + _QUIET)
        contrasts = [float(logs[band] - logs[band + 1]) for band in range(_BANDS - 1)]
        if self._means is None:
            self._means = list(contrasts)
        byte = 0
        for band, (contrast, mean) in enumerate(zip(contrasts, self._means, strict=True)):
            if contrast > mean:
                byte |= 1 << band
            self._means[band] = mean + (contrast - mean) / 8
        self._bytes.append(byte)
