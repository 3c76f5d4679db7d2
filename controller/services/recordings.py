"""The sample that we make ourselves, and files for the ears of people."""

from __future__ import annotations

import tempfile
from pathlib import Path

from broadcasts.audio.sample import write_sample
from broadcasts.audio.store import told_as_faults
from broadcasts.errors import Refused
from broadcasts.ids import SHA256
from controller.db.tables import Asset
from controller.services.context import Context
from controller.services.library import add_recording
from controller.services.listening import may_listen
from controller.services.rights import Actor, Right

SAMPLE_NAME = "loa-sample.wav"


def add_sample(ctx: Context, actor: Actor, folder: Path) -> Asset:
    """A spoken test announcement, prepared like any upload. `folder` is for the work, on our own disk.

    Raises Refused("no_right") and the audio pipeline's faults.
    """
    actor = actor.need(Right.COMPOSE)
    with told_as_faults():
        folder.mkdir(parents=True, exist_ok=True)
        work = tempfile.TemporaryDirectory(prefix="sample-", dir=folder)
    with work as name:
        return add_recording(ctx, actor, write_sample(Path(name) / "sample.wav"), SAMPLE_NAME)


def heard_by(ctx: Context, actor: Actor, sha256: str) -> Path:
    """The file, for the ears of people: who added it, and everybody in whose area a bulletin or an
    emergency set uses it.

    Raises Refused("asset.unknown") for all others too: what lies elsewhere is nobody's business.
    """
    actor = actor.need(Right.LOOK)
    if not SHA256.fullmatch(sha256):
        raise Refused("asset.unknown", asset=sha256[:80])
    with ctx.db.read() as session:
        if not may_listen(session, actor, sha256):
            raise Refused("asset.unknown", asset=sha256)
    return ctx.audio.path(sha256)
