"""Since when a unit has not come to what is wanted of it: a newer plan does not make its lag shorter."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from controller.db.tables import Divergence


def replaced(session: Session, plans: Mapping[str, datetime | None]) -> None:
    """In the transaction that puts a newer plan in the place of one: by unit, when the one before was made where the
    unit did not come to it, none where it did. Who was behind already stays so from then on."""
    had = set(session.scalars(select(Divergence.unit_id).where(Divergence.unit_id.in_(plans))))
    if over := [unit for unit in had if plans[unit] is None]:
        session.execute(delete(Divergence).where(Divergence.unit_id.in_(over)))
    session.add_all(
        Divergence(unit_id=unit, since=made) for unit, made in plans.items() if made is not None and unit not in had
    )


def since(session: Session, unit: str, made: datetime | None) -> datetime | None:
    """Of a unit that lacks the plan of `made`: since when it has not had its newest plan."""
    row = session.get(Divergence, unit)
    return made if row is None or made is None else min(row.since, made)
