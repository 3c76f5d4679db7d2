"""The compiler: approved broadcasts become deliveries, deliveries become signed plans."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache, partial
from typing import Any

from sqlalchemy import Select, bindparam, exists, func, insert, or_, select, union_all, update
from sqlalchemy.orm import Session

from broadcasts.clock import from_unix_ms, unix_ms
from broadcasts.domain.delivery import OPEN
from broadcasts.domain.versions import next_version
from broadcasts.wire import codec
from broadcasts.wire.jws import SigningKey, Typ, digest
from broadcasts.wire.plan import MAX_AHEAD_MS
from broadcasts.wire.topics import MANNERS, In
from broadcasts.wire.trust import Use
from controller.db.tables import (
    Assignment,
    Cluster,
    Delivery,
    Station,
    Unit,
    UnitPlan,
    UnitStatus,
)
from controller.services import (
    diverging,
    emergency_set,
    emptying,
    expanding,
    faults,
    other_codecs,
    plan_document,
    plan_forms,
    planned,
    returning,
    targets,
    wanting,
)
from controller.services.context import HORIZON, Context
from controller.services.stations import lines

ROLL = timedelta(days=1)
LOOK_AGAIN = timedelta(minutes=10)
LOOK_AHEAD = timedelta(hours=1)
"""How long before its last item a plan that had to be cut is followed by the next."""
REFUSED = "plan_refused"
"""The fault of a unit whose plan cannot be made of what the tables say."""
STILL_OPEN = [str(state) for state in OPEN]
_LOG = logging.getLogger("loa.compiling")
BATCH = 250
"""Plans that are made together and written in one transaction: what lies in memory does not grow with the fleet."""
FIRST = 50
"""Of these, so that the first plans are on their way while the others are made."""


@dataclass(frozen=True)
class _Wanted:
    """One unit's plan as it should be, and what is known of the one it has."""

    unit: str
    draft: plan_forms.Draft
    """Made when its turn comes, so that the first plans leave while the last are not made yet."""
    had: int
    """Version of the stored plan; 0 without one."""
    had_body: str
    seen: int
    dirty_since: datetime | None
    rolls: bool
    unnamed: frozenset[str]
    """Deliveries that no plan of this unit has named yet."""
    unfit: list[str]
    """Deliveries that the hours keep out of it, once it is made."""


@dataclass(frozen=True)
class _Made:
    """What came of one that was wanted. `version` is none where the stored one says the same already; `named`: the
    deliveries in it."""

    want: _Wanted
    body: str
    version: int | None
    document: bytes
    due_again: datetime
    named: Sequence[str] = ()


_NEXT_DUE = select(func.min(UnitPlan.due_again)).where(UnitPlan.due_again > bindparam("now"))


def step(ctx: Context, now: datetime) -> datetime:
    """Expand, compile what is dirty or due, sign, store. Returns when to look again at the latest.

    A unit whose plan cannot be made keeps its mark and gets a fault; nobody else waits for it, and nothing is woken."""
    targets.join_all(ctx, now)
    emptying.step(ctx, now)
    expanding.step(ctx, now)
    with ctx.db.read() as session:
        refused_before = faults.standing(session, REFUSED)
    units = _after_routing(ctx, now)
    signer = ctx.keys.signer(Use.PLAN)
    overtaken = False
    for some in _batches(units):
        with ctx.db.read() as session:
            wanted = _look(session, some, now, ctx.keys.signer(Use.FIRMWARE))
        made, refused = _make_all(wanted, signer, now)
        with ctx.db.write() as session:
            stored = _store(session, made, now)
            news: Mapping[str, str] = {}
            if refused or refused_before:
                news = faults.settle(session, REFUSED, refused, [one.want.unit for one in made], now)
        for unit, why in news.items():
            _LOG.error("the plan of %s cannot be made: %s", unit, why)
        overtaken = overtaken or stored < len(made)
        if any(one.version is not None for one in made):
            ctx.publish_soon()
    if overtaken:
        return now
    with ctx.db.read() as session:
        due = session.scalar(_NEXT_DUE, {"now": now})
    return min(now + LOOK_AGAIN, due) if due else now + LOOK_AGAIN


def _batches(units: Sequence[str]) -> Iterator[Sequence[str]]:
    start, size = 0, FIRST
    while start < len(units):
        yield units[start : start + size]
        start, size = start + size, BATCH


def _after_routing(ctx: Context, now: datetime) -> Sequence[str]:
    """The units to look at, once the priority broadcasts at their clusters are settled by who has the horns now."""
    with ctx.db.read() as session:
        units = _wanting_a_look(session, now)
        if not units or not session.scalar(returning.ANY_ROUTED):
            return units
    some = set(units)
    with ctx.db.write() as session:
        serving = session.execute(select(Assignment.unit_id, Assignment.cluster_id).where(Assignment.until.is_(None)))
        if returning.by_routing(session, {row.cluster_id for row in serving if row.unit_id in some}, now):
            units = _wanting_a_look(session, now)
    return units


