"""Levelled parts become one programme: parts and gaps, exact to the sample. Runs in the child process only."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from broadcasts.audio.chain import Limits
from broadcasts.audio.graph import Row, Shape, through
from broadcasts.audio.join import MOST_SECONDS, join
from broadcasts.audio.level import gain_and_limit
from broadcasts.audio.pcm import Pcm
from broadcasts.errors import Refused


def levelled(pcm: Pcm, gain_db: float, limiter_dbfs: float, path: Path) -> Pcm:
    """16-bit samples after gain and limiter."""
    filters = (("aformat", "sample_fmts=flt"), *gain_and_limit(gain_db, limiter_dbfs), ("aformat", "sample_fmts=s16"))
    with path.open("wb") as out:
        for frame in through(pcm, Row(Shape(pcm.kind, "mono", pcm.rate), filters)):
            out.write(frame.to_ndarray().tobytes())
    return Pcm.whole(path, "s16", pcm.rate)


def assembled(parts: Sequence[Pcm], gap_ms: int, path: Path, limits: Limits) -> Pcm:
    """One after the other with `gap_ms` of silence between them. What is short goes through the editing layer, which
    holds it in memory; what is long is copied through the disk.

    Raises Refused audio.too_long.
    """
    seconds = sum(part.seconds for part in parts) + (len(parts) - 1) * gap_ms / 1000
    if seconds > limits.max_seconds + MOST_SECONDS:
        raise Refused("audio.too_long", limit_minutes=round(limits.max_seconds / 60))
    rate = parts[0].rate
    with path.open("wb") as out:
        if sum(part.seconds for part in parts) <= MOST_SECONDS:
            out.write(join([part.read() for part in parts], rate, gap_ms=gap_ms))
        else:
            for position, part in enumerate(parts):
                out.write(bytes(2 * (rate * gap_ms // 1000) if position else 0))
                for block in part.blocks():
                    out.write(block.tobytes())
    return Pcm.whole(path, "s16", rate)
