"""The confined child, asked to open a file with any demuxer: `python -m tests.support.decoding_probe`.

As if the first look had been fooled. Answer: `opened`, or why not; and what FFmpeg said with no option of ours at all.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import av.subtitles.stream  # PyAV loads it late, when memory is bounded already
from av.error import FFmpegError

from broadcasts.audio import child
from broadcasts.audio.chain import Limits
from broadcasts.audio.decode import Tally, frames, opened
from broadcasts.errors import Refused

FOLLOW = {
    "safe": "0",
    "protocol_whitelist": "file,http,tcp,rtp,udp,crypto,data",
    "allowed_extensions": "ALL",
    "enable_drefs": "1",
    "use_absolute_path": "1",
}
"""FFmpeg's options for following whatever a file names."""


def probe(job: dict[str, Any], limits: Limits) -> dict[str, Any]:
    path, demuxer = Path(job["source"]), job["demuxer"]
    return {"ours": _ours(path, demuxer, limits), "bare": _bare(path, demuxer)}


def _ours(path: Path, demuxer: str, limits: Limits) -> str:
    try:
        with opened(path, demuxer, limits) as (container, stream):
            return f"{sum(frame.samples for frame in frames(container, stream, demuxer, limits, Tally()))} samples"
    except Refused as refused:
        return refused.key


def _bare(path: Path, demuxer: str) -> str:
    try:
        with av.open(str(path), format=demuxer, options=dict(FOLLOW), timeout=(3, 3)) as container:
            return f"{sum(frame.samples for frame in container.decode(audio=0))} samples"
    except (OSError, FFmpegError, IndexError, ValueError) as error:
        return type(error).__name__


if __name__ == "__main__":
    child.serve(probe)
