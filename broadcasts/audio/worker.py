"""The child process that touches what strangers sent: `python -m broadcasts.audio.worker`, job on standard input.

Job: `source` and `out` (paths), `demuxer`, `chain`, `chime`, `cut`. Answer: the fields of `pipeline.Prepared` that only
it can know. Long recordings go through raw files in the job's folder, about 60 MB of memory whatever their length.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import av.logging
import av.subtitles.stream  # PyAV loads it late, when memory is bounded already
import numpy as np

from broadcasts.audio import child
from broadcasts.audio.chain import WORK_RATE, Chain, Limits
from broadcasts.audio.chime import chime
from broadcasts.audio.decode import Tally, by_channel, frames, opened
from broadcasts.audio.encode import Encoded, encode
from broadcasts.audio.graph import SILENCE_LUFS, Filters, Row, Shape, meter, through
from broadcasts.audio.join import join
from broadcasts.audio.level import Approach, Measured, decibels, gain_and_limit, gain_for, measured, trimmed
from broadcasts.audio.pcm import Pcm
from broadcasts.errors import Fault, Refused

_CANCELLED_DB = -10.0
"""A sum that much weaker than its channels means that left and right cancel each other."""
_CORRECTIONS = 2
_GAP_MS, _FADE_MS = 400, 10
_OPENING_S = 60
_FLOAT = ("aformat", "sample_fmts=flt")


@dataclass(frozen=True)
class _Decoded:
    pcm: Pcm
    lufs: float | None
    tally: Tally
    cancelled: bool


def prepare(job: dict[str, Any], limits: Limits) -> dict[str, Any]:
    """Decode, filter, level, join, encode, and decode again to see what came out."""
    av.logging.set_level(None)
    chain = Chain.from_json(job["chain"])
    source, out, demuxer = Path(job["source"]), Path(job["out"]), job["demuxer"]
    raw = out.with_name("raw.pcm")
    child.reach("decoding")
    decoded = _decode(source, demuxer, chain, limits, raw, only_left=False)
    warnings: list[str] = []
    if decoded.cancelled:
        warnings.append("audio.out_of_phase")
        decoded = _decode(source, demuxer, chain, limits, raw, only_left=True)
    if decoded.tally.truncated:
        warnings.append("audio.truncated")
    if decoded.tally.bad:
        warnings.append("audio.damaged")

    child.reach("levelling")
    speech = trimmed(decoded.pcm) if chain.trim_silence else decoded.pcm
    if job.get("cut"):
        # After the silence is gone: times are those of the recording that somebody saw and heard before he cut.
        since, until = (ms * speech.rate // 1000 for ms in job["cut"])
        speech = speech.part(min(since, speech.samples), until)
    gain = gain_for(speech, chain)
    if gain is None:
        raise Refused("audio.silent")
    if speech.seconds < limits.min_seconds:
        raise Refused("audio.too_short", limit_seconds=limits.min_seconds)
    if job["chime"]:
        speech, gain = _with_chime(speech, gain, chain, out.with_name("joined.pcm")), 0.0
    encoded, found = _encode(speech, gain, chain, out, limits)
    if abs(found.lufs - chain.target_lufs) > chain.tolerance_lu:
        warnings.append("audio.level_missed")
    return {
        "duration_ms": encoded.samples * 1000 // chain.codec.sample_rate,
        "loudness_lufs": round(found.lufs, 2),
        "true_peak_dbtp": round(found.true_peak_dbtp, 2),
        "original_lufs": None if decoded.lufs is None else round(decoded.lufs, 2),
        "warnings": warnings,
        "peaks": base64.b64encode(encoded.peaks).decode(),
    }


def _decode(source: Path, demuxer: str, chain: Chain, limits: Limits, raw: Path, *, only_left: bool) -> _Decoded:
    tally, alone, together = Tally(), 0.0, 0.0
    row: Row | None = None
    with opened(source, demuxer, limits) as (container, stream), raw.open("wb") as out:
        for frame in frames(container, stream, demuxer, limits, tally):
            channels = frame.layout.nb_channels
            if channels > 1:
                samples = by_channel(frame)
                alone += float(np.mean(samples**2)) * frame.samples
                together += float(np.sum(np.mean(samples, axis=0) ** 2))
            row = row or Row(Shape.of(frame), (*_to_mono(channels, only_left), *chain.filters, _FLOAT))
            for done in row.push(frame):
                out.write(done.to_ndarray().tobytes())
        assert row is not None
        for done in row.finish():
            out.write(done.to_ndarray().tobytes())
    cancelled = not only_left and alone > 0 and decibels(together / alone) < _CANCELLED_DB
    return _Decoded(Pcm.whole(raw, "flt"), row.lufs if row.lufs > SILENCE_LUFS else None, tally, cancelled)


def _to_mono(channels: int, only_left: bool) -> tuple[tuple[str, str], ...]:
    # FFmpeg's own down-mix adds 3 dB to what both channels share, so each gets its 1/n here.
    share = "c0" if only_left else "+".join(f"{1 / channels:.6f}*c{n}" for n in range(channels))
    return (
        ("aformat", "sample_fmts=fltp"),
        ("pan", f"mono|c0={share}"),
        ("aresample", str(WORK_RATE)),
        meter(),
    )


def _encode(pcm: Pcm, gain: float, chain: Chain, out: Path, limits: Limits) -> tuple[Encoded, Measured]:
    """Encodes, listens, and does it again when the codec took or added more than it usually does."""
    codec, limiter = chain.codec, chain.limiter_dbfs
    approach = Approach(gain, chain.max_gain_db)
    for left in reversed(range(_CORRECTIONS + 1)):
        child.reach("encoding")
        encoded = encode(pcm, approach.gain_db, limiter, codec, out)
        child.reach("checking")
        found = measured(out, codec.container, replace(limits, max_seconds=limits.max_seconds + 60))
        above = found.true_peak_dbtp - chain.ceiling_dbtp
        too_far = abs(chain.target_lufs - found.lufs) > chain.tolerance_lu / 2
        if not left or (above <= 0 and not (too_far and approach.move(found.lufs, chain.target_lufs))):
            break
        limiter -= above + 0.1 if above > 0 else 0
    if found.samples * codec.sample_rate != encoded.samples * found.rate:
        raise Fault("audio.worker", reason=f"{found.samples} samples decoded, {encoded.samples} written")
    return encoded, found


def _with_chime(speech: Pcm, gain: float, chain: Chain, joined: Path) -> Pcm:
    """Chime, gap, speech, each at the target. Only the opening goes through the editing layer, the rest is appended."""
    bell = joined.with_name("chime.pcm")
    bell.write_bytes(chime(WORK_RATE))
    chimed = Pcm.whole(bell, "s16")
    parts = [(chimed, gain_for(chimed, chain) or 0.0), (speech, gain)]
    levelled = [
        _rendered(part, dB, chain.limiter_dbfs, joined.with_name(f"part{n}.pcm")) for n, (part, dB) in enumerate(parts)
    ]
    bell_part, speech_part = levelled
    first = min(_OPENING_S * WORK_RATE, speech_part.samples)
    opening = join([bell_part.read(), speech_part.part(0, first).read()], WORK_RATE, gap_ms=_GAP_MS)
    with joined.open("wb") as out:
        out.write(opening)
        for block in speech_part.part(first, speech_part.samples).blocks():
            out.write(block.tobytes())
    return Pcm.whole(joined, "s16")


def _rendered(pcm: Pcm, gain: float, limiter: float, path: Path) -> Pcm:
    filters: Filters = (
        _FLOAT,
        *gain_and_limit(gain, limiter),
        ("aformat", "sample_fmts=s16"),
    )
    with path.open("wb") as out:
        for frame in through(pcm, Row(Shape(pcm.kind, "mono", pcm.rate), filters)):
            out.write(frame.to_ndarray().tobytes())
    return Pcm.whole(path, "s16")


if __name__ == "__main__":
    child.serve(prepare)
