"""What is known of units, put together for the rule of health (`broadcasts.domain.health`)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, case, select
from sqlalchemy.orm import Session

from broadcasts.clock import from_unix_ms
from broadcasts.domain.health import Numbers, Proof, Seen
from broadcasts.domain.horn_baseline import Horns
from broadcasts.domain.verdict import Verdict
from broadcasts.wire.journal import Amplifier
from broadcasts.wire.status import CommandKind
from controller.db.tables import Command, Delivery, Hardware, JournalEntry, Unit, UnitFault, UnitHealth, UnitStatus

KEPT = timedelta(hours=12)
"""So long connections and boots are counted back."""
MOST_KEPT = 60
MOST_BOOTS = 20
"""More at once is a counter that was lost."""
LOST = {"ear_other", "ear_silent", "ear_partly"}
"""Reasons of a verdict by which the ear denied what the amplifier took for good."""
CLOSED = "line closed"
_NEEDED = {"at", "power", "volts", "temperature_c", "signal_dbm", "storage_free_mb"}


@dataclass(frozen=True)
class Place:
    """A unit at a cluster now."""

    unit: str
    cluster: str
    area: str
    province: str


@dataclass
class Known:
    """One unit: what the rule asks for, and the row that remembers."""

    place: Place
    seen: Seen
    row: UnitHealth


def gather(session: Session, places: Sequence[Place], now: datetime) -> list[Known]:
    """Of each place; takes in soundings and tests that came since the last look."""
    units = [place.unit for place in places]
    statuses = {row.unit_id: row for row in session.scalars(select(UnitStatus).where(UnitStatus.unit_id.in_(units)))}
    rows = {row.unit_id: row for row in session.scalars(select(UnitHealth).where(UnitHealth.unit_id.in_(units)))}
    enrolled = {row[0]: row[1] for row in session.execute(select(Unit.id, Unit.enrolled_at).where(Unit.id.in_(units)))}
    quotas = select(Hardware.unit_id, Hardware.sim_quota_mb).where(Hardware.unit_id.in_(units))
    quota = {row[0]: row[1] for row in session.execute(quotas)}
    raised: dict[str, dict[str, tuple[datetime, str]]] = defaultdict(dict)
    standing = select(UnitFault).where(UnitFault.unit_id.in_(units), UnitFault.cleared_at.is_(None))
    for fault in session.scalars(standing):
        raised[fault.unit_id][fault.code] = (min(fault.raised_at, now), fault.detail)
    tests = _tests(session, units, now)
    entries = _entries(session, units)
    ready: list[tuple[Place, UnitHealth, UnitStatus | None]] = []
    for place in places:
        row = rows.get(place.unit)
        if row is None:
            row = UnitHealth(
                unit_id=place.unit, looked_at=now, memory={}, horns={}, proof={}, connections=[], boots=[],
                journal_id="", seq=0,
            )  # fmt: skip
            session.add(row)
        status = statuses.get(place.unit)
        if status is not None:
            _count(row, status, now)
            _soundings(row, status, entries[place.unit])
        _test(row, tests.get(place.unit))
        ready.append((place, row, status))
    denied = _denied(session, [row for _, row, _ in ready])
    found = []
    for place, row, status in ready:
        proof = _proof(row, denied)
        unit = place.unit
        seen = _seen(row, status, proof, enrolled.get(unit), raised[unit], quota.get(unit))
        found.append(Known(place, seen, row))
    return found


def _seen(
    row: UnitHealth,
    status: UnitStatus | None,
    proof: Proof | None,
    enrolled: datetime | None,
    raised: Mapping[str, tuple[datetime, str]],
    quota: int | None,
) -> Seen:
    if status is None:
        return Seen(enrolled_at=enrolled, raised=raised, quota_mb=quota)
    clock = (status.reported or {}).get("clock") or {}
    return Seen(
        enrolled_at=enrolled,
        connected=status.connected,
        presence_at=status.presence_at,
        last_sign=status.last_sign,
        numbers=_numbers(status),
        raised=raised,
        clock_trusted=clock.get("trusted"),
        reported_at=status.reported_at,
        connections=[datetime.fromisoformat(at) for at in row.connections],
        boots=[datetime.fromisoformat(at) for at in row.boots],
        proof=proof,
        horns=Horns.load(row.horns),
        quota_mb=quota,
    )


def _numbers(status: UnitStatus) -> Numbers | None:
    told, at = status.telemetry, status.telemetry_at
    if at is None or not told.keys() >= _NEEDED:
        return None
    return Numbers(
        came_at=at,
        said_at=from_unix_ms(int(told["at"])),
        on_mains=told["power"] == "mains",
        volts=float(told["volts"]),
        temperature_c=float(told["temperature_c"]),
        signal_dbm=int(told["signal_dbm"]),
        storage_free_mb=int(told["storage_free_mb"]),
        data_mb=told.get("data_mb"),
    )


def _count(row: UnitHealth, status: UnitStatus, now: datetime) -> None:
    """Connections and boots since the last look. Within a boot attempts count too, so that one look sees one."""
    if status.boot_id is None:
        return
    before, after = (row.boot_id, row.conn), (status.boot_id, status.conn)
    if before == after:
        return
    known = row.boot_id is not None
    if known and status.connected:
        row.connections = _kept(row.connections, [now], now)
    if known and row.boot_id is not None and status.boot_id > row.boot_id:
        boots = status.boot_id - row.boot_id
        row.boots = _kept(row.boots, [now] * (boots if boots <= MOST_BOOTS else 1), now)
    row.boot_id, row.conn = after


def _kept(before: Sequence[str], more: Sequence[datetime], now: datetime) -> list[str]:
    recent = [at for at in before if now - datetime.fromisoformat(at) < KEPT]
    return [*recent, *(at.isoformat() for at in more)][-MOST_KEPT:]


def _entries(session: Session, units: Sequence[str]) -> dict[str, list[Any]]:
    """Of each unit's journal what came since the last look: one query for all of them."""
    seen = case((UnitHealth.journal_id == UnitStatus.journal_id, UnitHealth.seq), else_=0)
    query = (
        select(
            JournalEntry.unit_id, JournalEntry.seq, JournalEntry.kind, JournalEntry.at, JournalEntry.received_at,
            JournalEntry.entry,
        )
        .select_from(UnitStatus)
        .outerjoin(UnitHealth, UnitHealth.unit_id == UnitStatus.unit_id)
        .join(
            JournalEntry,
            and_(
                JournalEntry.unit_id == UnitStatus.unit_id,
                JournalEntry.journal_id == UnitStatus.journal_id,
                JournalEntry.seq > seen,
            ),
        )
        .where(UnitStatus.unit_id.in_(units))
        .order_by(JournalEntry.unit_id, JournalEntry.seq)
    )  # fmt: skip
    found: dict[str, list[Any]] = defaultdict(list)
    for row in session.execute(query):
        found[row.unit_id].append(row)
    return found


