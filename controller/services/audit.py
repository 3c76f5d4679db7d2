"""The audit log: written in the same transaction as the act, each line chained to the one before (R-104).

The chain tells of a line that was changed, put in or taken out, not of lines cut off at its end: for that an export is
kept elsewhere (`loa audit export`) and held against the log later.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.errors import Conflict, Fault, Refused
from controller.db.append_only import ARCHIVED
from controller.db.tables import (
    Area,
    Assignment,
    AuditCheckpoint,
    AuditEntry,
    Broadcast,
    Bulletin,
    Cluster,
    Command,
    Delivery,
    Station,
    Unit,
    User,
)
from controller.services.context import Context
from controller.services.rights import Actor

LONGEST_NAME = 80
"""Characters of `about`."""
P = ParamSpec("P")
R = TypeVar("R")


def record(
    session: Session,
    now: datetime,
    actor: str,
    act: str,
    about: str,
    detail: Mapping[str, Any] | None = None,
    area: str | None = None,
) -> None:
    """Within `Database.write`, whose lock keeps two lines from following the same one. `area`: where it happened, an
    area's id; without it follows from what `about` names."""
    before = session.scalar(select(AuditEntry.hash).order_by(AuditEntry.id.desc()).limit(1)) or ""
    line = AuditEntry(at=now, actor=actor, act=act, about=about, detail=dict(detail or {}), previous=before)
    line.area = area if area is not None else _where(session, about, line.detail)
    line.hash = _link(before, line)
    session.add(line)
    session.flush()


def decided(
    act: str,
) -> Callable[[Callable[Concatenate[Context, Actor, P], R]], Callable[Concatenate[Context, Actor, P], R]]:
    """For a use case: when a rule stops it, the log says which, whom and what, in a line `act`.refused of its own, as
    nothing of the use case itself is left."""

    def around(call: Callable[Concatenate[Context, Actor, P], R]) -> Callable[Concatenate[Context, Actor, P], R]:
        @wraps(call)
        def asked(ctx: Context, actor: Actor, /, *rest: P.args, **named: P.kwargs) -> R:
            try:
                return call(ctx, actor, *rest, **named)
            except (Refused, Conflict) as error:
                about = _plain(rest[0])[:LONGEST_NAME] if rest and isinstance(rest[0], str) else actor.id
                told = {name: _plain(str(value))[:200] for name, value in error.fields.items()}
                with suppress(Fault), ctx.db.write() as session:  # a full disk must not hide why it was refused
                    record(session, ctx.clock.now(), actor.name, f"{act}.refused", about, {"rule": error.key} | told)
                raise

        return asked

    return around


def _plain(text: str) -> str:
    """What somebody sent, as every database keeps it: nobody must come by a failure of ours instead of the rule."""
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)


def first_broken(session: Session) -> int | None:
    """The id of the first line that does not follow from the one before it, or none."""
    return check(session).broken


@dataclass(frozen=True)
class Checked:
    """`lines` that were read; `broken`: the id of the first that does not follow; `last`: the hash of the last one,
    or of the last before the break. `archived`: the checkpoint that the chain begins at, if it does."""

    lines: int
    broken: int | None
    last: str
    archived: AuditCheckpoint | None = None


def check(session: Session) -> Checked:
    """From the last checkpoint on, whose own line must be in the log and say the same."""
    mark = last_checkpoint(session)
    before, count, said = mark.hash if mark else "", 0, mark is None
    for line in lines(session):
        count += 1
        again = mark is not None and line.id <= mark.through_id
        if again or line.previous != before or line.hash != _link(before, line):
            return Checked(count, line.id, before, mark)
        if mark is not None and line.id == mark.line_id:
            said = line.act == ARCHIVED and (line.detail.get("through"), line.detail.get("hash")) == (
                mark.through_id,
                mark.hash,
            )
        before = line.hash
    broken = None if mark is None or said else mark.line_id
    return Checked(count, broken, before, mark)


def last_checkpoint(session: Session) -> AuditCheckpoint | None:
    return session.scalar(select(AuditCheckpoint).order_by(AuditCheckpoint.through_id.desc()).limit(1))


