"""The units as a page shows them: who asks to be let in, who is in and by what, and who is out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from controller.db.tables import (
    Assignment,
    Cluster,
    Enrolment,
    FactoryEntry,
    Revocation,
    Station,
    Unit,
    UnitCertificate,
)
from controller.services.rights import Actor
from controller.services.unit_enrolling import WAITING, holder

MOST = 200


@dataclass(frozen=True)
class WaitingLine:
    """`trouble`: "taken" (by `unit`), "not_listed" (another key than the factory's list says), "twice" (several keys
    say this serial number), or ""."""

    row: Enrolment
    trouble: str
    unit: str = ""

    @property
    def code(self) -> str:
        return f"{self.row.code[:5]}-{self.row.code[5:]}"

    @property
    def fingerprint(self) -> str:
        return " ".join(self.row.fingerprint[start : start + 4] for start in range(0, 64, 4))


@dataclass(frozen=True)
class UnitLine:
    """`identity`: certificate, key (signs, and shows a password at the broker), password (signs nothing), revoked."""

    unit: Unit
    identity: str
    cluster: Cluster | None
    until: datetime | None
    """End of its newest certificate."""
    revocation: Revocation | None


def waiting(session: Session, now: datetime) -> list[WaitingLine]:
    """The oldest first."""
    rows = session.scalars(
        select(Enrolment)
        .where(Enrolment.state == WAITING, Enrolment.expires_at > now)
        .order_by(Enrolment.asked_at, Enrolment.id)
        .limit(MOST)
    ).all()
    several = Counter(row.serial for row in rows)
    return [_waiting(session, row, several) for row in rows]


def _waiting(session: Session, row: Enrolment, several: Mapping[str, int]) -> WaitingLine:
    if (unit := holder(session, row.serial)) is not None:
        return WaitingLine(row, "taken", unit)
    listed = session.get(FactoryEntry, row.serial)
    if listed is not None and listed.fingerprint != row.fingerprint:
        return WaitingLine(row, "not_listed")
    return WaitingLine(row, "twice" if several[row.serial] > 1 else "")


def lines(session: Session, actor: Actor, find: str = "", *, revoked: bool = False) -> list[UnitLine]:
    """Of the actor's area, now or last (as `unit_revoking.area_of`), and those that never served anywhere; at most
    `MOST`, by name."""
    last = (
        select(Assignment.id)
        .where(Assignment.unit_id == Unit.id)
        .order_by(Assignment.until.is_not(None), Assignment.since.desc())
        .limit(1)
        .correlate(Unit)
        .scalar_subquery()
    )
    query = (
        select(Unit, Cluster, Revocation, Assignment.until)
        .outerjoin(Assignment, Assignment.id == last)
        .outerjoin(Cluster, Cluster.id == Assignment.cluster_id)
        .outerjoin(Station, Station.id == Cluster.station_id)
        .outerjoin(Revocation, Revocation.unit_id == Unit.id)
        .where(or_(Station.area_id.in_(actor.areas), Station.area_id.is_(None)))
        .where(Unit.revoked_at.is_not(None) if revoked else Unit.revoked_at.is_(None))
        .order_by(Unit.id)
        .limit(MOST)
    )
    if words := find.strip():
        like = f"%{words.replace('%', '').replace('_', '')}%"
        query = query.where(or_(Unit.id.ilike(like), Cluster.name.ilike(like)))
    found = session.execute(query).all()
    ends: dict[str, datetime] = {}
    held = select(UnitCertificate).where(UnitCertificate.unit_id.in_([row.Unit.id for row in found]))
    for each in session.scalars(held):
        ends[each.unit_id] = max(each.expires_at, ends.get(each.unit_id, each.expires_at))
    return [
        UnitLine(
            unit, identity_of(unit, unit.id in ends), cluster if gone is None else None, ends.get(unit.id), revocation
        )
        for unit, cluster, revocation, gone in found
    ]


def identity_of(unit: Unit, certified: bool) -> str:
    if unit.revoked_at is not None:
        return "revoked"
    if unit.password_only:
        return "password"
    return "certificate" if certified else "key"
