"""The sweep: looks at every unit of which something was heard, or of which time alone tells something, and turns what
the rules see into faults. Missing a run or running twice is harmless: what is remembered is in the database."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.domain import fault_memory
from broadcasts.domain.fault_classes import CLASSES, Code
from broadcasts.domain.fault_groups import Case
from broadcasts.domain.fault_life import OPEN, State
from broadcasts.domain.fault_memory import Memory, News
from broadcasts.domain.health import HEARTBEAT, Limits, look
from controller.db.tables import Area, Assignment, Cluster, FaultCase, Station, UnitStatus
from controller.services import fault_cases, notifying
from controller.services.context import Context
from controller.services.health_seeing import Known, Place, gather

EVERY, IDLE = timedelta(minutes=1), timedelta(minutes=3)
"""While something is under way at any pole, and else: what is promised leaves time for it."""
AT_ONCE = 500
"""Units in one transaction."""
FRESH = timedelta(minutes=10)
"""So long after a sounding an ear may still say something of it."""
GROUPED = {str(code) for code, each in CLASSES.items() if each.grouped}
Signature = tuple[Any, ...]
_PLACES = (
    select(
        Assignment.unit_id, Assignment.cluster_id, Station.area_id, Area.parent_id,
        UnitStatus.connected, UnitStatus.presence_at, UnitStatus.telemetry_at, UnitStatus.reported_at,
        UnitStatus.boot_id, UnitStatus.conn, UnitStatus.last_sign,
    )
    .join(Cluster, Cluster.id == Assignment.cluster_id)
    .join(Station, Station.id == Cluster.station_id)
    .join(Area, Area.id == Station.area_id)
    .outerjoin(UnitStatus, UnitStatus.unit_id == Assignment.unit_id)
    .where(Assignment.until.is_(None), Cluster.removed_at.is_(None))
)  # fmt: skip
_LIVE = select(FaultCase.id).where(FaultCase.state.in_([str(state) for state in (*OPEN, State.RESOLVED)])).limit(1)


@dataclass
class _News:
    place: Place
    code: Code
    memory: Memory
    known: Known


class Watch:
    """One for the life of the process. `listening`: whether units can be heard at this moment."""

    def __init__(self, ctx: Context, listening: Callable[[], bool]) -> None:
        self._ctx, self._listening = ctx, listening
        self._since: datetime | None = None
        self._seen: dict[str, Signature] = {}
        self._next: dict[str, datetime] = {}
        self._pending: dict[tuple[str, Code], tuple[Place, datetime]] = {}
        self._limits = Limits()

    def step(self, now: datetime) -> datetime:
        if not self._listening():
            self._since = None
        elif self._since is None:
            self._since = now
            self._next.clear()
        places, signatures = self._places()
        due = [
            place
            for place in places
            if self._seen.get(place.unit) != signatures[place.unit] or self._next.get(place.unit, now) <= now
        ]
        for begin in range(0, len(due), AT_ONCE):
            with self._ctx.db.write() as session:
                self._look(session, due[begin : begin + AT_ONCE], now)
            for place in due[begin : begin + AT_ONCE]:
                self._seen[place.unit] = signatures[place.unit]
        here = {place.unit for place in places}
        self._pending = {key: told for key, told in self._pending.items() if key[0] in here}
        if self._any_live():
            with self._ctx.db.write() as session:
                self._unserved(session, places, now)
                fault_cases.keep_up(self._ctx, session, now)
        busy = any(at <= now + EVERY for at in self._next.values())
        return now + (EVERY if busy else IDLE)

    def _any_live(self) -> bool:
        with self._ctx.db.read() as session:
            return session.scalar(_LIVE) is not None

    def _places(self) -> tuple[list[Place], dict[str, Signature]]:
        with self._ctx.db.read() as session:
            rows = session.execute(_PLACES).all()
        places = [Place(row[0], row[1], row[2], row[3] or row[2]) for row in rows]
        return places, {row[0]: (row[1], *row[4:]) for row in rows}

    def _look(self, session: Session, due: Sequence[Place], now: datetime) -> None:
        cases = fault_cases.open_cases(session, [place.cluster for place in due])
        raised: list[_News] = []
        for known in gather(session, due, now):
            place, memory = known.place, fault_memory.load(known.row.memory)
            standing = frozenset(str(code) for code, each in memory.items() if each.raised)
            for code, sign in look(now, known.seen, self._since, standing, self._limits).items():
                before = memory.get(code, Memory())
                after, news = fault_memory.step(code, before, sign, now)
                memory[code] = after
                self._await(place, code, after)
                if news is News.RAISED:
                    raised.append(_News(place, code, after, known))
                case = cases.get((place.cluster, code))
                if news is News.GONE:
                    fault_cases.over(self._ctx, session, place.cluster, code, case, now)
                elif after.raised and case is not None and after.detail and case.gone_at is None:
                    case.detail = after.detail[:500]
                if after.raised and news is None and sign.here:
                    self._not_repaired(session, known, code, after, cases, now)
            self._remember(known, memory, now)
        self._open(session, raised, cases, now)

    def _remember(self, known: Known, memory: dict[Code, Memory], now: datetime) -> None:
        kept = fault_memory.dump(memory)
        if kept != known.row.memory:
            known.row.memory = kept
        known.row.looked_at = now
        seen = known.seen
        busy = any(each.since is not None or each.raised for each in memory.values())
        fresh = seen.proof is not None and now - seen.proof.at < FRESH
        heard = seen.last_sign or now
        soon = now + EVERY if busy or fresh or not seen.connected else max(heard + HEARTBEAT, now + EVERY)
        self._next[known.place.unit] = soon

    def _await(self, place: Place, code: Code, memory: Memory) -> None:
        if CLASSES[code].grouped:
            if fault_memory.pending(memory) and memory.since is not None:
                self._pending[place.unit, code] = (place, memory.since)
            else:
                self._pending.pop((place.unit, code), None)

    def _open(
        self, session: Session, raised: Sequence[_News], cases: dict[tuple[str, str], FaultCase], now: datetime
    ) -> None:
        made: list[tuple[FaultCase, Place]] = []
        for news in raised:
            if (news.place.cluster, news.code) in cases:
                continue  # it was remembered, and the memory lost: one fault is enough
            made.append((self._raise(session, news.known, news.code, news.memory, now), news.place))
        codes = {case.code for case, _ in made} & GROUPED
        if codes:
            self._group(session, made, codes, now)
        for case, _ in made:
            notifying.raised(self._ctx, session, case, now)

    def _raise(self, session: Session, known: Known, code: Code, memory: Memory, now: datetime) -> FaultCase:
        return fault_cases.raise_one(
            self._ctx, session, known.place, code, memory.since or now, memory.detail, memory.returns,
            _evidence(known), now,
        )  # fmt: skip

    def _group(self, session: Session, made: list[tuple[FaultCase, Place]], codes: set[str], now: datetime) -> None:
        for case, place in made:
            whole = fault_cases.standing_group(session, place, case.code, case.since)
            if whole is not None and case.code in codes:
                fault_cases.join(session, whole, [case])
                if whole.silenced_until is not None and case.silenced_until is None:
                    whole.silenced_until = None  # nobody works at this one
                    notifying.raised(self._ctx, session, whole, now)
        waiting = {(place.cluster, str(code)): (place, since) for (_, code), (place, since) in self._pending.items()}
        pending = [
            Case(place.cluster, place.area, place.province, code, since)
            for (_, code), (place, since) in waiting.items()
        ]
        for found in fault_cases.find_groups(session, pending, codes, now):
            begins = {each.cluster for each in found.cases} & {key[0] for key in waiting if key[1] == found.code}
            early = [waiting[cluster, found.code][0] for cluster in sorted(begins)]
            rows = self._raise_early(session, early, Code(found.code), now)
            wanted = [each.cluster for each in found.cases]
            known = fault_cases.open_cases(session, wanted)
            rows += [known[each, found.code] for each in wanted if (each, found.code) in known and each not in begins]
            whole = fault_cases.make_group(self._ctx, session, found, rows, now)
            notifying.raised(self._ctx, session, whole, now)

    def _raise_early(self, session: Session, places: Sequence[Place], code: Code, now: datetime) -> list[FaultCase]:
        """What began with the others is one with them, and need not wait for its own time."""
        rows = []
        for known in gather(session, places, now) if places else ():
            memory = fault_memory.load(known.row.memory)
            place, since = known.place, memory.get(code, Memory()).since or now
            memory[code] = Memory(since=since, raised=True, returns=memory.get(code, Memory()).returns)
            known.row.memory = fault_memory.dump(memory)
            self._pending.pop((place.unit, code), None)
            rows.append(self._raise(session, known, code, memory[code], now))
        return rows

    def _not_repaired(
        self, session: Session, known: Known, code: Code, memory: Memory,
        cases: dict[tuple[str, str], FaultCase], now: datetime,
    ) -> None:  # fmt: skip
        """It stands, and no open case says so: somebody called it repaired, and it is not."""
        if (known.place.cluster, code) in cases:
            return
        last = session.scalar(
            select(FaultCase)
            .where(FaultCase.cluster_id == known.place.cluster, FaultCase.code == code)
            .order_by(FaultCase.raised_at.desc())
            .limit(1)
        )
        if last is not None and last.resolved_at is not None and now - last.resolved_at < fault_cases.RECHECK:
            return
        if last is not None:
            last.checked_at = now
        case = self._raise(session, known, code, memory, now)
        cases[known.place.cluster, code] = case
        notifying.raised(self._ctx, session, case, now)

    def _unserved(self, session: Session, places: Sequence[Place], now: datetime) -> None:
        """Faults of hardware that is no longer there end with it."""
        serving = {place.cluster: place.unit for place in places}
        open_now = select(FaultCase).where(
            FaultCase.cluster_id.is_not(None),
            FaultCase.state.in_([str(state) for state in OPEN]),
        )
        for case in session.scalars(open_now).all():
            if case.gone_at is None and serving.get(case.cluster_id or "") != case.unit_id:
                fault_cases.gone(self._ctx, session, case, now, "swapped")


def _evidence(known: Known) -> dict[str, Any]:
    """What was known when it was raised."""
    seen = known.seen
    told: dict[str, Any] = {"proof": dict(known.row.proof), "recent": list(seen.horns.recent)}
    if seen.numbers is not None:
        numbers = seen.numbers
        told["numbers"] = {
            "came_at": numbers.came_at.isoformat(), "said_at": numbers.said_at.isoformat(),
            "on_mains": numbers.on_mains, "volts": numbers.volts, "temperature_c": numbers.temperature_c,
            "signal_dbm": numbers.signal_dbm, "storage_free_mb": numbers.storage_free_mb, "data_mb": numbers.data_mb,
        }  # fmt: skip
    times = {"presence_at": seen.presence_at, "last_sign": seen.last_sign}
    told |= {name: at.isoformat() for name, at in times.items() if at is not None}
    told["raised"] = sorted(seen.raised)
    return told
