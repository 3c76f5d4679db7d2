"""The child process that joins what was spoken: `python -m broadcasts.audio.spoken`, job on standard input.

Job: `pieces` (each `source`, `demuxer`, `pause_ms`) and `out`, the WAV to write. Answer: `seconds`.
"""

from __future__ import annotations

import wave
from pathlib import Path
from typing import Any

import av.logging
import av.subtitles.stream  # PyAV loads it late, when memory is bounded already
import numpy as np

from broadcasts.audio import child
from broadcasts.audio.chain import WORK_RATE, Limits
from broadcasts.audio.decode import Tally, frames, opened
from broadcasts.audio.graph import Row, Shape, frame_of
from broadcasts.audio.join import MOST_SECONDS, join
from broadcasts.audio.mix import Mix
from broadcasts.audio.pcm import Pcm
from broadcasts.audio.silence import Windows, trimmed
from broadcasts.errors import Refused

_FADE_MS = 3
_FLOAT = ("aformat", "sample_fmts=flt")


def together(job: dict[str, Any], limits: Limits) -> dict[str, Any]:
    """Raises Refused as uploads do, and "audio.too_long", "audio.silent"."""
    av.logging.set_level(None)
    out = Path(job["out"])
    parts: list[bytes] = []
    samples = 0
    for piece in job["pieces"]:
        part = _decoded(Path(piece["source"]), piece["demuxer"], limits, out.with_name("piece.pcm"))
        last = piece is job["pieces"][-1]
        part += b"" if last else bytes(2 * (WORK_RATE * int(piece["pause_ms"]) // 1000))
        samples += len(part) // 2
        if samples > MOST_SECONDS * WORK_RATE:
            raise Refused("audio.too_long", limit_minutes=MOST_SECONDS // 60)
        parts.append(part)
    if not any(map(any, parts)):
        raise Refused("audio.silent")
    sound = join(parts, WORK_RATE, fade_ms=_FADE_MS)
    with wave.open(str(out), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(WORK_RATE)
        file.writeframes(sound)
    return {"seconds": len(sound) / 2 / WORK_RATE}


def _decoded(source: Path, demuxer: str, limits: Limits, work: Path) -> bytes:
    row: Row | None = None
    tally = Tally()
    with opened(source, demuxer, limits) as (container, stream), work.open("wb") as raw:
        for block in Mix().mixed(frames(container, stream, demuxer, limits, tally)):
            row = row or Row(Shape("flt", "mono", tally.rate), (("aresample", str(WORK_RATE)), _FLOAT))
            for done in row.push(frame_of(block, "flt", tally.rate)):
                raw.write(done.to_ndarray().tobytes())
        for done in row.finish() if row is not None else ():
            raw.write(done.to_ndarray().tobytes())
    pcm = Pcm.whole(work, "flt", WORK_RATE)
    heard = np.frombuffer(trimmed(pcm, Windows.of(pcm)).read(), "<f4")
    sound: bytes = np.round(np.clip(heard, -1, 1) * 32767).astype("<i2").tobytes()
    return sound


if __name__ == "__main__":
    child.serve(together)
