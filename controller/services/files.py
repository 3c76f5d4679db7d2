"""Which unit may fetch which file: only what its own plan, its emergency set or an alert it follows names (design,
section 6)."""

from __future__ import annotations

import hashlib
import hmac

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.audio.store import Stored
from broadcasts.errors import Refused
from controller.db.tables import Area, Assignment, Cluster, Delivery, Drill, StandingAlert, Station, Unit
from controller.services import drill_lists, emergency_set, other_codecs, wanting
from controller.services.context import Context


def asset_for_unit(ctx: Context, unit: str, secret: str, sha256: str) -> Stored:
    """The file, wherever it lies. Raises Refused: "unit.unknown" (who are you), "asset.not_yours", "asset.unknown"."""
    now = ctx.clock.now()
    with ctx.db.read() as session:
        row = session.get(Unit, unit)
        told = hashlib.sha256(secret.encode()).hexdigest()
        known = str(row.secret_hashes.get("sha256", "")) if row else ""
        if not hmac.compare_digest(told, known) or row is None or row.revoked_at is not None:
            raise Refused("unit.unknown")
        if not any(
            _planned(session, unit, name)
            or emergency_set.named_for(session, unit, name)
            or wanting.named_for(session, unit, name)
            or _alerted(session, unit, name, now)
            or _drilled(session, unit, name, now)
            for name in other_codecs.same_sound(session, sha256)
        ):
            raise Refused("asset.not_yours")
    return ctx.audio.open(sha256)


def _planned(session: Session, unit: str, sha256: str) -> bool:
    query = select(Delivery.id).where(
        Delivery.unit_id == unit, Delivery.asset_sha256 == sha256, Delivery.plan_version.is_not(None)
    )
    return session.scalar(query.limit(1)) is not None


def _alerted(session: Session, unit: str, sha256: str, now: object) -> bool:
    scopes = scopes_of(session, unit)
    standing = session.scalars(
        select(StandingAlert).where(
            StandingAlert.scope.in_(scopes), StandingAlert.silenced_at.is_(None), StandingAlert.hard_end > now
        )
    )
    return any(
        rendition["asset"]["sha256"] == sha256 for alert in standing for rendition in alert.entry.get("content", [])
    )


def _drilled(session: Session, unit: str, sha256: str, now: object) -> bool:
    scopes = set(scopes_of(session, unit))
    drills = session.scalars(select(Drill).where(Drill.state == drill_lists.ISSUED, Drill.hard_end > now))
    return any(
        sha256 in {name for _, name in (*drill.prefix, *drill.content)}
        and scopes & {scope for scope, _ in drill.places}
        for drill in drills
    )


def scopes_of(session: Session, unit: str) -> list[str]:
    """From wide to narrow: province, commune, the unit itself."""
    station = session.scalar(
        select(Station)
        .join(Cluster, Cluster.station_id == Station.id)
        .join(Assignment, Assignment.cluster_id == Cluster.id)
        .where(Assignment.unit_id == unit, Assignment.until.is_(None))
    )
    if station is None:
        return [unit]
    area = session.get_one(Area, station.area_id)
    while area.parent_id is not None:
        area = session.get_one(Area, area.parent_id)
    return [area.id, station.scope, unit]
