"""The envelope of CONTRACT.md, section 12, as the controller computes it: of an asset, and of what a unit sent.

Nine biquads between 300 and 3,400 Hz (what a horn passes), the mean power of each in frames, the logarithm, the
difference between neighbouring bands, and of that whether it lies above its slow mean. The biquads are run in blocks:
each is one complex pole, so that a block is a product of matrices and the next block needs one number of the last.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Self

import numpy as np
from numpy.typing import NDArray

RATE = 8_000
"""Hz of the samples that come in."""
BANDS = 9
SIGNS = BANDS - 1
LOWEST_HZ, HIGHEST_HZ = 300.0, 3_400.0
FRAME_MS = 256
HOP_MS = 64
"""Of the asset we keep four rows a frame: a unit's frames lie anywhere between."""
HOPS = FRAME_MS // HOP_MS
HOP = RATE * HOP_MS // 1000
QUIETEST = 2.0**-40
"""Added to a mean power before its logarithm."""
SLOWNESS = 8
"""The slow mean takes an eighth of the way at each frame: 2 s."""

_BLOCK = 64
_AT_ONCE = 4 * RATE
"""A decoder gives 20 ms at a time: work on 4 s costs a tenth of that."""
_STEP_DB, _LEAST_DB = 0.5, -120.0
_KEPT = b"loa-envelope-1\n"
Signal = NDArray[np.float64]
Signs = NDArray[np.int8]
Levels = NDArray[np.uint8]


def biquads() -> Signal:
    """(BANDS, 3): b0, a1, a2 of y[n] = b0 (x[n] - x[n-2]) - a1 y[n-1] - a2 y[n-2], the lowest band first."""
    ratio = (HIGHEST_HZ / LOWEST_HZ) ** (1 / BANDS)
    centre = LOWEST_HZ * ratio ** (np.arange(BANDS) + 0.5)
    alpha = np.sin(2 * np.pi * centre / RATE) * (ratio**0.5 - ratio**-0.5) / 2
    a1 = -2 * np.cos(2 * np.pi * centre / RATE) / (1 + alpha)
    return np.stack([alpha / (1 + alpha), a1, (1 - alpha) / (1 + alpha)], axis=1)


class Bank:
    """The nine filters over a stream of samples. Keeps less than a block, whatever the length."""

    def __init__(self) -> None:
        b0, a1, a2 = biquads().T
        pole = -a1 / 2 + 1j * np.sqrt(a2 - a1**2 / 4)
        weight = b0 * (1 - pole**-2) / (1 - pole.conj() / pole)
        delay = np.arange(_BLOCK)[:, None] - np.arange(_BLOCK)[None, :]
        powers = pole[:, None] ** np.arange(_BLOCK + 1)
        tail = 2 * (weight[:, None] * powers).real
        within = np.where(delay >= 0, tail[:, np.maximum(delay, 0)], 0.0) + np.eye(_BLOCK) * (-b0 / a2)[:, None, None]
        self._within = within.transpose(2, 0, 1).reshape(_BLOCK, BANDS * _BLOCK)
        self._carry = 2 * weight[:, None] * powers[:, 1:]
        self._to_state = powers[:, _BLOCK - 1 :: -1].T[:_BLOCK]
        self._over = powers[:, _BLOCK]
        self._state = np.zeros(BANDS, complex)

    def run(self, samples: Signal) -> Signal:
        """(blocks, BANDS, block): of whole blocks of 64 samples, in order."""
        blocks = samples.reshape(-1, _BLOCK)
        given = blocks @ self._to_state
        before = np.empty_like(given)
        for at, step in enumerate(given):
            before[at] = self._state
            self._state = self._over * self._state + step
        direct: Signal = (blocks @ self._within).reshape(len(blocks), BANDS, _BLOCK)
        direct += (before[:, :, None] * self._carry[None]).real
        return direct


