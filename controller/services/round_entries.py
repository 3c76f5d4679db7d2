"""What a technician writes down under a pole, as his phone sends it, perhaps hours later and perhaps twice.

Each entry is taken for itself: what is wrong with one stops no other, what came before is known by its own name and
changes nothing. A fault is moved only through `fault_acts.move`; where somebody else moved it meanwhile that is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from broadcasts.domain.fault_life import State
from broadcasts.domain.round_rules import (
    CHECKS,
    MOST_PARTS,
    PARTS,
    Kind,
    RoundState,
    Seen,
    StopState,
    Which,
    happened_at,
)
from broadcasts.errors import Conflict, LoaError, Refused
from controller.db.tables import Command, FaultCase, FaultMove, RoundEntry, RoundStop
from controller.services import audit, commanding, fault_acts, photos
from controller.services.context import Context
from controller.services.heard import printable
from controller.services.rights import Actor, Right
from controller.services.rounds import CLIENT_ID, own

MOST_NOTE = 500
MOST_PHOTOS = 20
"""Of one stop."""
_FAULT_STATES = (State.IN_REPAIR, State.RESOLVED)
_BIGGEST = 2**53


@dataclass(frozen=True)
class Told:
    """As the phone has it. `at_ms`: its clock when it was written down."""

    id: str
    stop: str
    kind: str
    body: Mapping[str, Any] = field(default_factory=dict)
    at_ms: int | None = None


@dataclass(frozen=True)
class Result:
    """`outcome`: taken, known (it came before), conflict (taken, and something else stands against it), refused.
    `problems`: what to tell, with the fault it is about where it is about one."""

    id: str
    outcome: str
    problems: tuple[tuple[str, LoaError], ...] = ()


@audit.decided("round.entries")
def take(ctx: Context, actor: Actor, name: str, told: Sequence[Told], sent_ms: int | None = None) -> list[Result]:
    """One result for each, in order. `sent_ms`: the phone's clock when they left it. Raises Refused: "no_right",
    "not_yours" (the round)."""
    actor = actor.need(Right.COMMAND)
    with ctx.db.read() as session:
        own(session, actor, name)
    return [_one(ctx, actor, name, each, sent_ms) for each in told]


def take_photo(
    ctx: Context, actor: Actor, name: str, told: Told, source: Path, folder: Path, sent_ms: int | None = None
) -> Result:
    """A picture that lies at `source`; `folder` is for the work. Raises Refused: "no_right", "not_yours"; what is wrong
    with the picture itself is in the result."""
    actor = actor.need(Right.COMMAND)
    with ctx.db.read() as session:
        own(session, actor, name)
    try:
        _check(told, photo=True)
        with ctx.db.read() as session:
            _stop(session, name, told.stop)
            if (row := _known(session, actor, told)) is not None:
                return _again(row)
            _room(session, told.stop)
        drawn = photos.keep(ctx, source, folder)
        _write(ctx, actor, name, told, sent_ms, photo=drawn)
    except (Refused, Conflict) as error:
        return _refused(ctx, actor, name, told, error)
    return Result(told.id, "taken")


def _one(ctx: Context, actor: Actor, name: str, told: Told, sent_ms: int | None) -> Result:
    try:
        _check(told, photo=False)
        row_id, was = _write(ctx, actor, name, told, sent_ms)
        return _settled(ctx, actor, row_id, told.id, "known" if was else "taken")
    except (Refused, Conflict) as error:
        return _refused(ctx, actor, name, told, error)


def _refused(ctx: Context, actor: Actor, name: str, told: Told, error: LoaError) -> Result:
    now = ctx.clock.now()
    with ctx.db.write() as session:
        about = {"rule": error.key, "entry": printable(told.id)[:40], "stop": printable(told.stop)[:40]}
        area = own(session, actor, name).area_id
        audit.record(session, now, actor.name, "round.entry.refused", name, about, area=area)
    return Result(told.id, "refused", (("", error),))


def _write(
    ctx: Context, actor: Actor, name: str, told: Told, sent_ms: int | None, photo: str | None = None
) -> tuple[int, bool]:
    """The row's id, and whether it was there before. Raises Refused: "round.stop_unknown", "round.entry_other"."""
    now = ctx.clock.now()
    with ctx.db.write() as session:
        whole = own(session, actor, name)
        stop = _stop(session, name, told.stop)
        if (known := _known(session, actor, told)) is not None:
            return known.id, True
        if photo is not None:
            _room(session, stop.id)
        over = told.kind == Kind.FINISH and not _finishes(session, stop, told)
        at, off = happened_at(told.at_ms, sent_ms, now, whole.made_at)
        if whole.state == RoundState.PLANNED:
            whole.state, whole.started_at = RoundState.UNDER_WAY, at
        row = RoundEntry(
            stop_id=stop.id, by_id=actor.id, client_id=told.id, kind=told.kind, body=_kept(told), photo_sha256=photo,
            at=at, phone_ms=told.at_ms, clock_off_s=off, taken_at=now,
        )  # fmt: skip
        if over:
            # What he wrote is kept and told; the stop and its faults stay as the first one left them.
            row.outcome, row.settled_at = [_plain("", Conflict("round.stop_over"))], now
        elif told.kind not in (Kind.FINISH, Kind.TEST):
            row.settled_at = now
        elif told.kind == Kind.FINISH:
            stop.state, stop.finished_at = str(told.body["outcome"]), at
        session.add(row)
        session.flush()
        about = {"stop": stop.id, "cluster": stop.cluster_id, "kind": told.kind, "entry": told.id} | _kept(told)
        about |= {"photo": photo[:12]} if photo else {}
        audit.record(session, now, actor.name, "round.entry", name, about, area=whole.area_id)
        return row.id, False


