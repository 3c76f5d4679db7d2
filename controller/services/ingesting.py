"""What units say becomes status, evidence and verdicts. Idempotent: everything may arrive twice, late or again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Any

from sqlalchemy import BindParameter, bindparam, or_, select
from sqlalchemy.orm import Session

from broadcasts.clock import unix_ms
from broadcasts.domain.delivery import Actor, State
from broadcasts.domain.presence import newer
from broadcasts.wire import codec, topics
from broadcasts.wire.base import Message
from broadcasts.wire.plan import MAX_AHEAD_MS
from broadcasts.wire.status import Presence, PresenceState, Reported, Telemetry
from broadcasts.wire.topics import Out
from controller.db.tables import Delivery, UnitPlan, UnitStatus
from controller.services import alert_evidence, commanding, journals, other_codecs, quarantine, telling
from controller.services.deliveries import move_all
from controller.services.heard import Bad, Heard, Tally
from controller.services.journal_marks import Marks, complete

BOOT_AHEAD = timedelta(days=1)
"""A boot id is at most the Unix seconds of a trusted time (CONTRACT.md, section 9)."""
# Made once: units talk all day, and to build a statement costs more than to run it.
_UNITS: BindParameter[list[str]] = bindparam("units", expanding=True)
_STATUSES = select(UnitStatus).where(UnitStatus.unit_id.in_(_UNITS))
_PLANS = select(UnitPlan.unit_id, UnitPlan.version, UnitPlan.published_at).where(UnitPlan.unit_id.in_(_UNITS))
_AHEAD = (State.PLANNED, State.PUBLISHED)
_OPEN = select(Delivery.id, Delivery.state, Delivery.unit_id, Delivery.plan_version, Delivery.asset_sha256).where(
    Delivery.unit_id.in_(_UNITS),
    Delivery.state.in_([str(state) for state in (*_AHEAD, State.READY)]),
    Delivery.end > bindparam("at"),
)
_UNREADY = _OPEN.where(
    or_(
        Delivery.state.in_([str(state) for state in _AHEAD]),
        # Ready, and named by a plan that the unit had not got before: that was another unit at its cluster.
        Delivery.plan_version > bindparam("had"),
    )
)


class _Change(IntEnum):
    """Of plan and files together."""

    GAINED = 1
    """Nothing that was ready can have ceased to be."""
    LOST = 2


Plans = Mapping[str, tuple[int, datetime | None]]
"""Version and time of publication of the plans that stand, by unit."""


def apply(
    session: Session, heard: Sequence[Heard], bad: Sequence[Bad] = (), seen: Mapping[str, int] | None = None
) -> Tally:
    """All of a batch in the caller's transaction. `seen`: versions of our own plans found retained, by unit."""
    tally, seen = Tally(), seen or {}
    heard, unbelievable = _believable(heard)
    tally.put_aside += [one.reason for one in unbelievable]
    heard = telling.take_in(session, heard, but=seen.keys())
    statuses = _statuses(session, {one.unit for one in heard} | seen.keys())
    stored = _plans(session, list(seen))
    for unit, version in seen.items():
        statuses[unit].seen_plan_version = max(version, statuses[unit].seen_plan_version)
        tally.outranked += unit in stored and version > stored[unit][0]
    marks = Marks(session, list(statuses))
    had = {unit: status.plan_version or 0 for unit, status in statuses.items()}
    with session.no_autoflush:
        changed = _take_statuses(session, heard, statuses, marks, tally)
    session.flush()
    _readiness(session, statuses, had, changed)
    births = [one for one in heard if isinstance(one.message, Presence) and one.message.state is PresenceState.ONLINE]
    there = {one.unit for one in births if statuses[one.unit].connected}
    if there and commanding.connected(session, there, max(one.at for one in births)):
        tally.commands_due = True
    tally.sirens += alert_evidence.take_in(session, journals.take_in(session, heard, statuses, marks, tally))
    quarantine.put_aside(session, [*bad, *unbelievable])
    return tally


def _believable(heard: Sequence[Heard]) -> tuple[list[Heard], list[Bad]]:
    """Nobody signs what a unit says of itself, and numbers that never go back would follow a lie for ever: one plan
    version out of the far future, and no unit would take the next plan."""
    good, bad = [], []
    for one in heard:
        far = _far_future(one.message, one.at)
        if far is None:
            good.append(one)
        else:
            out = Out.REPORTED if isinstance(one.message, Reported) else Out.PRESENCE
            bad.append(Bad(topics.from_unit(one.unit, out), "far_future", far, codec.encode(one.message), one.at))
    return good, bad


def _far_future(message: Message, at: datetime) -> str | None:
    """What is too far ahead of `at` to be true."""
    if isinstance(message, Presence | Reported) and message.boot_id > (at + BOOT_AHEAD).timestamp():
        return f"boot_id {message.boot_id}"
    if isinstance(message, Reported) and (message.plan_version or 0) > unix_ms(at) + MAX_AHEAD_MS:
        return f"plan_version {message.plan_version}"
    return None