def exported(session: Session, through: int | None = None) -> Iterator[str]:
    """JSON, one line each, everything that the hash covers and the hash: enough to check the chain anywhere. `through`:
    the id of the last line that is wanted."""
    for line in lines(session, through):
        told = {
            "id": line.id,
            "at": line.at.astimezone(UTC).isoformat(),
            "actor": line.actor,
            "act": line.act,
            "about": line.about,
            "area": line.area,
            "detail": line.detail,
            "previous": line.previous,
            "hash": line.hash,
        }
        yield json.dumps(told, ensure_ascii=False, sort_keys=True)


def differs(session: Session, export: Iterable[str]) -> int | None:
    """The id of the first line of an earlier export that the log does not hold as it was, or none: lines cut off at
    the log's end, or a chain that was written anew, show here. Of lines that were archived since, the export itself has
    to be a chain that meets a checkpoint: an archive that was cut off proves nothing.

    Raises ValueError for what is no export; Fault("audit.unproven"), from which line on no checkpoint is met."""
    marks = {each.through_id: each.hash for each in session.scalars(select(AuditCheckpoint))}
    end, before = max(marks, default=0), None
    unproven: int | None = None
    for text in export:
        told = json.loads(text)
        name, linked = int(told["id"]), _link(told["previous"], _line(told))
        if linked != told["hash"] or (before is not None and told["previous"] != before):
            return name
        before = linked
        if name <= end:
            if marks.get(name, linked) != linked:
                return name
            unproven = None if name in marks else unproven or name
            continue
        held = session.get(AuditEntry, name)
        if held is None or held.hash != linked:
            return name
        session.expunge(held)
        unproven = None  # it follows from a line that the log holds
    if before is None:
        raise ValueError("0 lines")
    if unproven is not None:
        raise Fault("audit.unproven", line=unproven)
    return None


def chain_of(export: Iterable[str]) -> tuple[int, int, str]:
    """Of an export by itself: how many lines, the id of the last and its hash. Raises ValueError where a line does not
    follow from the one before."""
    count, name, before = 0, 0, None
    for text in export:
        told = json.loads(text)
        linked = _link(told["previous"], _line(told))
        if linked != told["hash"] or (before is not None and told["previous"] != before):
            raise ValueError(f"line {told['id']}")
        count, name, before = count + 1, int(told["id"]), linked
    return count, name, before or ""


def _line(told: Mapping[str, Any]) -> AuditEntry:
    """Of an export; not of any database. Raises KeyError, ValueError, TypeError."""
    names = ("actor", "act", "about", "area", "detail")
    return AuditEntry(at=datetime.fromisoformat(told["at"]), **{name: told[name] for name in names})


def lines(session: Session, through: int | None = None) -> Iterator[AuditEntry]:
    """All that are not archived, the oldest first, a thousand in memory at a time."""
    wanted = select(AuditEntry).order_by(AuditEntry.id)
    if through is not None:
        wanted = wanted.where(AuditEntry.id <= through)
    found = session.scalars(wanted.execution_options(yield_per=1000))
    try:
        yield from found
    finally:
        found.close()  # whoever stops at a broken line leaves no cursor open on the server


def _link(before: str, line: AuditEntry) -> str:
    """SHA-256 over a JSON array: previous hash, instant (ISO 8601, UTC), actor, act, about, area, detail."""
    told = [before, line.at.astimezone(UTC).isoformat(), line.actor, line.act, line.about, line.area, line.detail]
    return hashlib.sha256(json.dumps(told, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def _where(session: Session, about: str, detail: Mapping[str, Any]) -> str:
    """The id of the area, or nothing where none is known."""
    scope = detail.get("scope")
    for name in (about, scope if isinstance(scope, str) else ""):
        if session.get(Area, name) is not None:
            return name
    if (user := session.get(User, about)) is not None:
        return user.area_id
    station = _station(session, about)
    return session.get_one(Station, station).area_id if station else ""


def _station(session: Session, about: str) -> str | None:
    if session.get(Unit, about) is not None:
        return session.scalar(
            select(Cluster.station_id)
            .join(Assignment, Assignment.cluster_id == Cluster.id)
            .where(Assignment.unit_id == about)
            .order_by(Assignment.id.desc())
            .limit(1)
        )
    if (at_pole := session.get(Delivery, about) or session.get(Command, about)) is not None:
        return session.get_one(Cluster, at_pole.cluster_id).station_id
    found = session.get(Broadcast, about) or session.get(Bulletin, about) or session.get(Cluster, about)
    if found is not None:
        return found.station_id
    return about if session.get(Station, about) is not None else None
