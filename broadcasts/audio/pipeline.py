"""The door: an upload goes in, what poles fetch comes out, or a reason in the user's words."""

from __future__ import annotations

import base64
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from broadcasts.audio import child
from broadcasts.audio.chain import ORDINARY, Chain, Codec, Limits
from broadcasts.audio.magic import demuxer_of
from broadcasts.audio.mastering import Mastering
from broadcasts.audio.store import Store, StoredAsset, told_as_faults
from broadcasts.errors import Refused

Cut = tuple[int, int]
"""What of an upload is wanted: from and up to, ms on its own time line, silence at its beginning counted."""


@dataclass(frozen=True)
class Prepared:
    """A file in the store, and what the plan, the page and the auditor want to know of it.

    `duration_ms` counts encoded samples, rounded down; loudness and peak are measured on the finished file, mono.
    `original_lufs` is the upload's own loudness as mono, None when it had none to speak of. `warnings` are keys of
    `keys.WARNINGS`. `peaks`: pairs of signed bytes (minimum, maximum), twenty a second, at most 2,000 pairs.
    `mastering`: what was done in between; None for what was made from a finished file.
    """

    sha256: str
    size: int
    codec: str
    sample_rate: int
    bitrate: int
    duration_ms: int
    chunk_size: int
    chunks: tuple[str, ...]
    loudness_lufs: float
    true_peak_dbtp: float
    original_sha256: str
    original_lufs: float | None
    warnings: tuple[str, ...]
    peaks: bytes
    mastering: Mastering | None = None

    @classmethod
    def of(cls, asset: StoredAsset, codec: Codec, done: dict[str, Any], **more: Any) -> Self:
        """`done` is the child's answer; `more` what is known of the upload."""
        told: dict[str, Any] = {"original_sha256": "", "original_lufs": None, "warnings": (), **more}
        return cls(
            sha256=asset.sha256,
            size=asset.size,
            codec=codec.name,
            sample_rate=codec.sample_rate,
            bitrate=codec.bitrate,
            duration_ms=done["duration_ms"],
            chunk_size=asset.chunk_size,
            chunks=asset.chunks,
            loudness_lufs=done["loudness_lufs"],
            true_peak_dbtp=done["true_peak_dbtp"],
            peaks=base64.b64decode(done["peaks"]),
            **told,
        )


def prepare(
    source: Path,
    store: Store,
    *,
    chain: Chain = ORDINARY,
    chime: bool = False,
    cut: Cut | None = None,
    limits: Limits | None = None,
    progress: child.Progress | None = None,
) -> Prepared:
    """Makes the file that poles play from an upload, and keeps both. Takes about a fortieth of the playing time.

    The same upload, chain, `cut` and `chime` give the same bytes. Nothing is kept of a refused upload. `progress` is
    told each of `keys.STAGES` that was reached, in order; a short one may be passed over.
    Raises Refused (keys in `keys.REFUSALS`) and Fault (`keys.FAULTS`).
    """
    limits = limits or Limits()
    with store.work_folder() as folder:
        # A copy under our own name: what is judged, decoded and kept are the same bytes.
        upload = folder / "upload"
        with told_as_faults():
            _check_size(source.stat().st_size, limits)
            shutil.copyfile(source, upload)
            _check_size(upload.stat().st_size, limits)
        demuxer = demuxer_of(upload)
        finished = folder / "finished"
        job = {
            "source": str(upload),
            "out": str(finished),
            "demuxer": demuxer,
            "chain": chain.to_json(),
            "chime": chime,
            "cut": cut,
        }
        done = child.run("broadcasts.audio.worker", job, folder, limits, progress)
        original = store.put_original(upload)
        asset = store.put(finished)
    return Prepared.of(
        asset,
        chain.codec,
        done,
        original_sha256=original.sha256,
        original_lufs=done["original_lufs"],
        warnings=tuple(done["warnings"]),
        mastering=Mastering(**done["mastering"]),
    )


def _check_size(size: int, limits: Limits) -> None:
    if size > limits.max_bytes:
        raise Refused("audio.too_large", size_mb=-(-size // 1_000_000), limit_mb=round(limits.max_bytes / 1_000_000, 1))