def _stop(session: Session, name: str, stop: str) -> RoundStop:
    row = session.get(RoundStop, stop)
    if row is None or row.round_id != name:
        raise Refused("round.stop_unknown")
    return row


def _known(session: Session, actor: Actor, told: Told) -> RoundEntry | None:
    """The same entry, if it came before. Raises Refused("round.entry_other") where the name is of another one."""
    mine = (RoundEntry.by_id == actor.id, RoundEntry.client_id == told.id)
    row = session.scalar(select(RoundEntry).where(*mine))
    if row is not None and (row.stop_id, row.kind) != (told.stop, told.kind):
        raise Refused("round.entry_other")
    return row


def _room(session: Session, stop: str) -> None:
    """Raises Refused("round.photos_most")."""
    mine = (RoundEntry.stop_id == stop, RoundEntry.kind == Kind.PHOTO)
    if (session.scalar(select(func.count()).select_from(RoundEntry).where(*mine)) or 0) >= MOST_PHOTOS:
        raise Refused("round.photos_most", most=MOST_PHOTOS)


def _finishes(session: Session, stop: RoundStop, told: Told) -> bool:
    """Not when it was finished before, from here or from another phone. Raises Refused("round.fault_elsewhere")."""
    for fault in told.body.get("faults", {}):
        case = session.get(FaultCase, fault)
        if case is None or case.cluster_id != stop.cluster_id:
            raise Refused("round.fault_elsewhere")
    return stop.state == StopState.OPEN


def _settled(ctx: Context, actor: Actor, row_id: int, name: str, outcome: str) -> Result:
    """What follows from an entry, done once; when the controller died in between, with the next time that it comes."""
    with ctx.db.read() as session:
        row = session.get_one(RoundEntry, row_id)
        stop = session.get_one(RoundStop, row.stop_id)
        cluster = stop.cluster_id
        if row.settled_at is not None:
            return _again(row) if outcome == "known" or row.outcome else Result(name, outcome)
        kind, body, begun = row.kind, dict(row.body), row.taken_at
    told: list[dict[str, Any]] = []
    command: str | None = None
    if kind == Kind.TEST:
        try:
            command = _tested(ctx, actor, cluster, begun)
        except (Refused, Conflict) as error:
            told.append(_plain("", error))
    for fault, wanted in body.get("faults", {}).items():
        why = str(body.get("note", ""))
        if (problem := _moved(ctx, actor, fault, wanted, why, begun)) is not None:
            told.append(_plain(fault, problem))
    with ctx.db.write() as session:
        row = session.get_one(RoundEntry, row_id)
        if row.settled_at is not None:  # it came twice at once
            return _again(row)
        row.command_id, row.outcome, row.settled_at = command, told, ctx.clock.now()
    return Result(name, "conflict" if told else outcome, _read(told))


def _tested(ctx: Context, actor: Actor, cluster: str, begun: datetime) -> str:
    """The command's id: of a new one, or of the one that was asked for this entry and not noted with it. Raises as
    `commanding.issue`."""
    try:
        return commanding.issue(ctx, actor, cluster, "quiet_test")
    except Conflict as error:
        mine = (Command.cluster_id == cluster, Command.issued_by == actor.name, Command.kind == "quiet_test")
        noted = select(RoundEntry.command_id).where(RoundEntry.command_id.is_not(None))
        since = (Command.issued_at >= begun, Command.order_id.is_(None), Command.id.not_in(noted))
        with ctx.db.read() as session:
            found = session.scalar(select(Command.id).where(*mine, *since).limit(1))
        if error.key != "command.in_flight" or found is None:
            raise
        return found


