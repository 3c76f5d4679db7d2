"""Commands to single units: issued once, said until they are answered or expire (CONTRACT.md, section 10).

None of them sounds a horn, so none asks for an approval or for hours. Of one unit only the oldest open command is on
its way: a unit obeys no number below the highest it has seen, and the younger one must not overtake.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, bindparam, func, or_, select, update
from sqlalchemy.orm import Session

from broadcasts.clock import unix_ms
from broadcasts.domain.versions import next_version
from broadcasts.errors import Conflict, Refused
from broadcasts.wire import codec, status, topics
from broadcasts.wire.jws import SigningKey, Typ
from broadcasts.wire.status import CAPTURE_DEFAULT_S, CAPTURE_MOST_S, CommandKind
from broadcasts.wire.topics import In
from broadcasts.wire.trust import Use
from controller.db.tables import Assignment, Cluster, Command, Station, Unit
from controller.services import audit
from controller.services.context import Context
from controller.services.ports import Link
from controller.services.rights import Actor, Right

LASTS = timedelta(minutes=15)
"""A command that nobody waits for any more does not happen."""
SHORTEST, LONGEST = timedelta(minutes=1), timedelta(hours=24)
SAY_AGAIN = timedelta(seconds=20)
"""After the first time; doubled each time, up to `SAY_AGAIN_MOST`. A
capture needs 10 s before it has anything to say."""
SAY_AGAIN_MOST = timedelta(minutes=2)
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
    lasts: timedelta = LASTS,
    sure: bool = False,
) -> str:
    """Ask the unit that serves a cluster for something, once, until now + `lasts`; the command's id.

    `where` is a cluster, or the unit that serves one. Raises Refused: "no_right", "cluster.unknown" (also: elsewhere),
    "command.no_unit", "choice.unknown" (kind, argument), "command.length" (not between 1 min and 24 h),
    "command.confirm" (a reboot without `sure`); Conflict("command.in_flight") while one of this kind is open there.
    """
    actor = actor.need(Right.COMMAND)
    now = ctx.clock.now()
    with ctx.db.write() as session:
        cluster, unit = _place(session, actor, where)
        told = _kind(kind)
        given = _arguments(told, args or {})
        if not SHORTEST <= lasts <= LONGEST:
            raise Refused("command.length")
        if unit is None:
            raise Refused("command.no_unit", cluster=cluster.name)
        if told is CommandKind.REBOOT and not sure:
            raise Refused("command.confirm", cluster=cluster.name)
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
    same = (Command.unit_id == unit, Command.kind == kind)
    if session.scalar(select(Command.id).where(*same, _open(now)).limit(1)) is not None:
        raise Conflict("command.in_flight", cluster=cluster.name)
    last = session.scalar(select(func.max(Command.seq)).where(Command.unit_id == unit)) or 0
    name = ctx.ids.new("k")
    session.add(
        Command(
            id=name, unit_id=unit, cluster_id=cluster.id, seq=next_version(last, 0, unix_ms(now)), kind=kind,
            args=args, issued_by=by, issued_at=now, expires_at=now + lasts, due_at=now,
        )
    )  # fmt: skip
    about = {"kind": kind, "cluster": cluster.id, "unit": unit, "args": args, "minutes": lasts.total_seconds() / 60}
    audit.record(session, now, by, "command.issue", name, about)
    return name


def step(ctx: Context, link: Link, now: datetime) -> datetime:
    """Give up what expired, say what is due. Returns when something is due next; a unit that connects, an answer and a
    new command wake us earlier."""
    with ctx.db.read() as session:
        expired = session.scalar(_ANY_OVER, {"now": now}) is not None
        first = _first_of_each_unit(session, now)
    if expired:
        _expire(ctx, now)
    due = [row for row in first if row.due_at <= now]
    if due and link.up:
        _note(ctx, _say(link, ctx.keys.signer(Use.COMMAND), due), now)
        with ctx.db.read() as session:
            first = _first_of_each_unit(session, now)
    marks = [min(row.expires_at, row.due_at) if link.up else row.expires_at for row in first]
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
    session.execute(update(Command).where(Command.unit_id.in_(mine), _open(at)).values(due_at=at))
    return True


def _place(session: Session, actor: Actor, where: str) -> tuple[Cluster, str | None]:
    """The cluster and who serves it now."""
    row = session.execute(
        select(Cluster, Assignment.unit_id)
        .join(Station, Cluster.station_id == Station.id)
        .outerjoin(Assignment, (Assignment.cluster_id == Cluster.id) & Assignment.until.is_(None))
        .where(Station.area_id.in_(actor.areas), Cluster.removed_at.is_(None))
        .where(or_(Cluster.id == where, Assignment.unit_id == where))
        .limit(1)
    ).first()
    if row is None:
        raise Refused("cluster.unknown", cluster=where[:40])
    return row[0], row[1]


def _kind(told: str) -> CommandKind:
    try:
        return CommandKind(told)
    except ValueError:
        raise Refused("choice.unknown", name="kind", value=told[:20]) from None


def _arguments(kind: CommandKind, args: Mapping[str, str]) -> dict[str, str]:
    if kind is not CommandKind.CAPTURE:
        strange = next(iter(args), None)
        if strange is not None:
            raise Refused("choice.unknown", name="args", value=strange[:20])
        return {}
    seconds = args.get("seconds", str(CAPTURE_DEFAULT_S))
    if args.keys() - {"seconds"} or not (seconds.isascii() and seconds.isdigit()) or len(seconds) > 3:
        raise Refused("choice.unknown", name="seconds", value=seconds[:20])
    if not 1 <= int(seconds) <= CAPTURE_MOST_S:
        raise Refused("choice.unknown", name="seconds", value=seconds)
    return {"seconds": str(int(seconds))}


def _open(now: datetime) -> ColumnElement[bool]:
    return Command.answered_at.is_(None) & Command.expired_at.is_(None) & (Command.expires_at > now)


_UNANSWERED = (Command.answered_at.is_(None), Command.expired_at.is_(None))
_STANDS = (*_UNANSWERED, Command.expires_at > bindparam("now"))
_ANY_OVER = select(Command.id).where(*_UNANSWERED, Command.expires_at <= bindparam("now")).limit(1)
_WAITING = select(Command.id).where(Command.unit_id.in_(bindparam("units", expanding=True)), *_STANDS).limit(1)
_ALL_OPEN = (
    select(Command)
    .join(Unit, Unit.id == Command.unit_id)
    .where(*_STANDS, Unit.revoked_at.is_(None))
    .order_by(Command.unit_id, Command.seq)
)


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


def _expire(ctx: Context, now: datetime) -> None:
    with ctx.db.write() as session:
        given_up = session.execute(
            update(Command)
            .where(*_UNANSWERED, Command.expires_at <= now)
            .values(expired_at=now)
            .returning(Command.id, Command.sent)
        ).all()
        for name, sent in sorted(given_up):
            audit.record(session, now, OURS, "command.expire", name, {"sent": sent})
