"""Tells units how far their journal is safe here, so that they may stop sending it (CONTRACT.md, section 8)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from broadcasts.wire import codec, topics
from broadcasts.wire.journal import JournalAck
from broadcasts.wire.jws import Typ
from broadcasts.wire.topics import In
from broadcasts.wire.trust import Use
from controller.db.tables import JournalMark, Revocation, UnitStatus
from controller.services.context import Context
from controller.services.ports import Link

_MOVED = (
    select(JournalMark)
    .where(JournalMark.acked_seq != JournalMark.seq, JournalMark.unit_id.not_in(select(Revocation.unit_id)))
    .order_by(JournalMark.at)
)
_EPOCHS = select(UnitStatus.unit_id, UnitStatus.journal_epoch).where(
    UnitStatus.unit_id.in_(bindparam("units", expanding=True))
)


def missing(session: Session) -> Sequence[JournalMark]:
    """Marks that moved since they were last told. The newest journal of a unit last: the broker retains one."""
    return session.scalars(_MOVED).all()


def acknowledge(ctx: Context, link: Link, marks: Sequence[JournalMark]) -> None:
    """Publish them and note it. Nobody waits for the broker: an acknowledgement that is lost on the way is asked for
    again by the entries themselves, which the unit sends anew."""
    if not marks or not link.up:
        return
    with ctx.db.read() as session:
        epochs = _epochs(session, {mark.unit_id for mark in marks})
    signer, manner = ctx.keys.signer(Use.COMMAND), topics.MANNERS[In.JOURNAL_ACK]
    said = (
        (topics.to_unit(mark.unit_id, In.JOURNAL_ACK), codec.seal(_ack(mark, epochs), Typ.JOURNAL_ACK, signer))
        for mark in marks
    )
    sent = link.publish_all(said, qos=manner.qos, retain=manner.retain)
    if not sent:
        return
    with ctx.db.write() as session:
        told = [{"unit": mark.unit_id, "journal": mark.journal_id, "told": mark.seq} for mark in marks[:sent]]
        session.connection().execute(_TOLD, told)


_TOLD = (
    update(JournalMark.__table__)  # type: ignore[arg-type]
    .where(JournalMark.unit_id == bindparam("unit"), JournalMark.journal_id == bindparam("journal"))
    .values(acked_seq=bindparam("told"))
)


def _ack(mark: JournalMark, epochs: Mapping[str, int]) -> JournalAck:
    return JournalAck(unit=mark.unit_id, journal_id=mark.journal_id, seq=mark.seq, epoch=epochs.get(mark.unit_id, 0))


def ask_again(session: Session, units: Sequence[str], now: datetime) -> None:
    """We were restored: what was acknowledged after the backup is in no database any more. A higher epoch makes these
    units, and no others, send it again; also one that was not heard of before the backup. It is at least the time, so
    that it lies above what a lost database gave."""
    least = int(now.timestamp())
    known = set(session.scalars(select(UnitStatus.unit_id).where(UnitStatus.unit_id.in_(units))))
    session.add_all(UnitStatus(unit_id=unit, seen_plan_version=0) for unit in units if unit not in known)
    session.flush()
    for status in session.scalars(select(UnitStatus).where(UnitStatus.unit_id.in_(units))):
        status.journal_epoch = max(status.journal_epoch + 1, least)
    session.execute(update(JournalMark).where(JournalMark.unit_id.in_(units)).values(acked_seq=-1))


def _epochs(session: Session, units: Collection[str]) -> dict[str, int]:
    return {row.unit_id: row.journal_epoch for row in session.execute(_EPOCHS, {"units": list(units)})}