def _make_all(wanted: Sequence[_Wanted], signer: SigningKey, now: datetime) -> tuple[list[_Made], dict[str, str]]:
    """What could be made, and why the others could not, by unit."""
    made, refused = [], {}
    for want in wanted:
        try:
            made.append(_make(want, signer, now))
        except (ValueError, TypeError) as failure:  # pydantic's ValidationError is the former
            refused[want.unit] = " ".join(str(failure).split())
    return made, refused


def _make(want: _Wanted, signer: SigningKey, now: datetime) -> _Made:
    said = want.draft.say()
    body = hashlib.sha256(said.body).hexdigest()
    due = now + ROLL + _jitter(want.unit)
    if body == want.had_body and not want.rolls:
        return _Made(want, body, None, b"", due)
    version, named = next_version(want.had, want.seen, unix_ms(now)), said.named
    document = signer.sign(Typ.PLAN, plan_document.dated(said.body, version, now, now + HORIZON))
    if len(document) > MANNERS[In.PLAN].max_bytes:
        plan = plan_document.stamp(want.draft.plan(), version, now, now + HORIZON)
        while len(document) > MANNERS[In.PLAN].max_bytes and plan.items:
            plan = plan_document.shorter(plan)
            document = codec.seal(plan, Typ.PLAN, signer)
        named = [item.id for item in plan.items]
        if named and len(named) < len(said.named):
            # What had to be left out must follow in time.
            due = min(due, max(now + LOOK_AGAIN, from_unix_ms(plan.items[-1].start) - LOOK_AHEAD))
    return _Made(want, body, version, document, due, named)


def _wanting_a_look(session: Session, now: datetime) -> Sequence[str]:
    """Units whose plan is marked or due, and those that have none; each part has its own index."""
    return session.scalars(_wanting(), {"now": now}).all()


@cache
def _wanting() -> Select[str]:
    """Built once: mostly nobody wants anything, and then the building is what costs."""
    none_yet = ~exists().where(UnitPlan.unit_id == Assignment.unit_id)
    serves = exists().where(Assignment.unit_id == Unit.id, Assignment.until.is_(None))
    some = union_all(
        select(UnitPlan.unit_id).where(UnitPlan.dirty_since.is_not(None)),
        select(UnitPlan.unit_id).where(UnitPlan.due_again <= bindparam("now")),
        select(Assignment.unit_id).where(Assignment.until.is_(None), none_yet),
    )
    return select(Unit.id).where(Unit.id.in_(some), Unit.revoked_at.is_(None), serves).order_by(Unit.id)


def _look(session: Session, units: Sequence[str], now: datetime, firmware: SigningKey | None = None) -> list[_Wanted]:
    """Of these, whose plan still has to be looked at."""
    # Columns, not objects: a thousand plans are made anew while somebody waits.
    plan = (UnitPlan.version, UnitPlan.body_sha256, UnitPlan.dirty_since, UnitPlan.due_again)
    status = (
        UnitStatus.plan_version.label("reported"),
        UnitStatus.seen_plan_version.label("seen"),
        UnitStatus.codecs,
    )
    rows = session.execute(
        select(Unit.id, Assignment.since, Cluster.id.label("cluster"), Cluster.site, Cluster.station_id, *plan, *status)
        .join(Assignment, Assignment.unit_id == Unit.id)
        .join(Cluster, Assignment.cluster_id == Cluster.id)
        .outerjoin(UnitPlan, UnitPlan.unit_id == Unit.id)
        .outerjoin(UnitStatus, UnitStatus.unit_id == Unit.id)
        .where(
            Unit.id.in_(units),
            Unit.revoked_at.is_(None),
            Assignment.until.is_(None),
            or_(UnitPlan.unit_id.is_(None), UnitPlan.dirty_since.is_not(None), UnitPlan.due_again <= now),
        )
        .order_by(Unit.id)
    ).all()
    if not rows:
        return []
    deliveries, relays = planned.due(session, [row.cluster for row in rows], now)
    assets = planned.assets(session, {d.asset_sha256 for several in deliveries.values() for d in several})
    theirs = Station.id.in_({row.station_id for row in rows})
    stations = {row.id: row for row in session.scalars(select(Station).where(theirs))}
    areas = {station.area_id for station in stations.values()}
    above = lines(session, areas)
    sets = emergency_set.held_below(session, areas)
    others = other_codecs.known(
        session,
        {*assets, *(each.sha256 for held in sets.values() for each in held.assets)},
        [row.codecs for row in rows],
    )
    wanted = wanting.wants(session, [row.id for row in rows], firmware)
    common = plan_forms.Common(assets, relays, others, now)
    hours = {name: planned.Hours(station, now) for name, station in stations.items()}
    latest = unix_ms(now) + MAX_AHEAD_MS  # no unit applies what is further ahead: it need not be outranked
    found = []
    for row in rows:
        unit, mine, station = row.id, deliveries[row.cluster], stations[row.station_id]
        unfit: list[str] = []
        scopes = [above[station.area_id][-1], station.scope]
        held = sets.get(station.area_id, plan_document.Preloaded())
        found.append(
            _Wanted(
                unit=unit,
                draft=plan_forms.Draft(
                    common,
                    unit,
                    (row.cluster, row.since),
                    station,
                    row.site,
                    scopes,
                    held,
                    wanted.get(unit),
                    row.codecs,
                    partial(hours[station.id].of, mine, unfit),
                ),
                had=row.version or 0,
                had_body=row.body_sha256 or "",
                seen=max(each if each and each <= latest else 0 for each in (row.reported, row.seen)),
                dirty_since=row.dirty_since,
                rolls=row.version is not None and row.due_again <= now,
                unnamed=frozenset(each.id for each in mine if each.plan_version is None or each.unit_id != unit),
                unfit=unfit,
            )
        )
    return found


