"""Another unit at a cluster: place, schedule and history stay with the cluster, whatever hangs on the pole (R-085)."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from broadcasts.domain.delivery import State
from broadcasts.errors import Conflict, Refused
from broadcasts.wire.enrol import fingerprint_told, read_code
from controller.db.tables import Assignment, Cluster, Delivery, Enrolment, Hardware, Station, Unit, UnitPlan, UnitStatus
from controller.services import audit, returning, swapped_alerts, swapped_drills, unit_enrolling
from controller.services.context import Context
from controller.services.deliveries import mark_dirty, newest_plans
from controller.services.plan_document import MAX_AUTONOMY_S
from controller.services.rights import Actor, Right
from controller.services.stations import units_of

UNIT = re.compile(r"[a-z0-9][a-z0-9-]{0,31}\Z")
PLAN_HOLDS = timedelta(hours=24)
"""After its horizon (wire.plan.VALID_AFTER_HORIZON_MS)."""
AUTONOMY = timedelta(seconds=MAX_AUTONOMY_S)
SIM = ("sim_operator", "sim_number", "sim_iccid", "sim_quota_mb")
NOT_BEGUN = [str(state) for state in (State.PLANNED, State.PUBLISHED, State.READY)]
LONGEST_REASON = 200


def unit_told(session: Session, told: str) -> str:
    """The unit's id out of what was typed or scanned: what its box says when it joins (the QR text, the ten letters),
    its serial number, the id itself, or an address or a word that ends in it (`https://…/units/u-1`, `loa:u-1`).
    Raises Refused: "swap.code", "swap.unknown"."""
    if code := read_code(told):
        joined = select(Enrolment.unit_id).where(Enrolment.code == code, Enrolment.unit_id.is_not(None))
        if whole := fingerprint_told(told):
            joined = joined.where(Enrolment.fingerprint == whole)
        units = session.scalars(joined.distinct().limit(2)).all()
        if len(units) == 1 and units[0] is not None:
            return units[0]
        if whole:
            raise Refused("swap.unknown", unit=told.strip()[:40])
    if (unit := unit_enrolling.holder(session, told.strip())) is not None:
        return unit
    said = told.strip().split("?")[0].rstrip("/").replace(":", "/").rsplit("/", 1)[-1].strip().lower()
    if not UNIT.match(said):
        raise Refused("swap.code", code=told.strip()[:40])
    return said


@audit.decided("cluster.swap")
def swap(
    ctx: Context, actor: Actor, cluster_id: str, code: str, seen: str | None, *, why: str = "", keeps_sim: bool = False
) -> str:
    """From now on the unit of this code serves the cluster, and the one before serves none; its id. Its plan is
    compiled at once, and the other one gets an empty one.

    `seen`: the unit that the person saw there, "" for none; without it, whichever is there. `keeps_sim`: the SIM was
    put into the new unit. Raises Refused: "no_right", "cluster.unknown", "swap.code", "swap.unknown", "swap.revoked",
    "swap.same", "swap.reason"; Conflict: "swap.serves" (it has a place; it is taken off there first), "swap.changed"
    (somebody was quicker).
    """
    actor, now = actor.need(Right.SWAP), ctx.clock.now()
    with ctx.db.write() as session:
        cluster, station = there(session, actor, cluster_id)
        unit_id, why = unit_told(session, code), reason(why)
        old = serving(session, cluster.id)
        if old == unit_id:
            raise Refused("swap.same", unit=unit_id)
        not_changed(session, old, seen)
        unit = session.get(Unit, unit_id)
        if unit is None:
            raise Refused("swap.unknown", unit=unit_id)
        if unit.revoked_at is not None:
            raise Refused("swap.revoked", unit=unit_id)
        elsewhere = session.execute(
            select(Cluster.name, Station.area_id)
            .join(Assignment, Assignment.cluster_id == Cluster.id)
            .join(Station, Cluster.station_id == Station.id)
            .where(Assignment.unit_id == unit_id, Assignment.until.is_(None))
        ).first()
        if elsewhere is not None:
            raise Conflict("swap.serves", unit=unit_id, cluster=elsewhere[0] if elsewhere[1] in actor.areas else "-")
        if old is not None:
            let_go(session, cluster.id, now)
        session.add(Assignment(unit_id=unit_id, cluster_id=cluster.id, since=now))
        session.flush()
        hand_over(session, cluster.id, old, unit_id, now)
        if keeps_sim and old is not None:
            _move_sim(session, old, unit_id, now)
        mark_dirty(session, [cluster.id], now)
        told = {"old": old or "", "new": unit_id, "why": why, "sim": keeps_sim}
        audit.record(session, now, actor.name, "cluster.swap", cluster.id, told, station.area_id)
    ctx.wake()
    return unit_id


@audit.decided("cluster.release")
def release(ctx: Context, actor: Actor, cluster_id: str, seen: str | None, *, why: str = "") -> None:
    """The unit goes away and nothing hangs there: for the workshop, or stolen. Raises as `swap`, and
    Refused("swap.none")."""
    actor, now, why = actor.need(Right.SWAP), ctx.clock.now(), reason(why)
    with ctx.db.write() as session:
        cluster, station = there(session, actor, cluster_id)
        old = serving(session, cluster.id)
        not_changed(session, old, seen)
        if old is None:
            raise Refused("swap.none")
        let_go(session, cluster.id, now)
        hand_over(session, cluster.id, old, None, now)
        audit.record(session, now, actor.name, "cluster.release", cluster.id, {"old": old, "why": why}, station.area_id)
    ctx.wake()


def let_go(session: Session, cluster_id: str, now: datetime) -> str | None:
    """Within a transaction: whoever serves the cluster serves none from `now` on; who that was. Its plan is marked, so
    that the next compilation empties it; what it says of later than now is no evidence here any more."""
    row = session.scalar(select(Assignment).where(Assignment.cluster_id == cluster_id, Assignment.until.is_(None)))
    if row is None:
        return None
    unit = row.unit_id
    mark_dirty(session, [cluster_id], now)
    plan, status = session.get(UnitPlan, unit), session.get(UnitStatus, unit)
    row.until = now
    row.last_plan = newest_plans(session, [unit]).get(unit, 0)
    row.sounds_until = _sounds_until(plan, status, now)
    session.flush()
    return unit


def _sounds_until(plan: UnitPlan | None, status: UnitStatus | None, now: datetime) -> datetime:
    """If it never hears that it has no place any more. A plan that it may have and we do not know of is no longer than
    ours could be."""
    ends = max(plan.horizon_end + PLAN_HOLDS, now) if plan is not None else now
    heard = status.last_sign if status is not None else None
    return ends if heard is None else max(min(ends, heard + AUTONOMY), now)


def reason(told: str) -> str:
    """Raises Refused("swap.reason")."""
    said = " ".join(told.split())
    if len(said) > LONGEST_REASON or not said.isprintable():
        raise Refused("swap.reason", most=LONGEST_REASON)
    return said


def there(session: Session, actor: Actor, cluster_id: str) -> tuple[Cluster, Station]:
    """A cluster in use of the actor's areas. Raises Refused("cluster.unknown")."""
    cluster = session.get(Cluster, cluster_id)
    station = session.get(Station, cluster.station_id) if cluster else None
    if cluster is None or station is None or station.area_id not in actor.areas or cluster.removed_at is not None:
        raise Refused("cluster.unknown", name=cluster_id[:40])
    return cluster, station


