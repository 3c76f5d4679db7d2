"""Where sound begins and ends, and which parts of a long recording stand for the whole. Runs in the child process only.

A recording is looked at in windows of 20 ms: how strong each is, and its highest sample.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from broadcasts.audio.pcm import Pcm, Samples

_WINDOW_MS, _PAD_MS = 20, 150
_BELOW_SPEECH_DB, _FLOOR_DBFS = 35.0, -65.0
_CHUNK_S, _TYPICAL, _PEAKY = 2, 30, 10
_GATE_DB = 10.0
_EDGE_MS = 10


@dataclass(frozen=True)
class Windows:
    """Of each whole window, from the first sample on: `levels` in dBFS (mean square), `peaks` as a share of full
    scale."""

    levels: Samples
    peaks: Samples

    @classmethod
    def of(cls, pcm: Pcm) -> Windows:
        window = pcm.rate * _WINDOW_MS // 1000
        levels, peaks = [np.zeros(0, np.float32)], [np.zeros(0, np.float32)]
        for block in pcm.blocks():
            rows = block[: len(block) // window * window].reshape(-1, window)
            levels.append(10 * np.log10(np.einsum("ij,ij->i", rows, rows) / window + 1e-12))
            peaks.append(np.maximum(rows.max(axis=1), -rows.min(axis=1)))
        return cls(np.concatenate(levels), np.concatenate(peaks))

    def within(self, pcm: Pcm) -> Windows:
        """Of a part of it only."""
        window = pcm.rate * _WINDOW_MS // 1000
        inside = slice(pcm.start // window, -(-pcm.end // window))
        return Windows(self.levels[inside], self.peaks[inside])


def trimmed(pcm: Pcm, windows: Windows) -> Pcm:
    """Without the silence before the first and after the last sound, 150 ms of it kept.

    Silent is what lies 35 dB below the loudest windows of the recording, at least -65 dBFS.
    """
    if not windows.levels.size:
        return pcm
    window = pcm.rate * _WINDOW_MS // 1000
    threshold = max(float(np.percentile(windows.levels, 95)) - _BELOW_SPEECH_DB, _FLOOR_DBFS)
    loud = np.flatnonzero(windows.levels > threshold)
    if not loud.size:
        return pcm
    pad = pcm.rate * _PAD_MS // 1000
    start = max(int(loud[0]) * window - pad, 0)
    end = (int(loud[-1]) + 1) * window + pad
    # The last window may be incomplete and was not looked at: what is that near the end stays.
    return pcm.part(start, pcm.samples if end + window > pcm.samples else end)


@dataclass(frozen=True)
class Excerpts:
    """`typical`: a minute as loud and as uneven as what counts for the loudness of the whole; `peaky`: the pieces with
    the highest samples."""

    typical: Pcm
    peaky: Pcm


def excerpts(pcm: Pcm, windows: Windows, folder: Path) -> Excerpts | None:
    """Pieces that stand for all of `pcm`; None when it is hardly longer than they are. `windows` as of `pcm`."""
    a_chunk = _CHUNK_S * 1000 // _WINDOW_MS
    whole = windows.levels.size // a_chunk
    if whole < 2 * (_TYPICAL + _PEAKY):
        return None
    energy = np.mean(10 ** (windows.levels[: whole * a_chunk].reshape(-1, a_chunk).astype(np.float64) / 10), axis=1)
    peaks = np.max(windows.peaks[: whole * a_chunk].reshape(-1, a_chunk), axis=1)
    # As the meter's gate does, and then one of each rank: loud and soft pieces in the share they have in the whole.
    loud = np.flatnonzero(energy > np.mean(energy) / 10 ** (_GATE_DB / 10))
    ranked = loud[np.argsort(energy[loud], kind="stable")]
    typical = ranked[((np.arange(_TYPICAL) + 0.5) * ranked.size / _TYPICAL).astype(int)]
    peaky = np.argsort(peaks, kind="stable")[-_PEAKY:]
    return Excerpts(_cut(pcm, typical, folder / "typical.pcm"), _cut(pcm, peaky, folder / "peaky.pcm"))


def _cut(pcm: Pcm, chunks: Samples, path: Path) -> Pcm:
    length, edge = _CHUNK_S * pcm.rate, pcm.rate * _EDGE_MS // 1000
    shape = np.ones(length, np.float32)
    shape[:edge] = np.linspace(0, 1, edge, dtype=np.float32)
    shape[-edge:] = shape[edge - 1 :: -1]
    with path.open("wb") as out:
        for chunk in sorted({int(each) for each in chunks}):
            piece = np.frombuffer(pcm.part(chunk * length, (chunk + 1) * length).read(), "<f4")
            out.write((piece * shape[: piece.size]).astype("<f4").tobytes())
    return Pcm.whole(path, "flt", pcm.rate)
