"""Firmware and settings that units should come to have: said for one unit or for a model below an area, carried by the
play plan, and compared with what each unit reports."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.clock import unix_ms
from broadcasts.errors import Refused
from broadcasts.wire import codec
from broadcasts.wire.firmware import Manifest
from broadcasts.wire.jws import SigningKey, Typ
from controller.db.tables import Area, Asset, Assignment, Cluster, Station, Unit, WantedState
from controller.services import audit
from controller.services.context import Context
from controller.services.deliveries import mark_dirty
from controller.services.library import FIRMWARE, wanted_again
from controller.services.rights import Actor, Right, below
from controller.services.stations import clusters_in, lines

MOST_MB = 16
"""An image's check sums travel in every plan: 16 MB are 6 kB of it."""
VERSION = re.compile(r"[A-Za-z0-9._-]{1,40}\Z")
SETTING = re.compile(r"[a-z][a-z0-9_]{0,39}\Z")
MOST_SETTINGS = 32


@dataclass(frozen=True)
class Wants:
    """What one unit should have; none: whatever it has."""

    firmware: str | None = None
    image: Asset | None = None
    settings: Mapping[str, str] | None = None
    manifest: str | None = None
    """Of the image, signed by the key for firmware (CONTRACT.md, section 7a)."""

    @property
    def configuration(self) -> str | None:
        """The version of the settings: the same settings, the same version."""
        if self.settings is None:
            return None
        said = json.dumps(dict(self.settings), sort_keys=True, ensure_ascii=False)
        return f"s-{hashlib.sha256(said.encode()).hexdigest()[:12]}"


@audit.decided("wanted.firmware")
def put_firmware(ctx: Context, actor: Actor, target: str, model: str, version: str, source: Path) -> Asset:
    """Keep the image at `source`; the unit of this model is to install it.

    `target` is `unit:<id>`: what all poles below an area run is decided wave by wave (`broadcasts.domain.rollout`), and
    by no single person at one go. Raises Refused: "no_right", "choice.unknown" (target, model, version),
    "firmware.single", "firmware.large".
    """
    actor = actor.need(Right.UPKEEP)
    with ctx.db.read() as session:
        _clusters(session, actor, target, model)
    if not target.startswith("unit:"):
        raise Refused("firmware.single")
    size = source.stat().st_size
    if not VERSION.match(version) or not size:
        raise Refused("choice.unknown", name="version", value=version[:40])
    if size > MOST_MB * 1_000_000:
        raise Refused("firmware.large", most_mb=MOST_MB)
    kept = ctx.audio.keep(source)
    now = ctx.clock.now()
    with ctx.db.write() as session:
        clusters = _clusters(session, actor, target, model)
        image = session.get(Asset, kept.sha256)
        wanted_again(session, kept.sha256)
        if image is None:
            image = Asset(
                sha256=kept.sha256,
                size=kept.size,
                codec=FIRMWARE,
                duration_ms=0,
                chunk_size=kept.chunk_size,
                chunks=list(kept.chunks),
                created_at=now,
            )
            session.add(image)
            session.flush()
        row = _row(session, target, model)
        told = {"model": model, "version": version, "image": kept.sha256, "before": row.firmware_version}
        row.firmware_version, row.firmware_sha256, row.set_at, row.set_by = version, kept.sha256, now, actor.name
        audit.record(session, now, actor.name, "wanted.firmware", target.partition(":")[2], told)
        mark_dirty(session, clusters, now)
    ctx.wake()
    return image


@audit.decided("wanted.settings")
def put_settings(ctx: Context, actor: Actor, target: str, model: str, values: Mapping[str, str] | None) -> None:
    """What units of this model at the target are to be set to, all of it; none: nothing is wanted there any more.

    Raises Refused: "no_right", "choice.unknown" (target, model, settings).
    """
    actor = actor.need(Right.UPKEEP)
    bad = [name for name, value in (values or {}).items() if not SETTING.match(name) or len(value) > 200]
    if bad or len(values or {}) > MOST_SETTINGS:
        raise Refused("choice.unknown", name="settings", value=(bad or [""])[0][:40])
    now = ctx.clock.now()
    with ctx.db.write() as session:
        clusters = _clusters(session, actor, target, model)
        row = _row(session, target, model)
        told = {"model": model, "settings": None if values is None else dict(values), "before": row.settings}
        row.settings, row.set_at, row.set_by = None if values is None else dict(values), now, actor.name
        audit.record(session, now, actor.name, "wanted.settings", target.partition(":")[2], told)
        mark_dirty(session, clusters, now)
    ctx.wake()


