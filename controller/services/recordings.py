"""The sample that we make ourselves, and files for the ears of people."""

from __future__ import annotations

from pathlib import Path

from broadcasts.audio.sample import write_sample
from broadcasts.errors import Refused
from broadcasts.ids import SHA256
from controller.db.tables import Asset
from controller.services.context import Context
from controller.services.library import add_made
from controller.services.listening import may_listen
from controller.services.rights import Actor, Right

SAMPLE_NAME = "loa-sample.wav"


def add_sample(ctx: Context, actor: Actor, folder: Path) -> Asset:
    """A spoken test announcement, prepared like any upload. `folder` is for the work, on our own disk.

    Raises Refused("no_right") and the audio pipeline's faults.
    """
    return add_made(ctx, actor, folder, write_sample, SAMPLE_NAME)


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
