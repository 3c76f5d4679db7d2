"""The compiler: approved broadcasts become deliveries, deliveries become signed plans."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from broadcasts.clock import unix_ms
from broadcasts.domain.delivery import OPEN
from broadcasts.domain.versions import next_version
from broadcasts.wire import codec
from broadcasts.wire.jws import Typ, digest
from broadcasts.wire.plan import Plan
from broadcasts.wire.topics import MANNERS, In
from broadcasts.wire.trust import Use
from controller.db.tables import (
    Area,
    Asset,
    Assignment,
    Broadcast,
    Cluster,
    Delivery,
    Station,
    Unit,
    UnitPlan,
    UnitStatus,
)
from controller.services import plan_document
from controller.services.context import HORIZON, Context
from controller.services.deliveries import expand

ROLL = timedelta(days=1)
LOOK_AGAIN = timedelta(minutes=10)
BATCH = 200
"""Plans written in one transaction."""


@dataclass(frozen=True)
class _Wanted:
    """One unit's plan as it should be, and what is known of the one it has."""

    plan: Plan
    had: int
    """Version of the stored plan; 0 without one."""
    had_body: str
    seen: int
    dirty_since: datetime | None
    rolls: bool


def step(ctx: Context, now: datetime) -> datetime:
    """Expand, compile what is dirty or due, sign, store. Returns when to look again at the latest."""
    _expand_all(ctx, now)
    with ctx.db.read() as session:
        wanted = _look(session, now)
    signer = ctx.keys.signer(Use.PLAN)
    for start in range(0, len(wanted), BATCH):
        ready: list[tuple[_Wanted, str, Plan | None, bytes]] = []
        for want in wanted[start : start + BATCH]:
            body = plan_document.body_hash(want.plan)
            if body == want.had_body and not want.rolls:
                ready.append((want, body, None, b""))
                continue
            version = next_version(want.had, want.seen, unix_ms(now))
            plan = plan_document.stamp(want.plan, version, now, now + HORIZON)
            document = codec.seal(plan, Typ.PLAN, signer)
            while len(document) > MANNERS[In.PLAN].max_bytes:
                plan = plan_document.shorter(plan)
                document = codec.seal(plan, Typ.PLAN, signer)
            ready.append((want, body, plan, document))
        with ctx.db.write() as session:
            for want, body, made, document in ready:
                _store(session, want, body, made, document, now)
        if any(made is not None for _, _, made, _ in ready):
            ctx.wake()  # there is something to publish
    with ctx.db.read() as session:
        due = session.scalar(select(UnitPlan.due_again).order_by(UnitPlan.due_again).limit(1))
    return min(now + LOOK_AGAIN, due) if due and due > now else now + LOOK_AGAIN


def _expand_all(ctx: Context, now: datetime) -> None:
    """Broadcasts whose deliveries do not reach past the horizon any more."""
    behind = or_(Broadcast.expanded_until.is_(None), Broadcast.expanded_until < now + HORIZON)
    over = (Broadcast.until_day.is_not(None)) & (Broadcast.until_day < (now - timedelta(days=2)).date())
    once_over = (Broadcast.repeat == "once") & (Broadcast.first_day < (now - timedelta(days=2)).date())
    query = select(Broadcast.id).where(Broadcast.status == "approved", behind, ~over, ~once_over)
    with ctx.db.read() as session:
        names = list(session.scalars(query))
    if not names:
        return
    with ctx.db.write() as session:
        for name in names:
            broadcast = session.get_one(Broadcast, name)
            if broadcast.status == "approved":
                expand(session, broadcast, now)


