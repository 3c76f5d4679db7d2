"""Faults that the controller itself finds in a unit; latched until they are gone (peers.md 6.4)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from controller.db.tables import UnitFault

DETAIL = 500


_STANDING = select(UnitFault.unit_id, UnitFault.detail).where(
    UnitFault.code == bindparam("code"), UnitFault.cleared_at.is_(None)
)


def standing(session: Session, code: str) -> dict[str, str]:
    """Unit to what is told of it."""
    return {row.unit_id: row.detail for row in session.execute(_STANDING, {"code": code})}


def settle(
    session: Session, code: str, found: Mapping[str, str], gone: Collection[str], now: datetime
) -> dict[str, str]:
    """Raise it for the units in `found`, with this detail; clear it for those in `gone`. Gives what is news."""
    stands = (UnitFault.code == code, UnitFault.cleared_at.is_(None))
    before = standing(session, code)
    told = {unit: detail.replace("\x00", "\N{REPLACEMENT CHARACTER}")[:DETAIL] for unit, detail in found.items()}
    news = {unit: detail for unit, detail in told.items() if before.get(unit) != detail}
    for unit, detail in news.items():
        if unit in before:
            session.execute(update(UnitFault).where(*stands, UnitFault.unit_id == unit).values(detail=detail))
        else:
            session.add(UnitFault(unit_id=unit, code=code, detail=detail, raised_at=now))
    if over := [unit for unit in gone if unit in before]:
        session.execute(update(UnitFault).where(*stands, UnitFault.unit_id.in_(over)).values(cleared_at=now))
    return news
