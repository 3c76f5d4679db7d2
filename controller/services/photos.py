"""Photos of poles: taken in within limits, drawn anew without anything that the camera wrote beside the picture (place,
time, owner), and kept like every file, by its hash."""

from __future__ import annotations

import tempfile
from pathlib import Path

from PIL import Image, ImageOps, UnidentifiedImageError
from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.audio.store import Stored, told_as_faults
from broadcasts.errors import Refused
from controller.db.tables import Asset, Cluster, Pole, Station
from controller.services import audit
from controller.services.context import Context
from controller.services.library import PHOTO, wanted_again
from controller.services.rights import Actor, Right
from controller.services.swapping import there

MOST_BYTES, MOST_PIXELS, LONGEST_SIDE = 12_000_000, 50_000_000, 1_600
MOST_UNDRAFTED = 16_000_000
"""Pixels of a picture that has to be unpacked whole: a JPEG is read smaller at once, the others are not."""
FORMATS = ("JPEG", "PNG", "WEBP")


def keep(ctx: Context, source: Path, folder: Path) -> str:
    """The picture at `source` as one of ours; its SHA-256. `folder`: for the work. Nothing names it yet: what stays
    unnamed goes. Raises Refused("photo.large", "photo.unreadable"), Fault (disk full)."""
    with told_as_faults():
        folder.mkdir(parents=True, exist_ok=True)
        work = tempfile.TemporaryDirectory(prefix="photo-", dir=folder)
    with work as place:
        drawn = Path(place) / "drawn.jpg"
        _draw(source, drawn)
        kept = ctx.audio.keep(drawn)
    with ctx.db.write() as session:
        wanted_again(session, kept.sha256)
        if session.get(Asset, kept.sha256) is None:
            session.add(
                Asset(
                    sha256=kept.sha256, size=kept.size, codec=PHOTO, duration_ms=0, chunk_size=kept.chunk_size,
                    chunks=list(kept.chunks), created_at=ctx.clock.now(),
                )
            )  # fmt: skip
    return kept.sha256


def _draw(source: Path, drawn: Path) -> None:
    if source.stat().st_size > MOST_BYTES:
        raise Refused("photo.large", most_mb=MOST_BYTES // 1_000_000)
    try:
        with Image.open(source, formats=FORMATS) as picture:
            most = MOST_UNDRAFTED if picture.format in ("PNG", "WEBP") else MOST_PIXELS
            if picture.width * picture.height > most or min(picture.size) < 1:
                raise Refused("photo.large", most_mb=MOST_BYTES // 1_000_000)
            picture.draft("RGB", (LONGEST_SIDE, LONGEST_SIDE))
            upright = ImageOps.exif_transpose(picture).convert("RGB")
        upright.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
        clean = Image.new("RGB", upright.size)
        clean.paste(upright)
    except Refused:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as failure:
        raise Refused("photo.large", most_mb=MOST_BYTES // 1_000_000) from failure
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError) as failure:
        raise Refused("photo.unreadable") from failure
    with told_as_faults():
        clean.save(drawn, "JPEG", quality=80, optimize=True)


@audit.decided("pole.photo")
def put(ctx: Context, actor: Actor, cluster_id: str, source: Path, folder: Path) -> str:
    """The photo of this cluster's pole from now on. Raises Refused: "no_right", "cluster.unknown", and as `keep`."""
    actor = actor.need(Right.PLACES)
    with ctx.db.read() as session:
        there(session, actor, cluster_id)
    name, now = keep(ctx, source, folder), ctx.clock.now()
    with ctx.db.write() as session:
        cluster, station = there(session, actor, cluster_id)
        row = pole(session, cluster.id)
        row.photo_sha256, row.photo_at = name, now
        audit.record(session, now, actor.name, "pole.photo", cluster.id, {"photo": name[:12]}, station.area_id)
    return name


def pole(session: Session, cluster_id: str) -> Pole:
    """The row, made where there is none."""
    row = session.get(Pole, cluster_id)
    if row is None:
        row = Pole(cluster_id=cluster_id, notes="")
        session.add(row)
    return row


def opened(ctx: Context, actor: Actor, cluster_id: str) -> Stored:
    """The photo of a cluster of the actor's areas. Raises Refused: "no_right", "cluster.unknown", "photo.none"."""
    actor = actor.need(Right.HEALTH)
    with ctx.db.read() as session:
        found = session.execute(
            select(Station.area_id, Pole.photo_sha256)
            .select_from(Cluster)
            .join(Station, Cluster.station_id == Station.id)
            .outerjoin(Pole, Pole.cluster_id == Cluster.id)
            .where(Cluster.id == cluster_id)
        ).first()
    if found is None or found[0] not in actor.areas:
        raise Refused("cluster.unknown", name=cluster_id[:40])
    if found[1] is None:
        raise Refused("photo.none")
    return ctx.audio.open(found[1])