def _look(session: Session, now: datetime) -> list[_Wanted]:
    rows = session.execute(
        select(Unit.id, Assignment, Cluster, Station, UnitPlan, UnitStatus.plan_version, UnitStatus.seen_plan_version)
        .join(Assignment, Assignment.unit_id == Unit.id)
        .join(Cluster, Assignment.cluster_id == Cluster.id)
        .join(Station, Cluster.station_id == Station.id)
        .outerjoin(UnitPlan, UnitPlan.unit_id == Unit.id)
        .outerjoin(UnitStatus, UnitStatus.unit_id == Unit.id)
        .where(
            Unit.revoked_at.is_(None),
            Assignment.until.is_(None),
            or_(UnitPlan.unit_id.is_(None), UnitPlan.dirty_since.is_not(None), UnitPlan.due_again <= now),
        )
        .order_by(Unit.id)
    ).all()
    if not rows:
        return []
    deliveries = _due(session, [row[2].id for row in rows], now)
    assets = _assets(session, {d.asset_sha256 for several in deliveries.values() for d in several})
    provinces = _provinces(session)
    found = []
    for unit, assignment, cluster, station, stored, reported, seen in rows:
        scopes = [provinces[station.area_id], station.scope, unit]
        plan = plan_document.build(
            unit,
            (cluster.id, assignment.since),
            plan_document.policy(station, scopes, now),
            deliveries[cluster.id],
            assets,
        )
        found.append(
            _Wanted(
                plan=plan,
                had=stored.version if stored else 0,
                had_body=stored.body_sha256 if stored else "",
                seen=max(reported or 0, seen or 0),
                dirty_since=stored.dirty_since if stored else None,
                rolls=stored is not None and stored.due_again <= now,
            )
        )
    return found


def _due(session: Session, clusters: Sequence[str], now: datetime) -> dict[str, list[Delivery]]:
    """By cluster, what may still sound and starts within the horizon."""
    found: dict[str, list[Delivery]] = defaultdict(list)
    for delivery in session.scalars(
        select(Delivery).where(
            Delivery.cluster_id.in_(clusters),
            Delivery.state.in_([str(state) for state in OPEN]),
            Delivery.verdict.is_(None),
            or_(Delivery.end > now, Delivery.not_after > now),
            Delivery.start < now + HORIZON,
        )
    ):
        found[delivery.cluster_id].append(delivery)
    return found


def _assets(session: Session, names: set[str]) -> dict[str, Asset]:
    return {row.sha256: row for row in session.scalars(select(Asset).where(Asset.sha256.in_(names)))}


def _provinces(session: Session) -> dict[str, str]:
    """Commune's area id to the scope of its province."""
    areas = {area.id: area for area in session.scalars(select(Area))}

    def top(area: Area) -> str:
        while area.parent_id is not None:
            area = areas[area.parent_id]
        return area.id

    return {name: top(area) for name, area in areas.items()}


def _store(session: Session, want: _Wanted, body: str, plan: Plan | None, document: bytes, now: datetime) -> None:
    """Compare and set: whoever stored a newer plan meanwhile wins, and this one is made again."""
    unit = want.plan.unit
    if plan is None:
        same = (UnitPlan.unit_id == unit, UnitPlan.version == want.had, UnitPlan.dirty_since == want.dirty_since)
        session.execute(update(UnitPlan).where(*same).values(dirty_since=None))
        return
    values = {
        "version": plan.version,
        "body_sha256": body,
        "document": document,
        "document_sha256": digest(document),
        "compiled_at": now,
        "horizon_end": now + HORIZON,
        "due_again": now + ROLL + _jitter(unit),
        "published_at": None,
    }
    stored = session.get(UnitPlan, unit)
    if stored is None:
        # Nobody could mark a plan dirty that was not there yet: look again soon.
        session.add(UnitPlan(unit_id=unit, **{**values, "due_again": now + timedelta(minutes=1)}))
    elif stored.version != want.had:
        return
    else:
        for name, value in values.items():
            setattr(stored, name, value)
        if stored.dirty_since == want.dirty_since:
            stored.dirty_since = None
    session.execute(
        update(Delivery)
        .where(Delivery.id.in_([item.id for item in plan.items]), Delivery.plan_version.is_(None))
        .values(plan_version=plan.version)
    )


def _jitter(unit: str) -> timedelta:
    """Up to an hour earlier, by the unit's name: eighty units do not all ask at once, and runs repeat."""
    return -timedelta(seconds=int.from_bytes(hashlib.sha256(unit.encode()).digest()[:2]) % 3600)