def _store(session: Session, made: Sequence[_Made], now: datetime) -> int:
    """Compare and set; how many. Whoever stored a newer plan meanwhile wins, and what was changed meanwhile is not said
    as it was before: it may have been withdrawn. These are made again."""
    units = [one.want.unit for one in made]
    known = (UnitPlan.unit_id, UnitPlan.version, UnitPlan.dirty_since, UnitPlan.compiled_at)
    there = session.execute(select(*known).where(UnitPlan.unit_id.in_(units))).all()
    stored = {row.unit_id: (row.version, row.dirty_since) for row in there}
    good = [one for one in made if stored.get(one.want.unit, (0, None)) == (one.want.had, one.want.dirty_since)]
    changed = {one.want.unit: _columns(one, now) for one in good if one.version is not None}
    new = [name for name in changed if name not in stored]
    if new:
        # Nobody could mark a plan that was not there yet: it comes with a mark, and is looked at once more.
        session.execute(insert(UnitPlan), [{"unit_id": name, "dirty_since": now, **changed[name]} for name in new])
    _take_off(session, [name for one in good for name in one.want.unfit], now)
    table: Any = UnitPlan.__table__
    core = session.connection()
    # Looked at under the lock of this transaction: the mark that was seen is the one that goes.
    if renewed := [
        {"unit": name, "dirty_since": None, **columns} for name, columns in changed.items() if name in stored
    ]:
        values: dict[str, Any] = {name: bindparam(name) for name in renewed[0] if name != "unit"}
        core.execute(update(table).where(table.c.unit_id == bindparam("unit")).values(values), renewed)
        lacked = {one.want.unit for one in good if one.want.seen < one.want.had}
        made_at = {row.unit_id: row.compiled_at for row in there}
        diverging.replaced(
            session, {name: made_at[name] if name in lacked else None for name in changed if name in stored}
        )
    if same := [one.want.unit for one in good if one.version is None]:
        core.execute(update(table).where(table.c.unit_id.in_(same)).values(dirty_since=None))
    named = [
        {"name": name, "unit": one.want.unit, "first": one.version}
        for one in good
        if one.version is not None
        for name in one.named
        if name in one.want.unnamed
    ]
    if named:
        # Also where the unit at the cluster was changed since the delivery came into being.
        rows: Any = Delivery.__table__
        query = update(rows).where(rows.c.id == bindparam("name"))
        core.execute(query.values(unit_id=bindparam("unit"), plan_version=bindparam("first")), named)
    return len(good)


def _take_off(session: Session, unfit: Sequence[str], now: datetime) -> None:
    """So that nobody has to guess why no plan names it, and looser hours bring it back."""
    if not unfit:
        return
    rows = session.scalars(select(Delivery).where(Delivery.id.in_(unfit), Delivery.state.in_(STILL_OPEN))).all()
    returning.take_off(session, [(row, "quiet_hours") for row in rows], now)
    session.flush()


def _columns(one: _Made, now: datetime) -> dict[str, Any]:
    return {
        "version": one.version,
        "body_sha256": one.body,
        "document": one.document,
        "document_sha256": digest(one.document),
        "compiled_at": now,
        "horizon_end": now + HORIZON,
        "due_again": one.due_again,
        "published_at": None,
    }


def _jitter(unit: str) -> timedelta:
    """Up to an hour earlier, by the unit's name: eighty units do not all ask at once, and runs repeat."""
    return -timedelta(seconds=int.from_bytes(hashlib.sha256(unit.encode()).digest()[:2]) % 3600)