def powers(stream: Iterable[Signal]) -> Iterator[Signal]:
    """Mean power of each band, (hops, BANDS) at a time, of samples at 8 kHz in -1 to 1 that come in pieces of any
    length. What is left after the last whole hop of 64 ms is dropped."""
    bank, waiting, length = Bank(), [np.empty(0)], 0
    for piece in chain(stream, [None]):
        if piece is not None:
            waiting.append(piece)
            length += len(piece)
            if length < _AT_ONCE:
                continue
        samples = np.concatenate(waiting).astype(np.float64)
        whole = len(samples) // HOP * HOP
        waiting, length = [samples[whole:]], len(samples) - whole
        if whole:
            out = bank.run(samples[:whole])
            yield np.mean(out.reshape(-1, HOP // _BLOCK, BANDS, _BLOCK) ** 2, axis=(1, 3))


@dataclass(frozen=True)
class AssetEnvelope:
    """`levels`: (hops, BANDS), a row every 64 ms from the begin of the asset, in steps of 0.5 dB above -120 dBFS."""

    levels: Levels

    @classmethod
    def of(cls, stream: Iterable[Signal]) -> Self:
        """Of samples at 8 kHz in -1 to 1, in pieces of any length."""
        rows = [_levels(each) for each in powers(stream)]
        return cls(np.concatenate(rows) if rows else np.empty((0, BANDS), np.uint8))

    @property
    def duration_ms(self) -> int:
        return len(self.levels) * HOP_MS

    @property
    def power(self) -> Signal:
        """(hops, BANDS)."""
        return np.asarray(10 ** ((self.levels * _STEP_DB + _LEAST_DB) / 10), np.float64)

    def to_bytes(self) -> bytes:
        """To keep: 141 bytes a second."""
        return _KEPT + self.levels.tobytes()

    @classmethod
    def from_bytes(cls, kept: bytes) -> Self:
        """Raises ValueError when another version wrote it: compute it again."""
        body = kept.removeprefix(_KEPT)
        if len(body) == len(kept) or len(body) % BANDS:
            raise ValueError("no envelope of this version")
        return cls(np.frombuffer(body, np.uint8).reshape(-1, BANDS))


def _levels(power: Signal) -> Levels:
    decibels = 10 * np.log10(power + 10 ** (_LEAST_DB / 10))
    return np.clip(np.round((decibels - _LEAST_DB) / _STEP_DB), 0, 255).astype(np.uint8)


def contrasts(frame_power: Signal, floor: Signal | float = QUIETEST) -> Signal:
    """(..., SIGNS): log2 of a band against its upper neighbour, of mean powers (..., BANDS)."""
    logs = np.log2(frame_power + floor)
    return np.asarray(logs[..., :-1] - logs[..., 1:], np.float64)


def signs_of(samples: Signal) -> bytes:
    """The packed envelope of samples at 8 kHz, one byte a frame of 256 ms: what a unit has to send."""
    rows = list(powers([samples]))
    hops = np.concatenate(rows) if rows else np.empty((0, BANDS))
    frames = hops[: len(hops) // HOPS * HOPS].reshape(-1, HOPS, BANDS).mean(axis=1)
    out, mean = bytearray(), None
    for contrast in contrasts(frames):
        mean = contrast if mean is None else mean
        out.append(int(sum(1 << band for band in range(SIGNS) if contrast[band] > mean[band])))
        mean = mean + (contrast - mean) / SLOWNESS
    return bytes(out)


def packed(signs: bytes) -> str:
    """As `data` of an envelope: base64url without padding."""
    return base64.urlsafe_b64encode(signs).rstrip(b"=").decode()


def unpacked(data: str, frames: int) -> Signs:
    """(frames, SIGNS) of -1 and 1. Raises ValueError when `data` is not `frames` bytes of base64url."""
    try:
        raw = base64.b64decode(data + "=" * (-len(data) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError("no base64url") from error
    if len(raw) != frames:
        raise ValueError(f"{len(raw)} bytes for {frames} frames")
    bits = np.unpackbits(np.frombuffer(raw, np.uint8)[:, None], axis=1, bitorder="little")
    return bits.astype(np.int8) * np.int8(2) - np.int8(1)
