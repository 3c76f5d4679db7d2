"""A voice on its way to the horns: what mastering does to a recording, done to sound that has no end yet.

What comes in are bare samples, so nothing of anybody's is decoded here. The loudness of the whole is not known while it
is spoken: the gain is fixed, and a slow hand moves it by 6 dB at the most.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext

from broadcasts.audio.chain import OPUS, ORDINARY, WORK_RATE, Chain
from broadcasts.audio.graph import METER, SILENCE_LUFS, Row, Shape, frame_of
from broadcasts.audio.level import gain_and_limit
from broadcasts.audio.pcm import Samples

RATES = (16_000, 24_000, 32_000, 44_100, 48_000)
"""Hz at which browsers give a microphone's sound."""
BITRATE = 24_000
FRAME_MS, FRAMES = 20, 5
PACKET_MS = FRAME_MS * FRAMES
FIXED_DB = 8.0
"""A phone held before the mouth, its browser's own levelling on, gives about -24 LUFS after our filters. A guess."""
MOST_DB = 6.0
UP_DB_PER_S, DOWN_DB_PER_S = 1.5, 6.0
"""Whoever shouts is turned down before the limiter tears his words."""
OVERSHOOT_DB = 3.0
"""By so much the limiter stands lower than for recordings, whose peaks are measured after the encoder."""
SILENT_LUFS = -45.0
"""Below it nobody speaks: neither is the gain moved, nor does the time of silence end."""
_FRAME = OPUS.sample_rate * FRAME_MS // 1000


@dataclass(frozen=True)
class Level:
    """`lufs`: of the last 400 ms as they leave, -70 for silence. `gain_db`: of the slow hand. `silent_ms`: for how long
    nobody has spoken."""

    lufs: float
    gain_db: float
    silent_ms: int


class LiveChain:
    """Samples in, Opus frames of 20 ms out, in order and without a gap. Of one thread at a time."""

    def __init__(self, rate: int, chain: Chain = ORDINARY) -> None:
        """`rate`: one of `RATES`. `chain` gives filters, aim and limiter."""
        if rate not in RATES:
            raise ValueError(f"no rate of a microphone: {rate}")
        self._rate, self._aim = rate, chain.target_lufs
        start = Shape("s16", "mono", rate)
        to_work = (("aresample", str(WORK_RATE)),) if rate != WORK_RATE else ()
        self._shaping = Row(start, (*to_work, *chain.filters, ("aformat", "sample_fmts=flt")))
        self._meter = Row(Shape("flt", "mono", WORK_RATE), (METER,))
        self._limiting = Row(
            Shape("flt", "mono", WORK_RATE),
            (
                ("aresample", str(OPUS.sample_rate)),
                *gain_and_limit(0.0, chain.limiter_dbfs - OVERSHOOT_DB),
                ("aformat", "sample_fmts=s16"),
            ),
        )
        self._pen = Pen()
        self._momentary = SILENCE_LUFS
        self._ridden = 0.0
        self._silent = 0

    def push(self, samples: Samples) -> list[bytes]:
        """`samples`: mono, 16 bit, of any length. The frames that are whole now."""
        for frame in self._shaping.push(frame_of(samples.astype("<i2", copy=False), "s16", self._rate)):
            self._carry(frame.to_ndarray()[0])
        return self._pen.take()

    def finish(self) -> list[bytes]:
        """What is left, the last frame filled with silence."""
        for frame in self._shaping.finish():
            self._carry(frame.to_ndarray()[0])
        for frame in self._limiting.finish():
            self._pen.add(frame.to_ndarray()[0])
        return self._pen.finish()

    @property
    def level(self) -> Level:
        leaves = self._momentary + FIXED_DB + self._ridden if self._momentary > SILENCE_LUFS else SILENCE_LUFS
        return Level(round(leaves, 1), round(self._ridden, 1), self._silent * 1000 // WORK_RATE)

    def _carry(self, block: Samples) -> None:
        before = FIXED_DB + self._ridden
        self._weigh(block)
        ramp = 10 ** (np.linspace(before, FIXED_DB + self._ridden, block.size) / 20)
        louder = (block * ramp).astype(np.float32)
        for frame in self._limiting.push(frame_of(louder, "flt", WORK_RATE)):
            self._pen.add(frame.to_ndarray()[0])

    def _weigh(self, block: Samples) -> None:
        for _ in self._meter.push(frame_of(block, "flt", WORK_RATE)):
            self._momentary = _said(self._meter.metadata, "lavfi.r128.M")
        if self._momentary < SILENT_LUFS:
            self._silent += block.size
            return
        self._silent = 0
        short_term = _said(self._meter.metadata, "lavfi.r128.S")
        wanted = self._aim - FIXED_DB - max(short_term, SILENT_LUFS)
        seconds = block.size / WORK_RATE
        moved = self._ridden + float(np.clip(wanted - self._ridden, -DOWN_DB_PER_S * seconds, UP_DB_PER_S * seconds))
        self._ridden = float(np.clip(moved, -MOST_DB, MOST_DB))


class Pen:
    """Writes samples at `OPUS.sample_rate` as Opus frames of 20 ms."""

    def __init__(self) -> None:
        made: Any = av.CodecContext.create(OPUS.encoder, "w")
        assert isinstance(made, AudioCodecContext)
        made.sample_rate, made.layout, made.format = OPUS.sample_rate, "mono", "s16"
        made.bit_rate = BITRATE
        made.options = {"application": "voip", "vbr": "constrained", "frame_duration": str(FRAME_MS)}
        self._encoder = made
        self._rest: Samples = np.zeros(0, np.int16)
        self._done: list[bytes] = []

    def add(self, samples: Samples) -> None:
        rest = np.concatenate((self._rest, samples))
        while rest.size >= _FRAME:
            self._write(rest[:_FRAME])
            rest = rest[_FRAME:]
        self._rest = rest

    def take(self) -> list[bytes]:
        done, self._done = self._done, []
        return done

    def finish(self) -> list[bytes]:
        if self._rest.size:
            self._write(np.pad(self._rest, (0, _FRAME - self._rest.size)))
            self._rest = self._rest[:0]
        return self.take()

    def _write(self, samples: Samples) -> None:
        frame = frame_of(np.ascontiguousarray(samples), "s16", OPUS.sample_rate)
        self._done.extend(bytes(packet) for packet in self._encoder.encode(frame))


def _said(metadata: dict[str, str], name: str) -> float:
    found = float(metadata.get(name, SILENCE_LUFS))
    return max(found, SILENCE_LUFS) if found == found else SILENCE_LUFS  # no number is not itself
