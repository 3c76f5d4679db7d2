"""Whether ten seconds of sound are those of a file, and where: GCC-PHAT, which looks at phases alone. Pure.

Noise, a horn's colour and an echo leave the phases of most frequencies where they were in time, so that one instant
stands out; a stranger, even of the same voice, has none.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from broadcasts.audio.envelope import HIGHEST_HZ, LOWEST_HZ, RATE

SURE, UNSURE = 18.0, 12.0
"""Peak over spread. `python -m tests.bench heard`: a clip at Opus 8 kbit/s from a pole at 0 dB and more, with echo,
reverberation and a clock 100 ppm off, read 23 and more, the same voice with another text 10 and less."""
AROUND_MS = 3_000
"""How far from where the unit believes it the clip is looked for."""
LEAST_MS, MOST_S = 2_000, 11.0
"""Of a clip. The contract says 10 s; what is longer is none."""

Signal = NDArray[np.float64]


def located(clip: Signal, around: Signal) -> tuple[float, int]:
    """Peak of the correlation in units of its spread, and the sample of `around` at which `clip` begins; both at 8 kHz.

    `around` must be the longer one. (0.0, 0) when one of them is silent.
    """
    size = 1 << (len(clip) + len(around) - 1).bit_length()
    cross = np.fft.rfft(around, size) * np.conj(np.fft.rfft(clip, size))
    frequency = np.fft.rfftfreq(size, 1 / RATE)
    strength = np.abs(cross)
    used = (frequency >= LOWEST_HZ) & (frequency <= HIGHEST_HZ) & (strength > 1e-9 * max(float(strength.max()), 1e-9))
    if not used.any():
        return 0.0, 0
    phases = np.zeros_like(cross)
    phases[used] = cross[used] / strength[used]
    found = np.fft.irfft(phases, size)[: max(len(around) - len(clip), 0) + 1]
    spread = float(np.sqrt(used.sum() / 2) * 2 / size)  # of noise: that many unit phases of chance
    at = int(np.abs(found).argmax())
    return float(abs(found[at])) / spread, at
