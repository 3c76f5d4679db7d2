"""What units say becomes status, evidence and verdicts. Idempotent: everything may arrive twice, late or again."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Any

from sqlalchemy import BindParameter, Select, bindparam, func, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from broadcasts.clock import from_unix_ms, unix_ms
from broadcasts.domain.delivery import Actor, State
from broadcasts.domain.presence import newer
from broadcasts.wire import codec, topics
from broadcasts.wire.base import Message
from broadcasts.wire.journal import (
    AnyEntry,
    CommandResult,
    Ended,
    Envelope,
    FaultEntry,
    JournalBatch,
    OtherEntry,
    Skipped,
    Started,
)
from broadcasts.wire.plan import MAX_AHEAD_MS
from broadcasts.wire.status import Presence, PresenceState, Reported, Telemetry
from broadcasts.wire.topics import Out
from controller.db.tables import (
    Delivery,
    JournalEntry,
    JournalMark,
    Unit,
    UnitPlan,
    UnitStatus,
)
from controller.services import answering, commanding, evidence, hearing, other_codecs, quarantine
from controller.services.correcting import touched_by
from controller.services.deliveries import move_all
from controller.services.heard import Bad, Heard, Tally

OTHER = "other"
"""How an entry of an unknown kind is filed; the row keeps its own word."""
BOOT_AHEAD = timedelta(days=1)
"""A boot id is at most the Unix seconds of a trusted time (CONTRACT.md, section 9)."""
# Made once: units talk all day, and to build a statement costs more than to run it.
_UNITS: BindParameter[list[str]] = bindparam("units", expanding=True)
_STATUSES = select(UnitStatus).where(UnitStatus.unit_id.in_(_UNITS))
_MARKS = select(JournalMark).where(JournalMark.unit_id.in_(_UNITS))
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
_BEYOND = (
    select(JournalEntry.seq)
    .where(
        JournalEntry.unit_id == bindparam("unit"),
        JournalEntry.journal_id == bindparam("journal"),
        JournalEntry.seq > bindparam("reached"),
    )
    .order_by(JournalEntry.seq)
)
_KEEP = {
    name: insert(JournalEntry.__table__).on_conflict_do_nothing().returning(JournalEntry.seq)  # type: ignore[arg-type]
    for name, insert in (("sqlite", sqlite.insert), ("postgresql", postgresql.insert))
}
_LEFT_OUT = {"envelope": {"data"}}
"""Kept elsewhere, as bytes (`db.ears`)."""


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
    statuses = _statuses(session, {one.unit for one in heard} | seen.keys())
    stored = _plans(session, list(seen))
    for unit, version in seen.items():
        statuses[unit].seen_plan_version = max(version, statuses[unit].seen_plan_version)
        tally.outranked += unit in stored and version > stored[unit][0]
    units = list(statuses)
    # Held so that the session finds them without asking for each.
    marks = session.scalars(_MARKS, {"units": units}).all()
    had = {unit: status.plan_version or 0 for unit, status in statuses.items()}
    with session.no_autoflush:
        changed = _take_statuses(session, heard, statuses, tally)
    session.flush()
    _readiness(session, statuses, had, changed)
    births = [one for one in heard if isinstance(one.message, Presence) and one.message.state is PresenceState.ONLINE]
    there = {one.unit for one in births if statuses[one.unit].connected}
    if there and commanding.connected(session, there, max(one.at for one in births)):
        tally.commands_due = True
    for one in heard:
        if isinstance(one.message, JournalBatch):
            _journal(session, statuses[one.unit], one, one.message, tally)
    del marks
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
    session: Session, heard: Sequence[Heard], statuses: Mapping[str, UnitStatus], tally: Tally
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
                change = _reported(session, status, one.message, one.at, plans, tally)
                if change is not None:
                    changed[one.unit] = max(change, changed.get(one.unit, change))
            case Telemetry():
                status.telemetry = one.message.model_dump(mode="json", exclude={"v", "unit"})
                status.telemetry_at = one.at
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
    session: Session, status: UnitStatus, message: Reported, at: datetime, plans: Plans, tally: Tally
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
        _present_journal(session, status, message.journal_id, at)
        # An empty journal has no mark, and the session would ask for it each time.
        mark = session.get(JournalMark, (status.unit_id, message.journal_id)) if message.journal_seq else None
        if mark is None and message.journal_seq:
            # Entries that we never saw. Were they acknowledged before we were restored, only our word brings them back.
            mark = _mark(session, status.unit_id, message.journal_id, at)
        _complete(status, mark)
    return _change(*before, status)


def _change(version: int | None, held: Sequence[str] | None, now: UnitStatus) -> _Change | None:
    """From the plan and the files before to those in `now`."""
    if (version, held) == (now.plan_version, now.held):
        return None
    if version is None or held is None or now.plan_version is None or now.plan_version < version:
        return _Change.LOST
    return _Change.GAINED if set(held) <= set(now.held) else _Change.LOST


def _present_journal(session: Session, status: UnitStatus, journal_id: str, at: datetime) -> None:
    """The first journal of a unit reaches back to its enrolment; another one only to when we first heard of it: what
    the storage that died knew, nobody knows."""
    if status.journal_id == journal_id:
        return
    first = status.journal_id is None and not session.scalar(_other_journals(status.unit_id, journal_id))
    status.complete_from = session.get_one(Unit, status.unit_id).enrolled_at if first else at
    status.journal_id = journal_id


def _other_journals(unit: str, journal_id: str) -> Select[int]:
    others = (JournalMark.unit_id == unit, JournalMark.journal_id != journal_id)
    return select(func.count()).select_from(JournalMark).where(*others)


def _complete(status: UnitStatus, mark: JournalMark | None) -> None:
    """Once the last entry that the unit named is here, its silence about a delivery is evidence too. A unit that does
    not know what time it is cannot say until when."""
    told = status.reported
    if not told or status.reported_at is None or told.get("journal_id") is None or not told["clock"]["trusted"]:
        return
    last = int(told.get("journal_seq", 0))
    if last == 0 or (mark is not None and mark.journal_id == told["journal_id"] and mark.seq >= last):
        said = min(from_unix_ms(int(told["at"])), status.reported_at)
        status.complete_at = max(said, status.complete_at or said)


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


def _journal(session: Session, status: UnitStatus, one: Heard, batch: JournalBatch, tally: Tally) -> None:
    mark = session.get(JournalMark, (one.unit, batch.journal_id))
    if mark is None:
        mark = _mark(session, one.unit, batch.journal_id, one.at)
        _present_journal(session, status, batch.journal_id, one.at)
    fresh = _insert(session, one, batch)
    tally.entries += len(fresh)
    tally.put_aside += ["unknown_entry" for entry in fresh if isinstance(entry, OtherEntry)]
    _jumped(session, status, mark, batch.oldest, one.at)
    mark.seq, mark.at = _reached(session, mark, batch.oldest), one.at
    # Said again although we had it: our acknowledgement was lost, or the unit was restored.
    mark.acked_seq = -1
    _complete(status, mark)
    items = {entry.item for entry in fresh if isinstance(entry, Started | Ended | Skipped)}
    for entry in fresh:
        if isinstance(entry, FaultEntry):
            evidence.fault(session, one.unit, batch.journal_id, entry)
            items |= touched_by(session, one.unit, batch.journal_id, entry)
    evidence.settle(session, one, items, tally)
    envelopes = [entry for entry in fresh if isinstance(entry, Envelope)]
    if envelopes:
        tally.envelopes += hearing.take_in(session, one, batch.journal_id, envelopes)
    results = [entry for entry in fresh if isinstance(entry, CommandResult)]
    if results and answering.settle(session, one.unit, results, one.at, one.signed):
        tally.commands_due = True


def _mark(session: Session, unit: str, journal_id: str, at: datetime) -> JournalMark:
    mark = JournalMark(unit_id=unit, journal_id=journal_id, seq=0, at=at, acked_seq=-1)
    session.add(mark)
    session.flush()  # the same batch may name it again
    return mark


def _reached(session: Session, mark: JournalMark, oldest: int) -> int:
    """The last entry before the first gap, whatever came earlier beyond it."""
    reached = max(mark.seq, oldest - 1)
    here = {"unit": mark.unit_id, "journal": mark.journal_id, "reached": reached}
    for seq in session.scalars(_BEYOND, here):
        if seq != reached + 1:
            break
        reached = seq
    return reached


def _jumped(session: Session, status: UnitStatus, mark: JournalMark, oldest: int, at: datetime) -> None:
    """What the unit threw away before it came here may have told of anything, up to the oldest entry it still has."""
    if oldest - 1 <= mark.seq or mark.journal_id != status.journal_id:
        return
    here = (JournalEntry.unit_id == mark.unit_id, JournalEntry.journal_id == mark.journal_id)
    between = (JournalEntry.seq > mark.seq, JournalEntry.seq < oldest)
    known = session.scalar(select(func.count()).select_from(JournalEntry).where(*here, *between)) or 0
    if known == oldest - 1 - mark.seq:
        return
    first = session.scalars(
        select(JournalEntry).where(*here, JournalEntry.seq >= oldest).order_by(JournalEntry.seq).limit(1)
    ).first()
    dated = first is not None and first.entry.get("clock_error_ms") is not None
    since = min(first.at, at) if first is not None and dated else at
    status.complete_from = max(since, status.complete_from or since)


def _insert(session: Session, one: Heard, batch: JournalBatch) -> list[AnyEntry]:
    """The entries that were not here before."""
    rows: list[dict[str, Any]] = [
        {
            "unit_id": one.unit,
            "journal_id": batch.journal_id,
            "seq": entry.seq,
            "kind": OTHER if isinstance(entry, OtherEntry) else entry.kind,
            # What a kind means that we do not know, we do not know: it is evidence of nothing.
            "item": None if isinstance(entry, OtherEntry) else getattr(entry, "item", None),
            "at": from_unix_ms(entry.at),
            "received_at": one.at,
            "boot_id": batch.boot_id,
            "signed": one.signed,
            # By way of text: what a database cannot keep (a NaN of a newer unit) has become null.
            "entry": json.loads(entry.model_dump_json(exclude_none=True, exclude=_LEFT_OUT.get(entry.kind))),
        }
        for entry in batch.entries
    ]
    session.flush()  # a unit's status comes before what it did
    keep = _KEEP[session.get_bind().dialect.name]
    new = set(session.connection().execute(keep, rows).scalars())
    told: dict[int, AnyEntry] = {}
    for entry in batch.entries:
        told.setdefault(entry.seq, entry)
    return [told[seq] for seq in sorted(new)]
