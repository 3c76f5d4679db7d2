"""A unit that is out, at once and for good: stolen, lost, broken (R-084). From this transaction on nothing that it says
counts, no file is given to it, and no plan names it; the broker hears of it a moment later (`unit_clearing`)."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.errors import Conflict, Refused
from controller.db.tables import Assignment, Cluster, Revocation, Station, Unit
from controller.services import audit
from controller.services.context import Context
from controller.services.rights import Actor, Right


class RevokeKind(StrEnum):
    STOLEN = "stolen"
    LOST = "lost"
    BROKEN = "broken"
    RETIRED = "retired"
    OTHER = "other"


@audit.decided("unit.revoke")
def revoke(ctx: Context, actor: Actor, unit: str, kind: str, reason: str) -> None:
    """Raises Refused: "no_right", "second_factor.needed", "second_factor.again", "unit.not_here" (or not in the
    person's area), "choice.unknown", "reason.missing"; Conflict("unit.revoked")."""
    actor = actor.need(Right.REVOKE)
    with ctx.db.write() as session:
        area = area_of(session, unit)
        if session.get(Unit, unit) is None or (area is not None and area not in actor.areas):
            raise Refused("unit.not_here", unit=unit[:40])
        revoke_now(ctx, session, unit, kind, reason, actor.name)
        actor.freshly(ctx.wall.now(), ctx.people.fresh_code)  # asked last: nobody gives a code for what is refused
    ctx.wake()


def revoke_now(ctx: Context, session: Session, unit: str, kind: str, reason: str, by: str) -> None:
    """As `revoke`, for whoever sits at the machine itself, and for what swaps one unit for another."""
    now, row = ctx.clock.now(), session.get(Unit, unit)
    if row is None:
        raise Refused("unit.not_here", unit=unit[:40])
    if kind not in tuple(RevokeKind):
        raise Refused("choice.unknown", name="kind", value=kind[:20])
    if not reason.strip():
        raise Refused("reason.missing")
    if row.revoked_at is not None:
        raise Conflict("unit.revoked", unit=unit)
    row.revoked_at = now
    session.add(Revocation(unit_id=unit, at=now, by=by, kind=kind, reason=reason.strip()[:300]))
    audit.record(session, now, by, "unit.revoke", unit, {"kind": kind, "reason": reason.strip()[:300]})


def area_of(session: Session, unit: str) -> str | None:
    """Of the station whose cluster the unit serves now, or served last; none for one that never served any."""
    return session.scalar(
        select(Station.area_id)
        .join(Cluster, Cluster.station_id == Station.id)
        .join(Assignment, Assignment.cluster_id == Cluster.id)
        .where(Assignment.unit_id == unit)
        .order_by(Assignment.until.is_not(None), Assignment.since.desc())
        .limit(1)
    )
