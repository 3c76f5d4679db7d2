"""How loud something is, and how much gain it needs. Runs in the child process only."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from broadcasts.audio.chain import Chain, Limits
from broadcasts.audio.decode import Tally, frames, opened
from broadcasts.audio.graph import METER, SILENCE_LUFS, Row, Shape, frame_of, through
from broadcasts.audio.mix import Mix
from broadcasts.audio.pcm import Pcm
from broadcasts.audio.truepeak import TruePeak

_ROUNDS = 4
_NEAR_LU = 0.1
_STEP_DB, _LEAST_SLOPE = 8.0, 0.15
_LEAST_LIMIT = 0.0625


@dataclass(frozen=True)
class Measured:
    """`samples` at `rate` Hz, as a player would decode them."""

    lufs: float
    true_peak_dbtp: float
    samples: int
    rate: int


def gain_and_limit(gain_db: float, limiter_dbfs: float) -> tuple[tuple[str, str], ...]:
    """`latency=1` takes the limiter's look-ahead out again, so that no sample is lost. Below -24 dBFS it cannot go:
    what has peaks all the same is told as such."""
    limit = max(10 ** (limiter_dbfs / 20), _LEAST_LIMIT)
    return (
        ("volume", f"{gain_db:.4f}dB"),
        ("alimiter", f"limit={limit:.5f}:attack=5:release=50:level=disabled:latency=1"),
    )


def loudness(pcm: Pcm, gain_db: float | None = None, limiter_dbfs: float = 0.0) -> float:
    """Integrated LUFS of `pcm` as it is, or after gain and limiter."""
    between = () if gain_db is None else gain_and_limit(gain_db, limiter_dbfs)
    row = Row(Shape(pcm.kind, "mono", pcm.rate), (("aformat", "sample_fmts=flt"), *between, METER))
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


def gain_for(pcm: Pcm, chain: Chain, target_lufs: float) -> float | None:
    """dB to bring `pcm` to the target, the limiter's and the encoder's losses made up for; None for silence."""
    aim = target_lufs + chain.codec.loss_lu
    found = loudness(pcm)
    if found <= SILENCE_LUFS:
        return None
    approach = Approach(aim - found, chain.max_gain_db)
    for _ in range(_ROUNDS):
        found = loudness(pcm, approach.gain_db, chain.limiter_dbfs)
        if abs(aim - found) < _NEAR_LU or not approach.move(found, aim):
            break
    return approach.gain_db


def measured(path: Path, demuxer: str, limits: Limits) -> Measured:
    """A finished file, decoded again from its first byte to its last."""
    tally, peak = Tally(), TruePeak()
    with opened(path, demuxer, limits) as (container, stream):
        row = Row(Shape("flt", "mono", stream.rate), (METER,))
        for block in Mix().mixed(frames(container, stream, demuxer, limits, tally)):
            peak.add(block)
            for _ in row.push(frame_of(block, "flt", stream.rate)):
                pass
        for _ in row.finish():
            pass
    return Measured(row.lufs, peak.dbtp, tally.samples, stream.rate)