def _soundings(row: UnitHealth, status: UnitStatus, entries: Sequence[Any]) -> None:
    journal = status.journal_id
    if journal is None:
        return
    if row.journal_id != journal:
        row.journal_id, row.seq = journal, 0
    horns = Horns.load(row.horns)
    changed = False
    for entry in entries:
        row.seq = entry.seq
        told = entry.entry
        if (
            entry.kind != "ended"
            or told.get("drill")
            or told.get("amplifier") not in (Amplifier.SOUND, Amplifier.SILENT)
        ):
            continue
        at = min(entry.at, entry.received_at)
        sounded, ma = told["amplifier"] == Amplifier.SOUND, told.get("amplifier_ma")
        if sounded and ma is not None:
            horns, changed = horns.after(at, int(told["volume"]), int(ma)), True
        _prove(row, {"at": at.isoformat(), "sounded": sounded, "ma": ma, "what": "play", "item": told["item"]})
    if changed:
        row.horns = horns.dump()


def _prove(row: UnitHealth, told: dict[str, Any]) -> None:
    if not row.proof or datetime.fromisoformat(row.proof["at"]) <= datetime.fromisoformat(told["at"]):
        row.proof = told


def _tests(session: Session, units: Sequence[str], now: datetime) -> dict[str, tuple[datetime, bool]]:
    asked = select(Command.unit_id, Command.answered_at, Command.detail).where(
        Command.unit_id.in_(units),
        Command.kind == str(CommandKind.QUIET_TEST),
        Command.done.is_(True),
        Command.answered_at > now - timedelta(days=1),
    )
    return {
        unit: (at, detail == CLOSED) for unit, at, detail in session.execute(asked.order_by(Command.answered_at)) if at
    }


def _test(row: UnitHealth, test: tuple[datetime, bool] | None) -> None:
    if test is not None and row.proof.get("at") != test[0].isoformat():
        _prove(row, {"at": test[0].isoformat(), "sounded": test[1], "ma": None, "what": "test", "item": ""})


def _denied(session: Session, rows: Sequence[UnitHealth]) -> set[str]:
    """Which of the last soundings an ear denied."""
    items = [row.proof["item"] for row in rows if row.proof and row.proof["item"] and row.proof["sounded"]]
    if not items:
        return set()
    lost = select(Delivery.id).where(
        Delivery.id.in_(items), Delivery.verdict == Verdict.FAILED_TO_SOUND, Delivery.reason.in_(LOST)
    )
    return set(session.scalars(lost))


def _proof(row: UnitHealth, denied: Collection[str]) -> Proof | None:
    """The last one; what an ear said of it afterwards counts more."""
    told = row.proof
    if not told:
        return None
    if told["sounded"] and told["item"] in denied:
        return Proof(datetime.fromisoformat(told["at"]), False, told["ma"], "ear")
    return Proof(datetime.fromisoformat(told["at"]), told["sounded"], told["ma"], told["what"])
