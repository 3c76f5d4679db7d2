"""What was done to a recording on its way to the horns, in numbers that a page can say in words."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from broadcasts.audio.pcm import Pcm
from broadcasts.audio.silence import Windows


@dataclass(frozen=True)
class Mastering:
    """Silence cut away at both ends, in milliseconds; the gain; the most that the limiter took away in dB, and in how
    many of a hundred windows of 20 ms it took something. `original_true_peak_dbtp`: of the upload, as mono."""

    trimmed_start_ms: int
    trimmed_end_ms: int
    gain_db: float
    limited_db: float
    limited_percent: float
    original_true_peak_dbtp: float = -99.0

    @classmethod
    def of(cls, whole: Pcm, speech: Pcm, windows: Windows, gain_db: float, limiter_dbfs: float) -> Mastering:
        """`windows` of `speech`, which is a part of `whole`."""
        threshold = 10 ** ((limiter_dbfs - gain_db) / 20)
        highest = float(windows.peaks.max()) if windows.peaks.size else 0.0
        above = float(np.mean(windows.peaks > threshold)) if windows.peaks.size else 0.0
        return cls(
            trimmed_start_ms=(speech.start - whole.start) * 1000 // whole.rate,
            trimmed_end_ms=(whole.end - speech.end) * 1000 // whole.rate,
            gain_db=round(gain_db, 1),
            limited_db=round(max(20 * math.log10(highest / threshold), 0.0), 1) if highest else 0.0,
            limited_percent=round(100 * above, 1),
        )
