"""How loud something is, how much gain it needs, and where its silence ends. Runs in the child process only."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from broadcasts.audio.chain import Chain, Limits
from broadcasts.audio.decode import Tally, frames, opened
from broadcasts.audio.graph import SILENCE_LUFS, Row, Shape, meter, through
from broadcasts.audio.pcm import Pcm

_ROUNDS = 4
_NEAR_LU = 0.1
_STEP_DB, _LEAST_SLOPE = 8.0, 0.15
_WINDOW_MS, _PAD_MS = 20, 150
_BELOW_SPEECH_DB, _FLOOR_DBFS = 35.0, -65.0


@dataclass(frozen=True)
class Measured:
    """`samples` at `rate` Hz, as a player would decode them."""

    lufs: float
    true_peak_dbtp: float
    samples: int
    rate: int


def gain_and_limit(gain_db: float, limiter_dbfs: float) -> tuple[tuple[str, str], ...]:
    """`latency=1` takes the limiter's look-ahead out again, so that no sample is lost."""
    limit = 10 ** (limiter_dbfs / 20)
    return (
        ("volume", f"{gain_db:.4f}dB"),
        ("alimiter", f"limit={limit:.5f}:attack=5:release=50:level=disabled:latency=1"),
    )


def loudness(pcm: Pcm, gain_db: float = 0.0, limiter_dbfs: float = 0.0) -> float:
    """Integrated LUFS of `pcm` after gain and limiter."""
    row = Row(
        Shape(pcm.kind, "mono", pcm.rate),
        (("aformat", "sample_fmts=flt"), *gain_and_limit(gain_db, limiter_dbfs), meter()),
    )
    for _ in through(pcm, row):
        pass
    return row.lufs


class Approach:
    """Where to put the gain next. The limiter eats part of every step, so the slope is learnt from step to step."""

    def __init__(self, gain_db: float, most_db: float) -> None:
        self.gain_db = min(gain_db, most_db)
        self._most = most_db
        self._before: tuple[float, float] | None = None
        self._slope = 1.0

    def move(self, found_lufs: float, aim_lufs: float) -> bool:
        """Learns what the present gain gave and takes the next step; False when there is none left to take."""
        if self._before and abs(self.gain_db - self._before[0]) > 0.01:
            slope = (found_lufs - self._before[1]) / (self.gain_db - self._before[0])
            self._slope = min(max(slope, _LEAST_SLOPE), 1.0)
        self._before = (self.gain_db, found_lufs)
        step = min(max((aim_lufs - found_lufs) / self._slope, -_STEP_DB), _STEP_DB)
        self.gain_db = min(self.gain_db + step, self._most)
        return abs(self.gain_db - self._before[0]) > 0.01


def gain_for(pcm: Pcm, chain: Chain) -> float | None:
    """dB to reach the chain's target, the limiter's and the encoder's losses made up for; None for silence."""
    aim = chain.target_lufs + chain.codec.loss_lu
    found = loudness(pcm)
    if found <= SILENCE_LUFS:
        return None
    approach = Approach(aim - found, chain.max_gain_db)
    for _ in range(_ROUNDS):
        found = loudness(pcm, approach.gain_db, chain.limiter_dbfs)
        if abs(aim - found) < _NEAR_LU or not approach.move(found, aim):
            break
    return approach.gain_db


def trimmed(pcm: Pcm) -> Pcm:
    """Without the silence before the first and after the last sound, 150 ms of it kept.

    Silent is what lies 35 dB below the loudest windows of the recording, at least -65 dBFS.
    """
    window = pcm.rate * _WINDOW_MS // 1000
    levels: list[float] = []
    for block in pcm.blocks():
        whole = block[: len(block) // window * window].reshape(-1, window).astype(np.float64)
        levels.extend(10 * np.log10(np.mean(whole**2, axis=1) + 1e-12))
    if not levels:
        return pcm
    threshold = max(float(np.percentile(levels, 95)) - _BELOW_SPEECH_DB, _FLOOR_DBFS)
    loud = np.flatnonzero(np.asarray(levels) > threshold)
    if not loud.size:
        return pcm
    pad = pcm.rate * _PAD_MS // 1000
    start = max(int(loud[0]) * window - pad, 0)
    end = (int(loud[-1]) + 1) * window + pad
    # The last window may be incomplete and was not looked at: what is that near the end stays.
    return pcm.part(start, pcm.samples if end + window > pcm.samples else end)


def measured(path: Path, demuxer: str, limits: Limits) -> Measured:
    """A finished file, decoded again from its first byte to its last."""
    tally = Tally()
    with opened(path, demuxer, limits) as (container, stream):
        row: Row | None = None
        rate = stream.rate
        for frame in frames(container, stream, demuxer, limits, tally):
            row = row or Row(Shape.of(frame), (("aformat", "sample_fmts=flt"), meter(peak=True)))
            rate = frame.sample_rate
            for _ in row.push(frame):
                pass
        assert row is not None
        for _ in row.finish():
            pass
    return Measured(row.lufs, row.true_peak_dbtp, tally.samples, rate)


def decibels(ratio: float) -> float:
    """Of an energy ratio."""
    return 10 * math.log10(ratio) if ratio > 0 else -math.inf
