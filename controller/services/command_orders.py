"""One order to many clusters: one execution each, so many a minute, and what has not left can be taken back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from broadcasts.domain.command_life import LASTS, MOVES, Event, State
from broadcasts.errors import Conflict, LoaError, Refused
from broadcasts.wire.status import CommandKind
from controller.db.tables import Assignment, Cluster, Command, CommandOrder, Station, Unit
from controller.services import audit, command_args, command_rules, commanding, targets
from controller.services.context import Context
from controller.services.heard import printable
from controller.services.rights import Actor, Right

MOST_REASON = 300


@dataclass(frozen=True)
class Reach:
    """What an order would come to now."""

    clusters: int
    able: int
    """Of them a unit serves, and no limit holds back."""
    wide: bool
    """Their number has to be typed."""
    most: int
    minutes: int
    """Until the last one has left."""


def look(ctx: Context, actor: Actor, kind: str, where: targets.Target) -> Reach:
    """Raises Refused("no_right", "choice.unknown", "order.nobody", "order.cap")."""
    actor = actor.need(Right.COMMAND)
    told = command_args.kind_of(kind)
    with ctx.db.read() as session:
        found = _found(ctx, session, actor, where)
        able = _able(ctx, session, found, told, ctx.clock.now())
    rules = ctx.commands
    return Reach(len(found), len(able), len(found) >= rules.wide, rules.most(actor), -(-len(able) // rules.per_minute))


@audit.decided("order.issue")
def issue(
    ctx: Context,
    actor: Actor,
    kind: str,
    where: targets.Target,
    args: Mapping[str, str] | None = None,
    *,
    count: int | None = None,
    sure: bool = False,
    reason: str = "",
) -> str:
    """The order's id. `count`: how many clusters the person was shown, or typed.

    Raises Refused: "no_right", "choice.unknown", "order.nobody", "order.cap", "order.typed" (wide, and no number),
    "order.confirm" (a reboot without `sure`), "order.reason" (wide without a word of why), "command.limit_person",
    "order.none_able" (no unit serves there, each is asked already or at its limit);
    Conflict("order.changed") when it is not that many any more.
    """
    actor = actor.need(Right.COMMAND)
    now, rules = ctx.clock.now(), ctx.commands
    told = command_args.kind_of(kind)
    given = command_args.arguments(told, args or {})
    said = printable(reason.strip())[:MOST_REASON]
    with ctx.db.write() as session:
        found = _found(ctx, session, actor, where)
        if len(found) >= rules.wide and count is None:
            raise Refused("order.typed", clusters=len(found))
        if count is not None and count != len(found):
            raise Conflict("order.changed", clusters=len(found))
        if len(found) >= rules.wide and not said:
            raise Refused("order.reason")
        if told is CommandKind.REBOOT and not sure:
            raise Refused("order.confirm", clusters=len(found))
        command_rules.person(session, rules, actor, now)
        able = _able(ctx, session, found, told, now)
        if not able:
            raise Refused("order.none_able", clusters=len(found))
        name = ctx.ids.new("o")
        lasts = LASTS[told]
        last = commanding.PACE * (max(0, len(able) - 1) // rules.per_minute)
        row = CommandOrder(
            id=name, kind=told, args=given, target=_told(where), reason=said, clusters=len(found),
            left_out=len(found) - len(able), per_minute=rules.per_minute, issued_by=actor.name, issued_at=now,
            area_id=actor.area, ends_at=now + last + lasts,
        )  # fmt: skip
        session.add(row)
        session.flush()
        commanding.enter_all(ctx, session, able, row, lasts)
        about = {
            "kind": told,
            "args": given,
            "target": _told(where),
            "clusters": len(found),
            "left_out": len(found) - len(able),
            "reason": said,
        }
        audit.record(session, now, actor.name, "order.issue", name, about, area=actor.area)
    ctx.wake()
    return name


@audit.decided("order.cancel")
def cancel(ctx: Context, actor: Actor, order: str) -> int:
    """Take back what has not left, and say how much that was; what left is not stopped. Raises Refused("no_right",
    "not_yours")."""
    actor = actor.need(Right.COMMAND)
    now = ctx.clock.now()
    with ctx.db.write() as session:
        row = session.get(CommandOrder, order)
        mine = select(Cluster.id).join(Station, Station.id == Cluster.station_id)
        mine = mine.where(Station.area_id.in_(actor.areas))
        there = (Command.order_id == order, Command.cluster_id.in_(mine))
        if row is None or session.scalar(select(Command.id).where(*there).limit(1)) is None:
            raise Refused("not_yours")
        before = State.ASKED
        gone = session.execute(
            update(Command)
            .where(*there, Command.state == before, Command.expires_at > now)
            .values(state=MOVES[before, Event.CANCEL], expired_at=now)
            .returning(Command.id)
        ).all()
        waits = (Command.order_id == order, Command.state == before, Command.expires_at > now)
        rest = session.scalar(select(func.count()).select_from(Command).where(*waits)) or 0
        # Where some of it still waits beyond this person's areas the order goes on: nobody took it back as a whole.
        if gone and not rest and row.cancelled_at is None:
            row.cancelled_at, row.cancelled_by = now, actor.name
        about = {"taken_back": len(gone), "still_waiting": rest}
        audit.record(session, now, actor.name, "order.cancel", order, about, area=row.area_id)
    return len(gone)


def _found(ctx: Context, session: Session, actor: Actor, where: targets.Target) -> list[Cluster]:
    found = targets.resolve(session, actor.areas, where)
    if not found:
        raise Refused("order.nobody")
    most = ctx.commands.most(actor)
    if len(found) > most:
        raise Refused("order.cap", clusters=len(found), most=most)
    return found


def _able(
    ctx: Context, session: Session, found: list[Cluster], kind: CommandKind, now: datetime
) -> list[tuple[Cluster, str]]:
    rows = session.execute(
        select(Assignment.cluster_id, Assignment.unit_id)
        .join(Unit, Unit.id == Assignment.unit_id)
        .where(
            Unit.revoked_at.is_(None),
            Assignment.until.is_(None),
            Assignment.cluster_id.in_([cluster.id for cluster in found]),
        )
    )
    serves = {row[0]: row[1] for row in rows}
    # One look for all of them: whoever writes keeps all others waiting, an emergency too.
    open_there = commanding.asked_of(session, serves.values(), kind, now)
    asked = command_rules.asked(session, serves, now)
    able: list[tuple[Cluster, str]] = []
    for cluster in found:
        if cluster.id not in serves or serves[cluster.id] in open_there:
            continue
        try:
            command_rules.within(ctx.commands, cluster, kind, asked[cluster.id])
        except LoaError:
            continue
        able.append((cluster, serves[cluster.id]))
    return able


def _told(where: targets.Target) -> dict[str, list[str]]:
    told = {"areas": where.areas, "clusters": where.clusters, "tags": where.tags, "groups": where.groups}
    return {name: list(value) for name, value in told.items() if value}
