"""Recordings become assets; assets are found again."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from sqlalchemy import delete
from sqlalchemy.orm import Session

from broadcasts.audio.pipeline import Prepared
from broadcasts.audio.store import told_as_faults
from broadcasts.errors import Refused
from controller.db.tables import Asset, Unnamed
from controller.services import audit
from controller.services.context import Context
from controller.services.rights import Actor, Right

FIRMWARE = "bin"
"""The codec of what no horn plays."""
PHOTO = "jpg"
"""Of the picture of a pole, for whoever may look at the pole."""
PIECE = "wav"
"""Of a recorded piece of a phrase, which only sounds as part of one."""


def add_recording(ctx: Context, actor: Actor, source: Path, name: str) -> Asset:
    """Prepare the file at `source` for the horns and remember it. `name` is only for the audit log.

    Raises Refused (the audio pipeline's reasons) and Fault (disk full); then nothing was kept.
    """
    actor = actor.need(Right.COMPOSE)
    prepared = ctx.audio.prepare(source)
    with ctx.db.write() as session:
        asset = remember(ctx, session, prepared)
        audit.record(session, ctx.clock.now(), actor.name, "recording.add", asset.sha256, {"name": name[:120]})
    return asset


def add_made(ctx: Context, actor: Actor, folder: Path, write: Callable[[Path], Path], name: str) -> Asset:
    """A recording that we make ourselves, prepared like any upload. `folder` is for the work, on our own disk.

    Raises Refused("no_right") and the audio pipeline's faults.
    """
    actor = actor.need(Right.COMPOSE)
    with told_as_faults():
        folder.mkdir(parents=True, exist_ok=True)
        work = tempfile.TemporaryDirectory(prefix="made-", dir=folder)
    with work as place:
        return add_recording(ctx, actor, write(Path(place) / "made.wav"), name)


def remember(ctx: Context, session: Session, prepared: Prepared) -> Asset:
    """The row of a prepared file; the one that is there already when somebody uploads the same again."""
    known = session.get(Asset, prepared.sha256)
    if known is not None:
        wanted_again(session, known.sha256)
        return known
    asset = Asset(
        sha256=prepared.sha256,
        size=prepared.size,
        codec=prepared.codec,
        duration_ms=prepared.duration_ms,
        chunk_size=prepared.chunk_size,
        chunks=list(prepared.chunks),
        loudness_lufs=prepared.loudness_lufs,
        true_peak_dbtp=prepared.true_peak_dbtp,
        original_sha256=prepared.original_sha256,
        original_lufs=prepared.original_lufs,
        mastering=asdict(prepared.mastering) if prepared.mastering is not None else {},
        warnings=list(prepared.warnings),
        peaks=prepared.peaks,
        created_at=ctx.clock.now(),
    )
    session.add(asset)
    session.flush()
    return asset


def wanted_again(session: Session, sha256: str) -> None:
    """Somebody brought these bytes just now: the collector counts anew, whether or not he comes to name them."""
    session.execute(delete(Unnamed).where(Unnamed.sha256 == sha256))


def find(session: Session, sha256: str) -> Asset:
    """A recording. Raises Refused("asset.unknown"), also for an image of firmware, which is kept beside them."""
    asset = session.get(Asset, sha256)
    if asset is None or asset.codec in (FIRMWARE, PIECE, PHOTO):
        raise Refused("asset.unknown")
    return asset
