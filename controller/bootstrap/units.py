"""`loa unit`: who asks to be let in, who is in, who is out; for whoever sits at the machine itself."""

from __future__ import annotations

import argparse
import json
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from controller.bootstrap.people import TERMINAL
from controller.bootstrap.service import opened
from controller.db.tables import Enrolment, Unit, UnitCertificate
from controller.services import unit_enrolling, unit_revoking
from controller.services.context import Context
from controller.services.views.units import identity_of, waiting
from controller.settings import Settings


def unit(settings: Settings, given: argparse.Namespace) -> int:
    """Raises Refused and Conflict of `services.unit_enrolling` and `services.unit_revoking`."""
    with opened(settings) as ctx:
        match given.act:
            case "enrol":
                with ctx.db.write() as session:
                    print(unit_enrolling.accept_now(ctx, session, given.code, given.name, TERMINAL))
            case "revoke":
                with ctx.db.write() as session:
                    unit_revoking.revoke_now(ctx, session, given.unit, given.kind, given.reason, TERMINAL)
            case _:
                _list(ctx, as_json=given.json)
    return 0


def _list(ctx: Context, *, as_json: bool) -> None:
    with ctx.db.read() as session:
        told = {"waiting": _waiting(ctx, session), "units": _units(session)}
    if as_json:
        print(json.dumps(told, indent=2))
        return
    for each in told["waiting"]:
        print(f"{each['code']}  {each['serial']}  {each['vendor']}  {each['trouble'] or 'waits'}")
    for each in told["units"]:
        print(f"{each['unit']}  {each['identity']}  {each['until'] or '-'}")


def _waiting(ctx: Context, session: Session) -> list[dict[str, Any]]:
    return [
        {"code": line.row.code, "serial": line.row.serial, "vendor": line.row.vendor, "trouble": line.trouble}
        | {"fingerprint": line.row.fingerprint, "asked_at": line.row.asked_at.isoformat()}
        for line in waiting(session, ctx.wall.now())
    ]


def _units(session: Session) -> list[dict[str, Any]]:
    ends: dict[str, str] = {}
    for row in session.scalars(select(UnitCertificate).order_by(UnitCertificate.expires_at)):
        ends[row.unit_id] = row.expires_at.isoformat()
    serials = select(Enrolment.unit_id, Enrolment.serial).where(Enrolment.unit_id.is_not(None))
    serial = {str(name): number for name, number in session.execute(serials)}
    return [
        {
            "unit": row.id,
            "serial": serial.get(row.id),
            "identity": identity_of(row, row.id in ends),
            "until": ends.get(row.id),
        }
        for row in session.scalars(select(Unit).order_by(Unit.id))
    ]
