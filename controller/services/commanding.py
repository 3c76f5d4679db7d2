"""Commands to single units: issued once, said until they are answered or expire (CONTRACT.md, section 10).

None of them sounds a horn, so none asks for an approval or for hours. Of one unit only the oldest open command is on
its way: a unit obeys no number below the highest it has seen, and the younger one must not overtake.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, bindparam, func, or_, select, update
from sqlalchemy.orm import Session

from broadcasts.clock import unix_ms
from broadcasts.domain import command_life
from broadcasts.domain.command_life import MOVES, OPEN, Event, State
from broadcasts.domain.versions import next_version
from broadcasts.errors import Conflict, Refused
from broadcasts.wire import codec, status, topics
from broadcasts.wire.jws import SigningKey, Typ
from broadcasts.wire.status import CommandKind
from broadcasts.wire.topics import In
from broadcasts.wire.trust import Use
from controller.db.tables import Assignment, Cluster, Command, CommandOrder, Station, Unit
from controller.services import audit, command_args, command_rules
from controller.services.context import Context
from controller.services.ports import Link
from controller.services.rights import Actor, Right

LASTS = command_life.LASTS["quiet_test"]
"""A command that nobody waits for any more does not happen. Each kind has its own."""
SHORTEST, LONGEST = timedelta(minutes=1), timedelta(hours=24)
SAY_AGAIN = timedelta(seconds=20)
"""After the first time; doubled each time, up to `SAY_AGAIN_MOST`. A
capture needs 10 s before it has anything to say."""
SAY_AGAIN_MOST = timedelta(minutes=2)
PACE = timedelta(minutes=1)
"""Between two turns of an order."""
LOOK_AGAIN = timedelta(minutes=10)
OURS = "loa"
"""Who gave a command up, in the audit log."""


@audit.decided("command.issue")
def issue(
    ctx: Context,
    actor: Actor,
    where: str,
    kind: str,
    args: Mapping[str, str] | None = None,
    *,
    lasts: timedelta | None = None,
    sure: bool = False,
) -> str:
    """Ask the unit that serves a cluster for something, once, until now + `lasts` (None: what its kind
    has); the command's id.

    `where` is a cluster, or the unit that serves one. Raises Refused: "no_right", "cluster.unknown" (also: elsewhere),
    "command.no_unit", "choice.unknown" (kind, argument), "command.length" (not between 1 min and 24 h),
    "command.confirm" (a reboot without `sure`), "command.limit_person", "command.limit_cluster", "command.limit_kind";
    Conflict("command.in_flight") while one of this kind is open there.
    """
    actor = actor.need(Right.COMMAND)
    now = ctx.clock.now()
    with ctx.db.write() as session:
        cluster, unit = _place(session, actor, where)
        told = command_args.kind_of(kind)
        given = command_args.arguments(told, args or {})
        lasts = command_life.LASTS[told] if lasts is None else lasts
        if not SHORTEST <= lasts <= LONGEST:
            raise Refused("command.length")
        if unit is None:
            raise Refused("command.no_unit", cluster=cluster.name)
        if told is CommandKind.REBOOT and not sure:
            raise Refused("command.confirm", cluster=cluster.name)
        command_rules.person(session, ctx.commands, actor, now)
        command_rules.cluster(session, ctx.commands, cluster, told, now)
        name = enter(ctx, session, cluster, unit, told, given, actor.name, now, lasts)
    ctx.wake()
    return name


def enter(
    ctx: Context,
    session: Session,
    cluster: Cluster,
    unit: str,
    kind: CommandKind,
    args: dict[str, str],
    by: str,
    now: datetime,
    lasts: timedelta,
) -> str:
    """The command's id. Whoever calls has asked whether `by` may, and wakes the steps. Raises
    Conflict("command.in_flight")."""
    if in_flight(session, unit, kind, now):
        raise Conflict("command.in_flight", cluster=cluster.name)
    name = ctx.ids.new("k")
    session.add(
        Command(
            id=name, unit_id=unit, cluster_id=cluster.id, seq=next_version(_last(session, [unit])[unit], 0,
            unix_ms(now)), kind=kind, args=args, issued_by=by, issued_at=now, expires_at=now + lasts, due_at=now,
            state=State.ASKED,
        )
    )  # fmt: skip
    about = {"kind": kind, "cluster": cluster.id, "unit": unit, "args": args, "minutes": lasts.total_seconds() / 60}
    audit.record(session, now, by, "command.issue", name, about)
    return name


def enter_all(
    ctx: Context,
    session: Session,
    able: Sequence[tuple[Cluster, str]],
    order: CommandOrder,
    lasts: timedelta,
) -> None:
    """The executions of an order, at clusters and their units, so many a turn; the audit's line is the order's."""
    last, now = _last(session, [unit for _, unit in able]), order.issued_at
    for number, (cluster, unit) in enumerate(able):
        turn = now + PACE * (number // order.per_minute)
        session.add(
            Command(
                id=ctx.ids.new("k"), unit_id=unit, cluster_id=cluster.id, kind=order.kind, args=order.args,
                seq=next_version(last[unit], 0, unix_ms(now)), issued_by=order.issued_by, issued_at=now,
                expires_at=turn + lasts, due_at=turn, order_id=order.id, state=State.ASKED,
                held_until=turn if turn > now else None,
            )
        )  # fmt: skip


def asked_of(session: Session, units: Iterable[str], kind: CommandKind, now: datetime) -> set[str]:
    """Those of them where one of this kind is open, also where its turn in an order has not come."""
    same = (Command.unit_id.in_(list(units)), Command.kind == kind)
    return set(session.scalars(select(Command.unit_id).where(*same, _open(now))))


def _last(session: Session, units: Iterable[str]) -> Counter[str]:
    """The highest number of each; 0 where there is none."""
    wanted = select(Command.unit_id, func.max(Command.seq)).where(Command.unit_id.in_(list(units)))
    return Counter({row[0]: row[1] for row in session.execute(wanted.group_by(Command.unit_id))})


def in_flight(session: Session, unit: str, kind: CommandKind, now: datetime) -> bool:
    """One of this kind is on its way there, or would be but for the link."""
    same = (Command.unit_id == unit, Command.kind == kind, Command.held_until.is_(None))
    return session.scalar(select(Command.id).where(*same, _open(now)).limit(1)) is not None


def step(ctx: Context, link: Link, now: datetime) -> datetime:
    """Give up what expired, say what is due. Returns when something is due next; a unit that connects, an answer and a
    new command wake us earlier."""
    with ctx.db.read() as session:
        expired = session.scalar(_ANY_OVER, {"now": now}) is not None
        turn = session.scalar(_NEXT_TURN, {"now": now})
        first = _first_of_each_unit(session, now)
    if expired:
        _expire(ctx, now)
    if turn is not None and turn <= now and link.up:
        leaving = {row.order_id for row in first if row.due_at <= now and not row.sent and row.order_id is not None}
        turn = _release(ctx, leaving, now)
        with ctx.db.read() as session:
            first = _first_of_each_unit(session, now)
    due = [row for row in first if row.due_at <= now]
    if due and link.up:
        _note(ctx, _say(link, ctx.keys.signer(Use.COMMAND), due), now)
        with ctx.db.read() as session:
            first = _first_of_each_unit(session, now)
    marks = [min(row.expires_at, row.due_at) if link.up else row.expires_at for row in first]
    marks += [turn] if turn is not None and link.up else []
    # What the link did not take is still due: its coming back wakes us, and so does the next second.
    return max(min([*marks, now + LOOK_AGAIN]), now + timedelta(seconds=1))


def document(row: Command, signer: SigningKey) -> bytes:
    """As it travels. Signed each time it is said: keys may have been changed in between."""
    return codec.seal(
        status.Command(
            unit=row.unit_id,
            seq=row.seq,
            id=row.id,
            kind=CommandKind(row.kind),
            args=row.args,
            issued_at=unix_ms(row.issued_at),
            expires_at=unix_ms(row.expires_at),
        ),
        Typ.COMMAND,
        signer,
    )


def connected(session: Session, units: Iterable[str], at: datetime) -> bool:
    """These units said that they are there: whether anything waits for them, which is due now."""
    mine = list(units)
    if session.scalar(_WAITING, {"units": mine, "now": at}) is None:
        return False
    session.execute(
        update(Command).where(Command.unit_id.in_(mine), Command.held_until.is_(None), _open(at)).values(due_at=at)
    )
    return True


def _place(session: Session, actor: Actor, where: str) -> tuple[Cluster, str | None]:
    """The cluster and who serves it now; nobody where its unit was revoked."""
    row = session.execute(
        select(Cluster, Assignment.unit_id, Unit.revoked_at)
        .join(Station, Cluster.station_id == Station.id)
        .outerjoin(Assignment, (Assignment.cluster_id == Cluster.id) & Assignment.until.is_(None))
        .outerjoin(Unit, Unit.id == Assignment.unit_id)
        .where(Station.area_id.in_(actor.areas), Cluster.removed_at.is_(None))
        .where(or_(Cluster.id == where, Assignment.unit_id == where))
        .limit(1)
    ).first()
    if row is None:
        raise Refused("cluster.unknown", cluster=where[:40])
    return row[0], row[1] if row[2] is None else None


def _open(now: datetime) -> ColumnElement[bool]:
    return Command.state.in_(OPEN) & (Command.expires_at > now)


_UNANSWERED = (Command.state.in_(OPEN),)
_STANDS = (*_UNANSWERED, Command.expires_at > bindparam("now"))
_ANY_OVER = select(Command.id).where(*_UNANSWERED, Command.expires_at <= bindparam("now")).limit(1)
_WAITING = select(Command.id).where(Command.unit_id.in_(bindparam("units", expanding=True)), *_STANDS).limit(1)
_ALL_OPEN = (
    select(Command)
    .join(Unit, Unit.id == Command.unit_id)
    .join(Assignment, (Assignment.unit_id == Command.unit_id) & (Assignment.cluster_id == Command.cluster_id))
    .where(*_STANDS, Unit.revoked_at.is_(None), Assignment.until.is_(None), Command.held_until.is_(None))
    .order_by(Command.unit_id, Command.seq)
)
"""Not of a unit that was swapped meanwhile: who commanded meant the pole, and this unit may stand elsewhere by now."""
_NEXT_TURN = select(func.min(Command.held_until)).where(*_STANDS)


def _first_of_each_unit(session: Session, now: datetime) -> Sequence[Command]:
    """The oldest open command of each unit that may still connect."""
    first: dict[str, Command] = {}
    for row in session.scalars(_ALL_OPEN, {"now": now}):
        first.setdefault(row.unit_id, row)
    return list(first.values())


def _say(link: Link, signer: SigningKey, due: Sequence[Command]) -> list[Command]:
    manner = topics.MANNERS[In.COMMAND]
    left: list[Command] = []
    for row in due:
        topic = topics.to_unit(row.unit_id, In.COMMAND)
        if not link.publish(topic, document(row, signer), qos=manner.qos, retain=manner.retain):
            break
        left.append(row)
    return left


def _note(ctx: Context, said: Sequence[Command], now: datetime) -> None:
    """Died in between, we say it once more; the unit does it once."""
    if not said:
        return
    with ctx.db.write() as session:
        for row in said:
            wait = min(SAY_AGAIN * 2 ** min(row.sent, 10), SAY_AGAIN_MOST)
            session.execute(
                update(Command)
                .where(Command.id == row.id)
                .values(sent=Command.sent + 1, sent_at=now, due_at=now + wait)
            )
            # An answer may have come in between: it is further than this.
            for state in OPEN:
                mine = (Command.id == row.id, Command.state == state)
                session.execute(update(Command).where(*mine).values(state=MOVES[state, Event.SEND]))


def _expire(ctx: Context, now: datetime) -> None:
    with ctx.db.write() as session:
        given_up: list[tuple[str, int, str]] = []
        for state in OPEN:
            after = MOVES[state, Event.TIME_OVER]
            rows = session.execute(
                update(Command)
                .where(Command.state == state, Command.expires_at <= now)
                .values(expired_at=now, state=after)
                .returning(Command.id, Command.sent)
            )
            given_up += [(name, sent, after) for name, sent in rows]
        for name, sent, ended in sorted(given_up):
            audit.record(session, now, OURS, "command.expire", name, {"sent": sent, "state": ended})


def _release(ctx: Context, leaving: Collection[str], now: datetime) -> datetime | None:
    """Executions of orders whose turn has come get their numbers; when the next ones have it.

    Of each order one turn, however many were missed while we were down or without a link: the others move on, and what
    has no time left then expires. Of an order of `leaving` something leaves now, so its next turn is a whole one later.
    """
    with ctx.db.write() as session:
        due = select(Command.order_id, func.min(Command.held_until)).where(*_STANDS).group_by(Command.order_id)
        due = due.having(func.min(Command.held_until) <= bindparam("now"))
        for order, turn in session.execute(due, {"now": now}).all():
            if order is None or turn is None:
                continue
            if order in leaving:
                _put_off(session, order, turn, now + PACE - turn)
                continue
            mine = select(Command).where(*_STANDS, Command.order_id == order, Command.held_until == turn)
            _give_numbers(session, session.scalars(mine.order_by(Command.seq), {"now": now}).all(), now)
            _put_off(session, order, turn, now - turn)
        return session.scalar(_NEXT_TURN, {"now": now})


def _give_numbers(session: Session, rows: Sequence[Command], now: datetime) -> None:
    units = [row.unit_id for row in rows]
    serving = select(Assignment.unit_id, Assignment.cluster_id).where(Assignment.until.is_(None))
    serves = {tuple(each) for each in session.execute(serving.where(Assignment.unit_id.in_(units)))}
    last = _last(session, units)
    for row in rows:
        row.held_until, row.due_at = None, now
        if (row.unit_id, row.cluster_id) in serves:
            row.seq = next_version(last[row.unit_id], 0, unix_ms(now))
            continue
        # It was swapped meanwhile: who ordered meant the pole, and this unit may stand elsewhere by now.
        row.state, row.expired_at = MOVES[State.ASKED, Event.TIME_OVER], now
        audit.record(session, now, OURS, "command.expire", row.id, {"sent": 0, "state": row.state})
    session.flush()


def _put_off(session: Session, order: str, turn: datetime, by: timedelta) -> None:
    """From this turn on all of the order's come so much later; when they are given up does not change."""
    if by <= timedelta():
        return
    mine = (Command.order_id == order, Command.state == State.ASKED)
    later = select(Command.held_until).where(*mine, Command.held_until >= turn).distinct()
    for held in session.scalars(later.order_by(Command.held_until.desc())).all():
        if held is not None:
            moved = update(Command).where(*mine, Command.held_until == held)
            session.execute(moved.values(held_until=held + by, due_at=held + by))
