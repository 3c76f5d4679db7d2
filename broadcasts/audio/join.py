"""Putting short parts together: gaps and fades. The one module that knows pydub.

pydub holds everything in memory and cannot be told what not to open, so it only ever gets samples that we decoded, and
at most ten minutes of them.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

with warnings.catch_warnings():
    # It looks for an ffmpeg program at import and grumbles when there is none. We never let it use one.
    warnings.simplefilter("ignore")
    from pydub import AudioSegment

MOST_SECONDS = 600


def join(parts: Sequence[bytes], rate: int, *, gap_ms: int = 0, fade_ms: int = 0) -> bytes:
    """One programme of mono 16-bit parts, `gap_ms` of silence between them, each part faded in and out.

    A part grows to whole milliseconds. Raises ValueError beyond ten minutes in all.
    """
    seconds = sum(map(len, parts)) / 2 / rate
    if seconds > MOST_SECONDS:
        raise ValueError(f"{seconds:.0f} s to join, at most {MOST_SECONDS}")
    gap = AudioSegment.silent(duration=gap_ms, frame_rate=rate)
    programme = AudioSegment.empty().set_frame_rate(rate)
    for index, part in enumerate(parts):
        segment = _segment(part, rate)
        if fade_ms:
            segment = segment.fade_in(fade_ms).fade_out(fade_ms)
        programme = segment if index == 0 else programme.append(gap, crossfade=0).append(segment, crossfade=0)
    joined: bytes = programme.raw_data
    return joined


def _segment(pcm: bytes, rate: int) -> AudioSegment:
    # pydub cuts at milliseconds and would lose what stands behind the last one.
    per_ms = rate // 1000 * 2 if rate % 1000 == 0 else 2
    return AudioSegment(data=pcm + bytes(-len(pcm) % per_ms), sample_width=2, frame_rate=rate, channels=1)