def _take_statuses(
    session: Session, heard: Sequence[Heard], statuses: Mapping[str, UnitStatus], marks: Marks, tally: Tally
) -> dict[str, _Change]:
    """All but journals; by unit, whose plan or files changed, and how."""
    changed: dict[str, _Change] = {}
    plans = _plans(session, [one.unit for one in heard if isinstance(one.message, Reported)])
    for one in heard:
        status = statuses[one.unit]
        if not one.retained and (status.last_sign is None or one.at > status.last_sign):
            status.last_sign = one.at
        match one.message:
            case Presence():
                _presence(status, one.message, one.at)
            case Reported():
                change = _reported(session, status, one.message, one.at, plans, marks, tally)
                if change is not None:
                    changed[one.unit] = max(change, changed.get(one.unit, change))
            case Telemetry():
                status.telemetry, status.telemetry_at = telling.kept(one.message), one.at
    return changed


def _plans(session: Session, units: Sequence[str]) -> Plans:
    if not units:
        return {}
    return {unit: (version, published) for unit, version, published in session.execute(_PLANS, {"units": list(units)})}


def _statuses(session: Session, units: set[str]) -> dict[str, UnitStatus]:
    known = {row.unit_id: row for row in session.scalars(_STATUSES, {"units": list(units)})}
    for unit in units - known.keys():
        known[unit] = UnitStatus(unit_id=unit, seen_plan_version=0)
        session.add(known[unit])
    return known


def _presence(status: UnitStatus, message: Presence, at: datetime) -> None:
    ours = (status.boot_id, status.conn) if status.boot_id is not None and status.conn is not None else None
    if not newer(ours, (message.boot_id, message.conn)):
        return
    connected = message.state is PresenceState.ONLINE
    if status.connected is not connected:
        status.presence_at = at
    status.boot_id, status.conn, status.connected = message.boot_id, message.conn, connected


def _reported(
    session: Session, status: UnitStatus, message: Reported, at: datetime, plans: Plans, marks: Marks, tally: Tally
) -> _Change | None:
    """How plan or files changed, if they did."""
    if status.boot_id is not None and message.boot_id < status.boot_id:
        return None
    before = (status.plan_version, status.held)
    if message.plan_version is not None and message.plan_version != status.plan_version:
        tally.outranked += status.unit_id in plans and message.plan_version > plans[status.unit_id][0]
        tally.applied += _apply_lag(plans.get(status.unit_id), status, message.plan_version, at)
    status.plan_version, status.plan_hash = message.plan_version, message.plan_hash
    status.trust_version, status.alert_versions = message.trust_version, dict(message.alerts)
    status.held = list(message.assets)
    tally.plays_other |= other_codecs.taught(session, status, message.codecs, at)
    status.reported = message.model_dump(mode="json", exclude={"v", "unit", "assets"})
    status.reported_at = at
    if message.journal_id is not None:
        marks.present(status, message.journal_id, at)
        # An empty journal has no mark. Entries that we never saw, were they acknowledged before we were restored, only
        # our word brings back.
        mark = marks.begun(status.unit_id, message.journal_id, at) if message.journal_seq else None
        complete(status, mark)
    return _change(*before, status)


def _change(version: int | None, held: Sequence[str] | None, now: UnitStatus) -> _Change | None:
    """From the plan and the files before to those in `now`."""
    if (version, held) == (now.plan_version, now.held):
        return None
    if version is None or held is None or now.plan_version is None or now.plan_version < version:
        return _Change.LOST
    return _Change.GAINED if set(held) <= set(now.held) else _Change.LOST


def _apply_lag(plan: tuple[int, datetime | None] | None, status: UnitStatus, version: int, at: datetime) -> list[float]:
    """Only where the unit was connected when the plan left: else it would measure how long the unit was away."""
    if plan is None or plan[0] != version or plan[1] is None or not status.connected:
        return []
    if status.presence_at is not None and status.presence_at > plan[1]:
        return []
    return [(at - plan[1]).total_seconds()]


def _readiness(
    session: Session, statuses: Mapping[str, UnitStatus], had: Mapping[str, int], changed: Mapping[str, _Change]
) -> None:
    """Ready is: the plan that names it is applied, and the file is held. `had`: versions of plans before."""
    if not changed:
        return
    told = {unit: statuses[unit] for unit in changed}
    at = min(status.reported_at for status in told.values() if status.reported_at is not None)
    held = other_codecs.held(session, told)
    ready: list[tuple[str, str]] = []
    lost: list[tuple[str, str]] = []
    rows: list[Any] = []
    for change, query in ((_Change.GAINED, _UNREADY), (_Change.LOST, _OPEN)):
        if units := [unit for unit, its in changed.items() if its is change]:
            rows += session.execute(query, {"units": units, "at": at, "had": min(had[unit] for unit in units)})
    for row in rows:
        applied = row.plan_version is not None and (told[row.unit_id].plan_version or 0) >= row.plan_version
        if applied and row.asset_sha256 in held[row.unit_id]:
            ready.append((row.id, row.state))
        elif row.state == State.READY:
            lost.append((row.id, row.state))
    move_all(session, ready, State.READY, Actor.UNIT, at, "plan applied, file held")
    move_all(session, lost, State.PUBLISHED, Actor.UNIT, at, "plan or file lost")
