"""Channels become one, and numbers that are no sound become silence. Runs in the child process only."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import numpy as np
from av import AudioFrame

from broadcasts.audio.pcm import Samples

_AT_ONCE = 16_384
_LOUDEST = 16.0
"""Of full scale, 24 dB above it: what a file of floats may hold, more is damage."""
_FAINTEST = 1e-15
"""Below it a processor counts numbers a hundred times slower, and nobody hears them."""
_CANCELLED_DB = -10.0
"""A sum that much weaker than its channels means that left and right cancel each other."""
_SCALES = {"u8": 128.0, "s16": 32_768.0, "s32": 2_147_483_648.0}


class Mix:
    """To mono, each channel at 1/n (FFmpeg's own way adds 3 dB to what two channels share); or the first alone."""

    def __init__(self, *, only_left: bool = False) -> None:
        self.damaged = 0
        """Samples that were no number, or beyond anything."""
        self.samples = 0
        self._only_left = only_left
        self._alone = self._together = 0.0

    def mixed(self, frames: Iterable[AudioFrame]) -> Iterator[Samples]:
        """Blocks of mono floats. All frames have one shape."""
        waiting: list[Samples] = []
        count = 0
        for frame in frames:
            waiting.append(by_channel(frame))
            count += frame.samples
            if count >= _AT_ONCE:
                yield self._mono(np.concatenate(waiting, axis=1))
                waiting, count = [], 0
        if waiting:
            yield self._mono(np.concatenate(waiting, axis=1))

    @property
    def cancelled(self) -> bool:
        """Whether the channels took each other away."""
        if self._only_left or not self._alone:
            return False
        return not self._together or 10 * math.log10(self._together / self._alone) < _CANCELLED_DB

    def _mono(self, rows: Samples) -> Samples:
        rows, energy = self._sound(rows)
        self.samples += rows.size
        mono: Samples
        if len(rows) == 1:
            mono = rows[0]
            return mono
        mono = rows[0].copy() if self._only_left else rows.sum(axis=0) * np.float32(1 / len(rows))
        self._alone += energy / len(rows)
        self._together += float(np.vdot(mono, mono))
        return mono

    def _sound(self, rows: Samples) -> tuple[Samples, float]:
        """Only numbers, and what they weigh."""
        with np.errstate(over="ignore", invalid="ignore"):
            energy = float(np.vdot(rows, rows))
            quiet_enough = bool(rows.max() <= _LOUDEST and rows.min() >= -_LOUDEST)
            if quiet_enough and energy > rows.size * _FAINTEST**2:
                return rows, energy
            wrong = ~(np.abs(rows) <= _LOUDEST)
        self.damaged += int(np.count_nonzero(wrong))
        rows = np.where(wrong | (np.abs(rows) < _FAINTEST), np.float32(0), rows)
        return rows, float(np.vdot(rows, rows))


def by_channel(frame: AudioFrame) -> Samples:
    """The frame's samples as 32-bit floats, full scale at 1, one row a channel."""
    found: Samples = frame.to_ndarray()
    if not frame.format.is_planar:
        found = found.reshape(-1, frame.layout.nb_channels).T
    scale = _SCALES.get(frame.format.name.removesuffix("p"))
    with np.errstate(over="ignore", invalid="ignore"):
        samples: Samples = np.ascontiguousarray(found, np.float32)
    if scale is None:
        return samples
    return (samples - 128 if frame.format.name.startswith("u8") else samples) * np.float32(1 / scale)
