"""The child's side of `recoding`: a finished file decoded and written anew in another codec, as loud as it was."""

from __future__ import annotations

import base64
from dataclasses import replace
from pathlib import Path
from typing import Any

import av

from broadcasts.audio import child
from broadcasts.audio.chain import Chain, Limits
from broadcasts.audio.decode import Tally, frames, opened
from broadcasts.audio.encode import Encoded, encode
from broadcasts.audio.graph import SILENCE_LUFS, Row, Shape
from broadcasts.audio.level import Approach, Measured, measured
from broadcasts.audio.pcm import Pcm
from broadcasts.audio.settle import as_played
from broadcasts.errors import Refused

_TRIES = 4
NEAR_LU = 0.2
"""So near to the first file the second one is, where the peak allows it."""


def recode(job: dict[str, Any], limits: Limits) -> dict[str, Any]:
    """Raises Refused audio.silent, audio.broken and those of decoding; Fault audio.worker."""
    av.logging.set_level(None)
    chain, source, out = Chain.from_json(job["chain"]), Path(job["source"]), Path(job["out"])
    lufs = measured(source, job["demuxer"], limits).lufs
    if lufs <= SILENCE_LUFS:
        raise Refused("audio.silent")
    pcm = _decoded(source, job["demuxer"], chain.codec.sample_rate, limits, out.with_name("raw.pcm"))
    encoded, found = _encoded(pcm, lufs, chain, out, limits)
    return {
        "duration_ms": encoded.samples * 1000 // chain.codec.sample_rate,
        "loudness_lufs": round(found.lufs, 2),
        "true_peak_dbtp": round(found.true_peak_dbtp, 2),
        "peaks": base64.b64encode(encoded.peaks).decode(),
    }


def _decoded(source: Path, demuxer: str, rate: int, limits: Limits, raw: Path) -> Pcm:
    row: Row | None = None
    with opened(source, demuxer, limits) as (container, stream), raw.open("wb") as out:
        for frame in frames(container, stream, demuxer, limits, Tally()):
            row = row or Row(Shape.of(frame), (("aresample", str(rate)), _MONO))
            for done in row.push(frame):
                out.write(done.to_ndarray().tobytes())
        assert row is not None
        for done in row.finish():
            out.write(done.to_ndarray().tobytes())
    return Pcm.whole(raw, "flt", rate)


_MONO = ("aformat", "sample_fmts=flt:channel_layouts=mono")


def _encoded(pcm: Pcm, lufs: float, chain: Chain, out: Path, limits: Limits) -> tuple[Encoded, Measured]:
    approach, limiter = Approach(0.0, chain.max_gain_db), chain.limiter_dbfs
    for left in reversed(range(_TRIES)):
        encoded = encode(pcm, approach.gain_db, limiter, chain.codec, out)
        found = measured(out, chain.codec.container, replace(limits, max_seconds=limits.max_seconds + 60))
        above = found.true_peak_dbtp - chain.ceiling_dbtp
        too_far = abs(found.lufs - lufs) > NEAR_LU
        if not left or (above <= 0 and not (too_far and approach.move(found.lufs, lufs))):
            break
        limiter -= above + 0.1 if above > 0 else 0
    return as_played(encoded, found, chain.codec), found


if __name__ == "__main__":
    child.serve(recode)
