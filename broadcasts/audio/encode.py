"""Writing the file that poles fetch. Runs in the child process only. The same samples give the same bytes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from av.audio.stream import AudioStream

from broadcasts.audio.chain import Codec
from broadcasts.audio.graph import Row, Shape, through
from broadcasts.audio.level import gain_and_limit
from broadcasts.audio.pcm import Pcm, Samples

PEAKS_PER_S = 20
MOST_PEAKS = 2_000


@dataclass(frozen=True)
class Encoded:
    """`samples` at the codec's rate: the one true length. `peaks`: see `peaks_of`."""

    samples: int
    peaks: bytes


def encode(pcm: Pcm, gain_db: float, limiter_dbfs: float, codec: Codec, out: Path) -> Encoded:
    """`pcm` at the codec's rate."""
    row = Row(
        Shape(pcm.kind, "mono", pcm.rate),
        (
            ("aformat", "sample_fmts=flt"),
            *gain_and_limit(gain_db, limiter_dbfs),
            ("aformat", "sample_fmts=s16"),
        ),
    )
    peaks = Peaks(codec.sample_rate)
    # Without bitexact an Ogg gets a random serial number, and with it another name each time.
    with av.open(str(out), "w", format=codec.container, options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream(codec.encoder, rate=codec.sample_rate, options=dict(codec.options))
        assert isinstance(stream, AudioStream)
        stream.layout = "mono"
        stream.bit_rate = codec.bitrate
        stream.codec_context.flags |= av.codec.context.Flags.bitexact
        for frame in through(pcm, row):
            peaks.add(frame.to_ndarray()[0])
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return Encoded(peaks.samples, peaks.packed())


class Peaks:
    """The picture of a recording: minimum and maximum of each twentieth of a second."""

    def __init__(self, rate: int) -> None:
        self.samples = 0
        self._window = rate // PEAKS_PER_S
        self._rest: Samples = np.zeros(0, np.int16)
        self._pairs: list[Samples] = []

    def add(self, samples: Samples) -> None:
        self.samples += samples.size
        rest = np.concatenate((self._rest, samples))
        whole = rest.size // self._window * self._window
        self._rest = rest[whole:]
        self._pairs.extend(_lowest_highest(rest[:whole].reshape(-1, self._window)))

    def packed(self) -> bytes:
        """Pairs (minimum, maximum) of signed bytes, in order; neighbours merged until at most 2,000 are left."""
        pairs = [*self._pairs, *(_lowest_highest(self._rest.reshape(1, -1)) if self._rest.size else ())]
        together = -(-len(pairs) // MOST_PEAKS) or 1
        merged = (pairs[i : i + together] for i in range(0, len(pairs), together))
        return b"".join(_as_bytes(min(p[0] for p in some), max(p[1] for p in some)) for some in merged)


def _lowest_highest(windows: Samples) -> Iterator[Samples]:
    yield from np.stack((windows.min(axis=1), windows.max(axis=1)), axis=1)


def _as_bytes(low: int, high: int) -> bytes:
    return bytes(((int(low) >> 8) & 0xFF, (int(high) >> 8) & 0xFF))
