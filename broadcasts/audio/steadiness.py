"""Whether an ear may deny a file at all: of a siren or a tone, what lies between its bands is noise of the codec.

An envelope compares how neighbouring bands move against each other. Where they hardly move, signs are drawn by chance,
and what does not agree with them proves nothing. Speech moves by 2 dB and more; tones by less than 0.1.
"""

from __future__ import annotations

import numpy as np

from broadcasts.audio.envelope import AssetEnvelope

FLOOR = 0.03
"""Of a band's mean power: what lies lower drowns in any street."""
HOPS = 5
"""About one frame of an envelope."""
MOVES_DB = 1.0


def is_steady(sound: AssetEnvelope) -> bool:
    """Of the file as it was computed; one of less than a second is."""
    power = 10 ** (sound.levels.astype(np.float64) / 20 - 12)
    frames = len(power) // HOPS
    if frames < 4:
        return True
    mean = power[: frames * HOPS].reshape(frames, HOPS, -1).mean(axis=1)
    contrast = np.diff(10 * np.log10(mean + FLOOR * power.mean(axis=0) + 1e-12), axis=1)
    return float(np.median(contrast.std(axis=0))) < MOVES_DB