def _moved(
    ctx: Context, actor: Actor, fault: str, wanted: Mapping[str, Any], why: str, begun: datetime
) -> LoaError | None:
    """None when it stands as he wanted by his own hand; else why not. What somebody else did meanwhile stays."""
    with ctx.db.read() as session:
        state = session.get_one(FaultCase, fault).state
        last = session.scalar(
            select(FaultMove).where(FaultMove.fault_id == fault).order_by(FaultMove.id.desc()).limit(1)
        )
        if state == wanted["state"] and last is not None:
            if last.by == actor.name and last.at >= begun:
                return None
            return Conflict("round.fault_moved", by=last.by, state=state)
    try:
        fault_acts.move(ctx, actor, fault, wanted["state"], why, wanted.get("revision"))
    except (Refused, Conflict) as error:
        if error.key in ("fault.changed", "illegal_move") and last is not None:
            return Conflict("round.fault_moved", by=last.by, state=state)
        return error
    return None


def _again(row: RoundEntry) -> Result:
    return Result(row.client_id, "conflict" if row.outcome else "known", _read(row.outcome))


def _plain(fault: str, error: LoaError) -> dict[str, Any]:
    fields = {name: value if isinstance(value, int) else str(value)[:200] for name, value in error.fields.items()}
    return {"fault": fault, "key": error.key, "fields": fields}


def _read(told: Sequence[Mapping[str, Any]]) -> tuple[tuple[str, LoaError], ...]:
    return tuple((each["fault"], Conflict(each["key"], **each["fields"])) for each in told)


def _check(told: Told, photo: bool) -> None:
    """Raises Refused: "round.key", "choice.unknown", "fault.reason"."""
    if not CLIENT_ID.match(told.id):
        raise Refused("round.key")
    _among("kind", told.kind, Kind)
    if (told.kind == Kind.PHOTO) is not photo:
        raise Refused("choice.unknown", name="kind", value=told.kind)
    if told.at_ms is not None and not -_BIGGEST <= told.at_ms <= _BIGGEST:
        raise Refused("choice.unknown", name="at_ms", value=str(told.at_ms)[:20])
    body = told.body
    match told.kind:
        case Kind.CHECK:
            _among("item", body.get("item"), CHECKS)
            _among("seen", body.get("seen"), Seen)
        case Kind.PART:
            _among("part", body.get("part"), PARTS)
            count = body.get("count")
            if not isinstance(count, int) or isinstance(count, bool) or not 0 <= count <= MOST_PARTS:
                raise Refused("choice.unknown", name="count", value=str(count)[:20])
        case Kind.PHOTO:
            _among("which", body.get("which"), Which)
        case Kind.FINISH:
            _check_finish(body)
    if not isinstance(body.get("note", ""), str):
        raise Refused("choice.unknown", name="note", value="")


def _check_finish(body: Mapping[str, Any]) -> None:
    _among("outcome", body.get("outcome"), (StopState.DONE, StopState.COULD_NOT))
    faults, note = body.get("faults", {}), body.get("note", "")
    if not isinstance(faults, dict) or len(faults) > 20:
        raise Refused("choice.unknown", name="faults", value="")
    for wanted in faults.values():
        told = wanted if isinstance(wanted, dict) else {}
        _among("state", told.get("state"), _FAULT_STATES)
        revision = told.get("revision")
        if revision is not None and (not isinstance(revision, int) or abs(revision) > 10**9):
            raise Refused("choice.unknown", name="revision", value=str(revision)[:20])
    said = isinstance(note, str) and note.strip()
    if not said and (body["outcome"] == StopState.COULD_NOT or any(_resolves(each) for each in faults.values())):
        raise Refused("fault.reason")


def _resolves(wanted: Mapping[str, Any]) -> bool:
    return bool(wanted["state"] == State.RESOLVED)


def _among(name: str, value: object, choices: Iterable[str]) -> None:
    known = [str(each) for each in choices]
    if not isinstance(value, str) or value not in known:
        raise Refused("choice.unknown", name=name, value=str(value)[:20])


def _kept(told: Told) -> dict[str, Any]:
    """Of the body what belongs to the kind, and no more."""
    names = {
        Kind.CHECK: ("item", "seen", "note"),
        Kind.PART: ("part", "count"),
        Kind.NOTE: ("note",),
        Kind.PHOTO: ("which",),
        Kind.TEST: (),
        Kind.FINISH: ("outcome", "faults", "note"),
    }[Kind(told.kind)]
    body = {name: told.body[name] for name in names if name in told.body}
    if "note" in body:
        body["note"] = printable(str(body["note"]).strip())[:MOST_NOTE]
    if "faults" in body:
        body["faults"] = {
            str(name): {"state": each["state"], "revision": each.get("revision")}
            for name, each in body["faults"].items()
        }
    return body
