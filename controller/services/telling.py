"""The numbers of units that said nothing else: most of what arrives, and nothing follows from them but a row."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import case, or_
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from broadcasts.wire.status import Telemetry
from controller.db.tables import UnitStatus
from controller.services.heard import Heard


def kept(message: Telemetry) -> dict[str, Any]:
    """As the row of the unit has it."""
    return message.model_dump(mode="json", exclude={"v", "unit"})


def take_in(session: Session, heard: Sequence[Heard], but: Collection[str] = ()) -> list[Heard]:
    """Write the last numbers of each unit that spoke of nothing else, without looking at what is known of it; what
    remains to be taken in. `but`: units of which there is something else to say."""
    more = {one.unit for one in heard if not isinstance(one.message, Telemetry)} | set(but)
    rows: dict[str, dict[str, Any]] = {}
    for one in heard:
        if one.unit in more or not isinstance(one.message, Telemetry):
            continue
        sign = rows.get(one.unit, {}).get("last_sign")
        if not one.retained and (sign is None or one.at > sign):
            sign = one.at
        rows[one.unit] = {
            "unit_id": one.unit,
            "telemetry": kept(one.message),
            "telemetry_at": one.at,
            "last_sign": sign,
        }
    if rows:
        session.connection().execute(_WRITE[session.get_bind().dialect.name], list(rows.values()))
    return [one for one in heard if one.unit in more]


def _written(insert: Any) -> Any:
    made = insert(UnitStatus.__table__)
    told, sign = made.excluded, UnitStatus.__table__.c.last_sign
    newer = or_(sign.is_(None), told.last_sign > sign)
    return made.on_conflict_do_update(
        index_elements=["unit_id"],
        set_={
            "telemetry": told.telemetry,
            "telemetry_at": told.telemetry_at,
            "last_sign": case((newer, told.last_sign), else_=sign),
        },
    )


_WRITE = {"sqlite": _written(sqlite.insert), "postgresql": _written(postgresql.insert)}
