"""Emergencies as the units of a house would hear them: from the documents alone, by the reading of the simulator."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import select
from support import office
from support.services import House

from broadcasts.wire import codec
from broadcasts.wire.alert import Alert, AlertDocument, AlertKind
from broadcasts.wire.jws import Typ
from broadcasts.wire.trust import Use
from controller.db.tables import EmergencyReach, EmergencyRecording, ScopeDocument, Unit
from controller.services import alert_reach, emergencies
from controller.services.alert_calls import Call, Content
from controller.services.context import Context
from controller.services.files import scopes_of
from controller.services.rights import Actor
from controller.services.targets import Target
from controller.services.trusting import TRUST
from device_sim.alerts import concerning

HOUR = timedelta(hours=1)


def call(house: House, target: Target, **changed: Any) -> Call:
    """A flood for an hour with a recording, the number typed in whatever it is."""
    content = Content(recordings=(("vi", house.bulletin.sha256),))
    told: dict[str, Any] = {"kind": AlertKind.FLOOD, "content": content, "reason": "Nước lên", "lasts": HOUR}
    if "confirmed" not in changed:
        with house.ctx.db.read() as session:
            told["confirmed"] = emergencies.preview(house.ctx, session, house.on_duty, target).word
    return Call(**{"target": target} | told | changed)


def sounded(house: House, target: Target, **changed: Any) -> str:
    return emergencies.sound(house.ctx, house.on_duty, call(house, target, **changed))


def typed(ctx: Context, officer: Actor, scope: str, units: Sequence[str] | None = None) -> str:
    """What who sounds it in this one list types in."""
    with ctx.db.read() as session:
        return alert_reach.of_scope(session, officer, scope, units).word


def documents(house: House | office.House) -> dict[str, AlertDocument]:
    """By scope, verified as a unit does."""
    key = house.ctx.keys.signer(Use.ALERT).public
    with house.ctx.db.read() as session:
        rows = session.scalars(select(ScopeDocument).where(ScopeDocument.scope != TRUST, ScopeDocument.version > 0))
        stored = {row.scope: row.document for row in rows}
    return {
        scope: codec.unseal(AlertDocument, sealed, Typ.ALERT, lambda kid: key if kid == key.kid else None)
        for scope, sealed in stored.items()
    }


def heard(house: House | office.House, unit: str) -> list[Alert]:
    """What this unit makes of the documents, the most urgent first."""
    with house.ctx.db.read() as session:
        scopes = scopes_of(session, unit)
    return concerning(documents(house), scopes, unit)


def reached(house: House | office.House, alert: str) -> set[str]:
    """The units that hear it."""
    with house.ctx.db.read() as session:
        units = session.scalars(select(Unit.id)).all()
        follows = {unit: scopes_of(session, unit) for unit in units}
    said = documents(house)
    return {unit for unit in units if alert in {each.id for each in concerning(said, follows[unit], unit)}}


def meant(house: House, alert: str) -> set[str]:
    """The units of the clusters that it was frozen for and that it still stands for."""
    with house.ctx.db.read() as session:
        rows = session.scalars(
            select(EmergencyReach.unit_id).where(
                EmergencyReach.emergency_id == alert, EmergencyReach.silenced_at.is_(None)
            )
        )
        return {unit for unit in rows if unit is not None}


def preload(house: House, area: str, kind: AlertKind = AlertKind.STORM, sha256: str = "", language: str = "vi") -> None:
    told = {"kind": kind, "language": language, "asset_sha256": sha256 or house.bulletin.sha256}
    with house.ctx.db.write() as session:
        session.merge(EmergencyRecording(area_id=area, set_at=house.now, set_by="test", **told))
