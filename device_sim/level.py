"""Is there sound in what a stream brings? Judged from the bytes alone: decoders belong to the controller's side.

Uncompressed audio is measured against the -50 dBFS of the contract. Of compressed audio only the rate is looked at:
Opus and other codecs of variable rate fall to a few hundred bytes a second in silence; one of constant rate (most MP3)
goes on at full rate, and its silence is not noticed here. A box that decodes notices it.
"""

from __future__ import annotations

import sys
import threading
from array import array
from collections import deque
from enum import StrEnum

WINDOW_S = 1.0
QUIET_SQUARE = (32_768 * 10 ** (-50 / 20)) ** 2
"""Mean square of 16-bit samples at -50 dBFS."""
BUSY_BYTES_S = 1_500
"""12 kbit/s: below the leanest speech codec of a station, above what silence costs."""
HEAD_MOST = 65_536
"""A WAV file names its format before that."""


class Kind(StrEnum):
    WAV = "wav"
    BIG_ENDIAN = "l16"
    COMPRESSED = "compressed"


KINDS = {
    "audio/wav": Kind.WAV,
    "audio/x-wav": Kind.WAV,
    "audio/wave": Kind.WAV,
    "audio/l16": Kind.BIG_ENDIAN,
    "audio/mpeg": Kind.COMPRESSED,
    "audio/ogg": Kind.COMPRESSED,
    "audio/opus": Kind.COMPRESSED,
    "application/ogg": Kind.COMPRESSED,
    "audio/aac": Kind.COMPRESSED,
    "audio/aacp": Kind.COMPRESSED,
}
"""What counts as audio, by content type. Playlists do not, whatever they are called."""


class NotAudio(ValueError):
    """The body is not what its content type says."""


class Meter:
    """Keeps a second of numbers, and no sound. Fed by one thread, asked by another. Instants are monotonic seconds."""

    def __init__(self, kind: Kind) -> None:
        self._kind = kind
        self._head: bytearray | None = bytearray() if kind is Kind.WAV else None
        """What came before the samples of a WAV file."""
        self._odd = b""
        self._window: deque[tuple[float, int, int, int]] = deque()
        """When, sum of squares, samples, bytes."""
        self._lock = threading.Lock()

    def feed(self, data: bytes, now: float) -> None:
        """Raises NotAudio."""
        if self._head is not None:
            data = self._after_head(data)
        square, count = (0, 0) if self._kind is Kind.COMPRESSED else self._measure(data)
        with self._lock:
            self._window.append((now, square, count, len(data)))
            self._forget(now)

    def sounding(self, now: float) -> bool:
        with self._lock:
            self._forget(now)
            square, count, size = (sum(each[n] for each in self._window) for n in (1, 2, 3))
        if self._kind is Kind.COMPRESSED:
            return size >= BUSY_BYTES_S * WINDOW_S
        return count > 0 and square / count > QUIET_SQUARE

    def _forget(self, now: float) -> None:
        while self._window and self._window[0][0] <= now - WINDOW_S:
            self._window.popleft()

    def _measure(self, data: bytes) -> tuple[int, int]:
        data = self._odd + data
        even = len(data) // 2 * 2
        self._odd = data[even:]
        samples = array("h", data[:even])
        if (self._kind is Kind.BIG_ENDIAN) == (sys.byteorder == "little"):
            samples.byteswap()
        return sum(sample * sample for sample in samples), len(samples)

    def _after_head(self, data: bytes) -> bytes:
        assert self._head is not None
        self._head += data
        head = bytes(self._head)
        if head[:4] != b"RIFF"[: len(head)] or len(head) > HEAD_MOST:
            raise NotAudio("no WAV file")
        at = 12
        while at + 8 <= len(head):
            name, size = head[at : at + 4], int.from_bytes(head[at + 4 : at + 8], "little")
            if name == b"data":
                self._head = None
                return head[at + 8 :]
            if name == b"fmt " and len(head) >= at + 24 and (head[at + 8 : at + 10], head[at + 22]) != (b"\1\0", 16):
                raise NotAudio("not 16-bit PCM")
            at += 8 + size + size % 2
        return b""
