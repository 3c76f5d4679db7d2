"""A maker's list: serial number, fingerprint of the key, maker. Whoever is on it is let in without asking (R-084)."""

from __future__ import annotations

import csv
import io
import re

from sqlalchemy import select

from broadcasts.errors import Conflict, Refused
from broadcasts.ids import SHA256
from controller.db.tables import Enrolment, FactoryEntry
from controller.services import audit
from controller.services.context import Context
from controller.services.rights import Actor, Right
from controller.services.unit_enrolling import FACTORY, WAITING, holder, let_in

MOST_LINES = 5_000
MOST_BYTES = 1_000_000
COLUMNS = ("serial", "fingerprint", "vendor")
_SERIAL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{2,59}\Z")


def read(text: str) -> list[tuple[str, str, str]]:
    """(serial, fingerprint, vendor); the first line names the columns, with commas or semicolons.

    Raises Refused: "factory.large", "factory.columns", "factory.line" (line, counted from 1, and value).
    """
    if len(text) > MOST_BYTES:
        raise Refused("factory.large", most=MOST_LINES)
    text = text.removeprefix("\ufeff")
    comma = ";" if ";" in text.partition("\n")[0] else ","
    rows = csv.reader(io.StringIO(text), delimiter=comma)
    head = [each.strip().lower() for each in next(rows, [])]
    if not {"serial", "fingerprint"} <= set(head):
        raise Refused("factory.columns", columns=", ".join(COLUMNS))
    found: dict[str, tuple[str, str, str]] = {}
    try:
        for number, row in enumerate(rows, 2):
            if not any(cell.strip() for cell in row):
                continue
            told = dict(zip(head, (cell.strip() for cell in row), strict=False))
            serial = told.get("serial", "")
            fingerprint = told.get("fingerprint", "").replace(":", "").replace(" ", "").lower()
            twice = serial in found and found[serial][1] != fingerprint
            if not _SERIAL.match(serial) or not SHA256.match(fingerprint) or twice:
                raise Refused("factory.line", line=number, value=",".join(row)[:80])
            found[serial] = (serial, fingerprint, told.get("vendor", "")[:60])
            if len(found) > MOST_LINES:
                raise Refused("factory.large", most=MOST_LINES)
    except csv.Error:
        raise Refused("factory.columns", columns=", ".join(COLUMNS)) from None
    return list(found.values())


@audit.decided("unit.factory")
def take(ctx: Context, actor: Actor, text: str) -> tuple[int, int]:
    """How many lines are new, and how many units that waited came in by them. All of it or nothing.

    Raises Refused: as `read`, "no_right", "second_factor.needed"; Conflict("factory.other_key", serial) where an
    earlier list says another key.
    """
    actor = actor.need(Right.REVOKE)
    lines, now, new, came = read(text), ctx.wall.now(), 0, 0
    with ctx.db.write() as session:
        for serial, fingerprint, vendor in lines:
            held = session.get(FactoryEntry, serial)
            if held is not None and held.fingerprint != fingerprint:
                raise Conflict("factory.other_key", serial=serial)
            if held is None:
                new += 1
                session.add(
                    FactoryEntry(
                        serial=serial, fingerprint=fingerprint, vendor=vendor, listed_at=now, listed_by=actor.name
                    )
                )
        session.flush()
        listed = {serial: fingerprint for serial, fingerprint, _ in lines}
        waiting = select(Enrolment).where(Enrolment.state == WAITING, Enrolment.expires_at > now)
        for row in list(session.scalars(waiting)):
            if listed.get(row.serial) == row.fingerprint and holder(session, row.serial) is None:
                let_in(ctx, session, row, "", FACTORY, now)
                came += 1
        audit.record(session, now, actor.name, "unit.factory", actor.id, {"lines": len(lines), "new": new, "in": came})
    ctx.wake()
    return new, came
