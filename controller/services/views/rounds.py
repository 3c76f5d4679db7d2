"""A technician's round as it is read: the way, each stop with why and what was written down there."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from broadcasts.audio.store import Stored
from broadcasts.domain.fault_classes import CLASSES, Code, FaultClass
from broadcasts.domain.fault_life import OPEN
from broadcasts.domain.round_rules import Kind, StopState, bring, checklist
from broadcasts.errors import Refused
from controller.db.tables import Area, Cluster, Command, FaultCase, Round, RoundEntry, RoundStop, Station, User
from controller.services.context import Context
from controller.services.rights import Actor, Right
from controller.services.views.commands import CommandLine, state_of

MOST = 60


@dataclass(frozen=True)
class RoundLine:
    row: Round
    area: str
    who: str
    stops: int
    left: int


@dataclass(frozen=True)
class StopLine:
    stop: RoundStop
    cluster: Cluster
    station: str
    cases: tuple[FaultCase, ...]

    @property
    def open_cases(self) -> tuple[FaultCase, ...]:
        return tuple(case for case in self.cases if case.state in OPEN)

    def kind(self, case: FaultCase) -> FaultClass:
        return CLASSES[Code(case.code)]

    @property
    def bring(self) -> Mapping[str, int]:
        return bring(case.code for case in self.cases)

    @property
    def geo(self) -> str:
        """RFC 5870, which a phone's map opens; empty where the pole stands nowhere."""
        at = self.cluster
        if at.latitude is None or at.longitude is None:
            return ""
        where = f"{at.latitude:.6f},{at.longitude:.6f}"
        return f"geo:{where}?q={where}"


@dataclass(frozen=True)
class RoundPage:
    line: RoundLine
    stops: Sequence[StopLine]
    shared: Sequence[FaultCase]
    """What many poles have in common: no one pole's matter."""
    mine: bool

    @property
    def bring(self) -> Mapping[str, int]:
        waiting = [each for each in self.stops if each.stop.state == StopState.OPEN]
        return bring(case.code for each in waiting for case in each.open_cases)


@dataclass(frozen=True)
class StopPage:
    whole: RoundPage
    line: StopLine
    entries: Sequence[RoundEntry]

    @property
    def checklist(self) -> tuple[str, ...]:
        return checklist(case.code for case in self.line.cases)

    @property
    def seen(self) -> Mapping[str, str]:
        return {str(e.body["item"]): str(e.body["seen"]) for e in self.entries if e.kind == Kind.CHECK}

    @property
    def parts(self) -> Mapping[str, int]:
        return {str(e.body["part"]): int(e.body["count"]) for e in self.entries if e.kind == Kind.PART}

    @property
    def notes(self) -> Sequence[RoundEntry]:
        return [e for e in self.entries if e.body.get("note")]

    @property
    def photos(self) -> Sequence[RoundEntry]:
        return [e for e in self.entries if e.kind == Kind.PHOTO]

    @property
    def following(self) -> StopLine | None:
        place = self.line.stop.place
        after = [e for e in self.whole.stops if e.stop.state == StopState.OPEN and e.stop.place != place]
        return next((e for e in after if e.stop.place > place), after[0] if after else None)


def lines(session: Session, actor: Actor, every: bool = False) -> list[RoundLine]:
    """One's own, the newest day first; `every`: all of the areas that one looks after."""
    actor = actor.need(Right.HEALTH)
    found = select(Round).where(Round.area_id.in_(actor.areas)).order_by(Round.day.desc(), Round.id.desc()).limit(MOST)
    if not every:
        found = found.where(Round.technician_id == actor.id)
    return _lines(session, session.scalars(found).all())


def _lines(session: Session, rows: Sequence[Round]) -> list[RoundLine]:
    names = [row.id for row in rows]
    counted = session.execute(
        select(RoundStop.round_id, RoundStop.state, func.count())
        .where(RoundStop.round_id.in_(names))
        .group_by(RoundStop.round_id, RoundStop.state)
    )
    states: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for name, state, count in counted:
        states[name][state] = count
    told = select(Round.id, Area.name, User.full_name).join(Area, Area.id == Round.area_id)
    told = told.join(User, User.id == Round.technician_id).where(Round.id.in_(names))
    known = {row[0]: (row[1], row[2]) for row in session.execute(told)}
    return [RoundLine(row, *known[row.id], states[row.id].total(), states[row.id][StopState.OPEN]) for row in rows]


def one(session: Session, actor: Actor, name: str) -> RoundPage:
    """For whoever looks after the area; only the technician writes in it. Raises Refused: "no_right", "not_yours"."""
    actor = actor.need(Right.HEALTH)
    row = session.get(Round, name)
    if row is None or row.area_id not in actor.areas:
        raise Refused("not_yours")
    mine = row.technician_id == actor.id and row.area_id in actor.within(Right.COMMAND)
    found = session.execute(
        select(RoundStop, Cluster, Station.name)
        .join(Cluster, Cluster.id == RoundStop.cluster_id)
        .join(Station, Station.id == Cluster.station_id)
        .where(RoundStop.round_id == name)
        .order_by(RoundStop.place)
    ).all()
    names = {fault for told in found for fault in told[0].faults}
    cases = {case.id: case for case in session.scalars(select(FaultCase).where(FaultCase.id.in_(names)))}
    stops = [
        StopLine(told[0], told[1], told[2], tuple(cases[fault] for fault in told[0].faults if fault in cases))
        for told in found
    ]
    shared = session.scalars(
        select(FaultCase)
        .where(
            FaultCase.area_id == row.area_id, FaultCase.cluster_id.is_(None),
            FaultCase.state.in_([str(state) for state in OPEN]),
        )
        .order_by(FaultCase.since)
    ).all()  # fmt: skip
    return RoundPage(_lines(session, [row])[0], stops, shared, mine)


def stop(session: Session, actor: Actor, name: str, stop_id: str) -> StopPage:
    """Raises Refused: "no_right", "not_yours", "round.stop_unknown"."""
    whole = one(session, actor, name)
    line = next((each for each in whole.stops if each.stop.id == stop_id), None)
    if line is None:
        raise Refused("round.stop_unknown")
    found = select(RoundEntry).where(RoundEntry.stop_id == stop_id).order_by(RoundEntry.id)
    return StopPage(whole, line, session.scalars(found).all())


def tests(session: Session, actor: Actor, name: str, stop_id: str, now: datetime) -> list[CommandLine]:
    """The quiet tests that were asked for from this stop, the newest first. Raises as `stop`."""
    page = stop(session, actor, name, stop_id)
    asked = [each.command_id for each in page.entries if each.command_id]
    rows = session.scalars(select(Command).where(Command.id.in_(asked)).order_by(Command.issued_at.desc(), Command.id))
    return [CommandLine(row, state_of(row, now), row.issued_by) for row in rows]


def photo(ctx: Context, actor: Actor, name: str, entry: str) -> Stored:
    """Raises Refused: "no_right", "not_yours", "photo.none"."""
    with ctx.db.read() as session:
        one(session, actor, name)
        number = int(entry) if entry.isascii() and entry.isdigit() and len(entry) < 16 else 0
        row = session.get(RoundEntry, number)
        here = row is not None and session.get_one(RoundStop, row.stop_id).round_id == name
        if row is None or not here or row.photo_sha256 is None:
            raise Refused("photo.none")
        kept = row.photo_sha256
    return ctx.audio.open(kept)