def serving(session: Session, cluster_id: str) -> str | None:
    return units_of(session, [cluster_id]).get(cluster_id)


def not_changed(session: Session, stands: str | None, seen: str | None) -> None:
    """Two persons at one pole: the second one is told. Raises Conflict("swap.changed")."""
    if seen is not None and seen != (stands or ""):
        raise Conflict("swap.changed", unit=stands or "-")


def hand_over(session: Session, cluster_id: str, old: str | None, new: str | None, now: datetime) -> None:
    """What has not begun is the new unit's: nobody has it yet."""
    session.execute(
        update(Delivery)
        .where(Delivery.cluster_id == cluster_id, Delivery.state.in_(NOT_BEGUN), Delivery.start > now)
        .values(unit_id=new, plan_version=None)
    )
    swapped_alerts.follow(session, cluster_id, old, new, now)
    swapped_drills.follow(session, cluster_id, old, new, now)
    if new is None:
        take_off_ahead(session, cluster_id, returning.NO_UNIT, now)
    else:
        returning.by_regulation(session, [cluster_id], now)


def take_off_ahead(session: Session, cluster_id: str, why: str, now: datetime) -> None:
    """What has not begun at the cluster leaves the air for this reason."""
    ahead = session.scalars(
        select(Delivery).where(Delivery.cluster_id == cluster_id, Delivery.state.in_(NOT_BEGUN), Delivery.start > now)
    ).all()
    returning.take_off(session, [(row, why) for row in ahead], now)


def _move_sim(session: Session, old: str, new: str, now: datetime) -> None:
    had = session.get(Hardware, old)
    if had is None:
        return
    gets = session.get(Hardware, new)
    if gets is None:
        gets = Hardware(unit_id=new, changed_at=now)
        session.add(gets)
    values = {name: getattr(had, name) for name in SIM}
    had.sim_operator, had.sim_number, had.sim_iccid, had.sim_quota_mb = "", "", None, None
    had.changed_at = now
    session.flush()  # two rows never have the same card, not even for a moment
    for name, value in values.items():
        setattr(gets, name, value)
    gets.changed_at = now


@dataclass(frozen=True)
class Former:
    """A unit that served the cluster. `silent`: it has reported a plan without this place since, or it serves none
    of ours and its time is over; else it may sound here until `sounds_until`."""

    unit: str
    since: datetime
    until: datetime
    sounds_until: datetime
    silent: bool


def formers(session: Session, clusters: Collection[str], now: datetime, most: int = 20) -> list[Former]:
    """Of these clusters, the last one first."""
    rows = session.execute(
        select(Assignment, UnitStatus.plan_version)
        .outerjoin(UnitStatus, UnitStatus.unit_id == Assignment.unit_id)
        .where(Assignment.cluster_id.in_(clusters), Assignment.until.is_not(None))
        .order_by(Assignment.until.desc(), Assignment.id.desc())
        .limit(most)
    )
    found = []
    for row, applied in rows:
        assert row.until is not None
        ends = row.sounds_until or row.until
        silent = (row.last_plan is not None and (applied or 0) > row.last_plan) or ends <= now
        found.append(Former(row.unit_id, row.since, row.until, ends, silent))
    return found
