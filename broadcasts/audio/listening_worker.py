"""The child's side of `listening`: `python -m broadcasts.audio.listening_worker`, job on standard input.

Job: `kind`, `source`, `demuxer`, and `out` (envelope) or `clip`, `offset_ms` (clip).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import av.logging
import av.subtitles.stream  # PyAV loads it late, when memory is bounded already
import numpy as np
from numpy.typing import NDArray

from broadcasts.audio import child
from broadcasts.audio.chain import OPUS, Limits
from broadcasts.audio.correlation import AROUND_MS, LEAST_MS, MOST_S, located
from broadcasts.audio.decode import Tally, frames, opened
from broadcasts.audio.envelope import RATE, AssetEnvelope
from broadcasts.audio.graph import Row, Shape
from broadcasts.audio.hearing import Why
from broadcasts.errors import Refused

Signal = NDArray[np.float64]
_MONO = ("aformat", "sample_fmts=flt:channel_layouts=mono")


def listen(job: dict[str, Any], limits: Limits) -> dict[str, Any]:
    """Raises Refused as decoding does."""
    av.logging.set_level(None)
    source, demuxer = Path(job["source"]), str(job["demuxer"])
    if job["kind"] == "envelope":
        Path(job["out"]).write_bytes(AssetEnvelope.of(samples(source, demuxer, limits)).to_bytes())
        return {}
    return _place(Path(job["clip"]), source, demuxer, int(job["offset_ms"]), limits)


def samples(source: Path, demuxer: str, limits: Limits) -> Iterator[Signal]:
    """Mono at 8 kHz in -1 to 1, piece by piece."""
    row: Row | None = None
    with opened(source, demuxer, limits) as (container, stream):
        for frame in frames(container, stream, demuxer, limits, Tally()):
            row = row or Row(Shape.of(frame), (("aresample", str(RATE)), _MONO))
            for done in row.push(frame):
                yield done.to_ndarray().reshape(-1).astype(np.float64)
        assert row is not None
        for done in row.finish():
            yield done.to_ndarray().reshape(-1).astype(np.float64)


def _place(path: Path, source: Path, demuxer: str, offset_ms: int, limits: Limits) -> dict[str, Any]:
    told = {"why": None, "score": 0.0, "lag_ms": 0}
    try:
        short = replace(limits, max_seconds=MOST_S, codecs=("opus", "libopus"))
        clip = np.concatenate(list(samples(path, OPUS.container, short)))
    except Refused:
        return told | {"why": Why.UNREADABLE}
    if len(clip) < RATE * LEAST_MS // 1000:
        return told | {"why": Why.TOO_SHORT}
    begin = max(0, offset_ms - AROUND_MS) * RATE // 1000
    end = (offset_ms + AROUND_MS) * RATE // 1000 + len(clip)
    around = _between(samples(source, demuxer, limits), begin, end)
    if len(around) <= len(clip) // 2:
        return told | {"why": Why.ELSEWHERE}
    around = np.concatenate([around, np.zeros(max(0, end - begin - len(around)))])
    score, at = located(clip, around)
    return told | {"score": round(score, 1), "lag_ms": round((begin + at) * 1000 / RATE) - offset_ms}


def _between(stream: Iterator[Signal], begin: int, end: int) -> Signal:
    kept, passed = [np.empty(0)], 0
    for piece in stream:
        kept.append(piece[max(0, begin - passed) : max(0, end - passed)])
        passed += len(piece)
        if passed >= end:
            break
    return np.concatenate(kept)


if __name__ == "__main__":
    child.serve(listen)