def wants(session: Session, units: Sequence[str], signer: SigningKey | None = None) -> dict[str, Wants]:
    """What each of these should have; a unit of which nothing is wanted is not in it. `signer`: of firmware; none where
    nobody asks for manifests."""
    if session.scalar(select(WantedState.target).limit(1)) is None:
        return {}
    stands = session.execute(
        select(Unit.id, Unit.vendor, Station.area_id)
        .join(Assignment, Assignment.unit_id == Unit.id)
        .join(Cluster, Assignment.cluster_id == Cluster.id)
        .join(Station, Cluster.station_id == Station.id)
        .where(Unit.id.in_(units), Assignment.until.is_(None))
    ).all()
    above = lines(session, {area for _, _, area in stands})
    targets = {
        target for unit, _, area in stands for target in (f"unit:{unit}", *(f"area:{each}" for each in above[area]))
    }
    rows = {
        (row.target, row.model): row
        for row in session.scalars(select(WantedState).where(WantedState.target.in_(targets)))
    }
    images = {row.firmware_sha256 for row in rows.values() if row.firmware_sha256 is not None}
    assets = {row.sha256: row for row in session.scalars(select(Asset).where(Asset.sha256.in_(images)))}
    found = {}
    for unit, model, area in stands:
        narrow_first = [f"unit:{unit}", *(f"area:{each}" for each in above[area])]
        said = [rows[target, model] for target in narrow_first if (target, model) in rows]
        firmware = next((row for row in said if row.firmware_version is not None), None)
        settings = next((row.settings for row in said if row.settings is not None), None)
        if firmware is not None or settings is not None:
            version = firmware.firmware_version if firmware is not None else None
            image = assets[firmware.firmware_sha256 or ""] if firmware is not None else None
            signed = _manifest(firmware, image, signer) if firmware is not None and image is not None else None
            found[unit] = Wants(version, image, settings, signed)
    return found


def _manifest(row: WantedState, image: Asset, signer: SigningKey | None) -> str | None:
    """Signed each time a plan is made: the key may have been changed in between, and the same key gives the same
    bytes. The release is the minute in which the image came: one that came later is newer."""
    if signer is None or row.firmware_version is None:
        return None
    told = Manifest(
        vendor=row.model,
        version=row.firmware_version,
        release=unix_ms(image.created_at) // 60_000,
        sha256=image.sha256,
        size=image.size,
        issued_at=unix_ms(image.created_at),
    )
    return codec.seal(told, Typ.FIRMWARE, signer).decode()


def named_for(session: Session, unit: str, sha256: str) -> bool:
    """Whether the file is the image that this unit should install."""
    asset = session.get(Asset, sha256)
    if asset is None or asset.codec != FIRMWARE:
        return False
    image = wants(session, [unit]).get(unit, Wants()).image
    return image is not None and image.sha256 == sha256


def _clusters(session: Session, actor: Actor, target: str, model: str) -> list[str]:
    """Where units of the target stand. Raises Refused("choice.unknown") for what is not the actor's."""
    kind, _, name = target.partition(":")
    if kind == "area" and name in actor.areas and session.get(Area, name) is not None:
        clusters = [cluster.id for cluster in clusters_in(session, below(session, name))]
    else:
        own = select(Assignment.cluster_id).join(Cluster, Assignment.cluster_id == Cluster.id).join(Station)
        where = (Assignment.unit_id == name, Assignment.until.is_(None), Station.area_id.in_(actor.areas))
        clusters = list(session.scalars(own.where(*where))) if kind == "unit" else []
        if not clusters:
            raise Refused("choice.unknown", name="target", value=target[:40])
    if session.scalar(select(Unit.id).where(Unit.vendor == model).limit(1)) is None:
        raise Refused("choice.unknown", name="model", value=model[:40])
    return clusters


def _row(session: Session, target: str, model: str) -> WantedState:
    row = session.get(WantedState, (target, model))
    if row is None:
        row = WantedState(target=target, model=model)
        session.add(row)
    return row
