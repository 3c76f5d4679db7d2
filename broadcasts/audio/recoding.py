"""The same sound in another codec: for units that do not decode the first, and so small that it fits into an alert.

Made from the finished file and not from the upload: what was approved is those bytes, and a chain that was set
otherwise meanwhile would make another sound of the upload.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from broadcasts.audio import child
from broadcasts.audio.chain import OPUS, ORDINARY, Chain, Codec, Limits
from broadcasts.audio.magic import demuxer_of
from broadcasts.audio.pipeline import Prepared
from broadcasts.audio.store import Store, told_as_faults
from broadcasts.errors import Refused

INLINE_BYTES = 32_768
"""An alert document is 64 KiB at most, signed: as base64 inside of JSON inside of base64 that leaves 34 kB for sound
and for all that the entry says besides."""
INLINE_S = 30.0
_LEAN = (12_000, 10_000, 8_000, 6_000)
"""bit/s, the first that fits. 12 is understood as well as 16 on a horn (PESQ-WB 3.96); below 8 only words remain."""


def encode_as(source: Path, store: Store, *, chain: Chain = ORDINARY, limits: Limits | None = None) -> Prepared:
    """The file of `chain.codec` that sounds as the finished file at `source` does: as loud to 0.2 LU where the peak
    allows it, of the same length, its true peak at most `chain.ceiling_dbtp`. The same file and chain give the same
    bytes.

    Raises Refused (audio.silent, and those of decoding, for what is no sound of ours) and Fault (`keys.FAULTS`).
    """
    with store.work_folder() as folder:
        done = _recoded(source, folder, chain, limits or Limits())
        asset = store.put(folder / "finished")
    return Prepared.of(asset, chain.codec, done)


def lean(source: Path, store: Store, *, chain: Chain = ORDINARY, most_bytes: int = INLINE_BYTES) -> Prepared:
    """A finished file so small that an alert can carry it, at the best bit rate that fits; kept in `store`, because who
    came too late for the alert fetches it.

    Raises Refused: audio.inline (longer than `INLINE_S`, or more than `most_bytes` at the leanest), and those of
    `encode_as`.
    """
    with store.work_folder() as folder:
        codec, done = _fitted(source, folder, chain, most_bytes)
        asset = store.put(folder / "finished")
    return Prepared.of(asset, codec, done)


def _fitted(source: Path, folder: Path, chain: Chain, most_bytes: int) -> tuple[Codec, dict[str, Any]]:
    for bitrate in _LEAN:
        options = (("application", "voip"), ("vbr", "constrained"), ("frame_duration", "60"))
        codec = replace(OPUS, bitrate=bitrate, options=options)
        done = _recoded(source, folder, replace(chain, codec=codec), Limits(wall_seconds=60))
        if done["duration_ms"] > INLINE_S * 1000:
            break
        if (folder / "finished").stat().st_size <= most_bytes:
            return codec, done
    raise Refused("audio.inline", limit_seconds=round(INLINE_S), limit_kb=most_bytes // 1024)


def _recoded(source: Path, folder: Path, chain: Chain, limits: Limits) -> dict[str, Any]:
    with told_as_faults():
        # The child sees nothing but its own folder.
        shutil.copyfile(source, folder / "source")
    job = {
        "source": str(folder / "source"),
        "out": str(folder / "finished"),
        "demuxer": demuxer_of(folder / "source"),
        "chain": chain.to_json(),
    }
    return child.run("broadcasts.audio.recode_worker", job, folder, limits)
