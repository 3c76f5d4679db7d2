"""The door to what needs the sound itself: the envelope of a file, a clip against a file. In a confined child process,
because files and clips came from elsewhere."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from broadcasts.audio import child
from broadcasts.audio.chain import CODECS, Limits
from broadcasts.audio.correlation import SURE, UNSURE
from broadcasts.audio.envelope import AssetEnvelope
from broadcasts.audio.hearing import Decision, Why
from broadcasts.audio.store import told_as_faults

_WORKER = "broadcasts.audio.listening_worker"


@dataclass(frozen=True)
class ClipMatch:
    """`score` is the peak of the correlation in units of its spread (GCC-PHAT); strangers stay below 12. `lag_ms`: how
    much later in the file than the unit believed."""

    decision: Decision
    why: Why
    score: float = 0.0
    lag_ms: int = 0


def envelope_of(asset: Path, codec: str, *, limits: Limits | None = None) -> AssetEnvelope:
    """Of a file in the store; `codec` is a name of `chain.CODECS`. A second of work for five minutes of sound, memory
    flat. Raises Refused and Fault as `pipeline.prepare` does."""
    with _folder(asset) as folder:
        kept = folder / "envelope"
        job = {"kind": "envelope", "source": str(folder / "asset"), "demuxer": _demuxer(codec), "out": str(kept)}
        child.run(_WORKER, job, folder, limits or Limits())
        return AssetEnvelope.from_bytes(kept.read_bytes())


def match_clip(
    clip: bytes, asset: Path, codec: str, *, offset_ms: int, limits: Limits | None = None, work: Path | None = None
) -> ClipMatch:
    """A `Clip`'s decoded `data` (Opus in Ogg) against the file, near `offset_ms`. A clip that does not decode is
    `unknown`, `unreadable`. Nothing of it is left behind; who is killed meanwhile leaves it in `work`, which a start
    clears (`Store.clear_work`). Raises Refused (the asset), Fault."""
    with _folder(asset, work) as folder:
        with told_as_faults():
            (folder / "clip").write_bytes(clip)
        job = {
            "kind": "clip",
            "source": str(folder / "asset"),
            "demuxer": _demuxer(codec),
            "clip": str(folder / "clip"),
            "offset_ms": offset_ms,
        }
        done = child.run(_WORKER, job, folder, limits or Limits())
    if done["why"] is not None:
        return ClipMatch(Decision.UNKNOWN, Why(done["why"]))
    score, lag = float(done["score"]), int(done["lag_ms"])
    if score >= SURE:
        return ClipMatch(Decision.YES, Why.MATCHED, score, lag)
    if score >= UNSURE:
        return ClipMatch(Decision.UNKNOWN, Why.TOO_NOISY, score, lag)
    return ClipMatch(Decision.NO, Why.OTHER, score, lag)


def _demuxer(codec: str) -> str:
    return CODECS[codec].container


@contextmanager
def _folder(asset: Path, work: Path | None = None) -> Iterator[Path]:
    """The child sees no other: the file lies in it as `asset`."""
    with tempfile.TemporaryDirectory(prefix="loa-hearing-", dir=work) as name:
        with told_as_faults():
            shutil.copyfile(asset, Path(name) / "asset")
        yield Path(name)
