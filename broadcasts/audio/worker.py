"""The child process that touches what strangers sent: `python -m broadcasts.audio.worker`, job on standard input.

Job: `source` and `out` (paths), `demuxer`, `chain`, `chime`, `cut`. Answer: the fields of `pipeline.Prepared` that only
it can know. Long recordings go through raw files in the job's folder, about 100 MB of memory whatever their length.
"""

from __future__ import annotations

import base64
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import av.logging
import av.subtitles.stream  # PyAV loads it late, when memory is bounded already

from broadcasts.audio import child
from broadcasts.audio.assemble import assembled, levelled
from broadcasts.audio.chain import WORK_RATE, Chain, Limits
from broadcasts.audio.chime import chime
from broadcasts.audio.decode import Tally, frames, opened
from broadcasts.audio.graph import METER, SILENCE_LUFS, Row, Shape, frame_of
from broadcasts.audio.level import gain_for, loudness
from broadcasts.audio.mastering import Mastering
from broadcasts.audio.mix import Mix
from broadcasts.audio.ogg_end import has_its_end
from broadcasts.audio.pcm import Pcm
from broadcasts.audio.settle import Settled, Settling
from broadcasts.audio.silence import Windows, excerpts, trimmed
from broadcasts.audio.truepeak import TruePeak
from broadcasts.errors import Refused

_GAP_MS = 400
_FLOAT = ("aformat", "sample_fmts=flt")


@dataclass(frozen=True)
class _Decoded:
    """`original_lufs` and the true peak as uploaded, mono; `lufs` after the filters."""

    pcm: Pcm
    lufs: float
    original_lufs: float
    original_true_peak_dbtp: float
    tally: Tally
    cancelled: bool
    damaged: bool


def prepare(job: dict[str, Any], limits: Limits) -> dict[str, Any]:
    """Decode, filter, level, join, encode, and decode again to see what came out."""
    av.logging.set_level(None)
    chain = Chain.from_json(job["chain"])
    source, out, demuxer = Path(job["source"]), Path(job["out"]), job["demuxer"]
    child.reach("decoding")
    decoded = _decode(source, demuxer, chain, limits, out.with_name("raw.pcm"), only_left=False)
    if decoded.cancelled:
        decoded = _decode(source, demuxer, chain, limits, decoded.pcm.path, only_left=True)
    warnings = [
        key
        for key, there in (
            ("audio.out_of_phase", decoded.cancelled),
            ("audio.truncated", decoded.tally.truncated),
            ("audio.damaged", decoded.damaged),
        )
        if there
    ]
    if decoded.pcm.seconds < limits.min_seconds:
        raise Refused("audio.too_short", limit_seconds=limits.min_seconds)
    if decoded.lufs <= SILENCE_LUFS:
        raise Refused("audio.silent")
    child.reach("levelling")
    windows = Windows.of(decoded.pcm)
    speech = trimmed(decoded.pcm, windows) if chain.trim_silence else decoded.pcm
    lufs = decoded.lufs
    if job.get("cut"):
        # Of the upload: what is cut may be a cut itself. Silence at its ends stays away, as in what somebody heard.
        before = speech.start - decoded.pcm.start
        since, until = (max(ms * speech.rate // 1000 - before, 0) for ms in job["cut"])
        speech = speech.part(min(since, speech.samples), max(since, until))
        lufs = loudness(speech)
    if speech.seconds < limits.min_seconds:
        raise Refused("audio.too_short", limit_seconds=limits.min_seconds)
    inside = windows.within(speech)
    if job["chime"]:
        done = _with_chime(speech, chain, out, limits)
    else:
        pieces = excerpts(speech, inside, out.parent)
        done = Settling(chain, out, limits).settled(speech, lufs, pieces)
    if done is None:
        raise Refused("audio.silent")
    found = done.found
    if abs(found.lufs - chain.target_lufs) > chain.tolerance_lu:
        warnings.append("audio.level_missed")
    if found.true_peak_dbtp > chain.ceiling_dbtp:
        warnings.append("audio.peaks_left")
    mastering = Mastering.of(decoded.pcm, speech, inside, done.setting.gain_db, done.setting.limiter_dbfs)
    return {
        "duration_ms": done.encoded.samples * 1000 // chain.codec.sample_rate,
        "loudness_lufs": round(found.lufs, 2),
        "true_peak_dbtp": found.true_peak_dbtp,
        "original_lufs": round(decoded.original_lufs, 2) if decoded.original_lufs > SILENCE_LUFS else None,
        "mastering": asdict(mastering) | {"original_true_peak_dbtp": decoded.original_true_peak_dbtp},
        "warnings": warnings,
        "peaks": base64.b64encode(done.encoded.peaks).decode(),
    }


def _decode(source: Path, demuxer: str, chain: Chain, limits: Limits, raw: Path, *, only_left: bool) -> _Decoded:
    tally, mix, peak = Tally(ends=demuxer != "ogg" or has_its_end(source)), Mix(only_left=only_left), TruePeak()
    with opened(source, demuxer, limits) as (container, stream), raw.open("wb") as out:
        filters = Row(
            Shape("flt", "mono", WORK_RATE),
            (*chain.filters, ("aresample", str(chain.codec.sample_rate)), METER, _FLOAT),
        )
        before: Row | None = None
        for block in mix.mixed(frames(container, stream, demuxer, limits, tally)):
            rate = tally.rate
            before = before or Row(Shape("flt", "mono", rate), (("aresample", str(WORK_RATE)), METER, _FLOAT))
            for plain in before.push(frame_of(block, "flt", rate)):
                peak.add(plain.to_ndarray()[0])
                for done in filters.push(plain):
                    out.write(done.to_ndarray().tobytes())
        assert before is not None
        for plain in before.finish():
            peak.add(plain.to_ndarray()[0])
            for done in filters.push(plain):
                out.write(done.to_ndarray().tobytes())
        for done in filters.finish():
            out.write(done.to_ndarray().tobytes())
    if mix.damaged > limits.max_bad_share * mix.samples:
        raise Refused("audio.broken")
    return _Decoded(
        Pcm.whole(raw, "flt", chain.codec.sample_rate),
        filters.lufs,
        before.lufs,
        peak.dbtp,
        tally,
        mix.cancelled or only_left,
        bool(tally.bad or mix.damaged),
    )


def _with_chime(speech: Pcm, chain: Chain, out: Path, limits: Limits) -> Settled | None:
    """Chime, gap, speech, each at the target."""
    bell = out.with_name("chime.pcm")
    bell.write_bytes(chime(speech.rate))
    gains = [(part, gain_for(part, chain, chain.target_lufs)) for part in (Pcm.whole(bell, "s16", speech.rate), speech)]
    parts = [
        levelled(part, gain, chain.limiter_dbfs, out.with_name(f"part{number}.pcm"))
        for number, (part, gain) in enumerate(gains)
        if gain is not None
    ]
    joined = assembled(parts, _GAP_MS, out.with_name("joined.pcm"), limits)
    return Settling(chain, out, limits).settled(joined, loudness(joined), None)


if __name__ == "__main__":
    child.serve(prepare)
