"""A CAP document comes in, fetched or handed in: it is kept byte for byte, and all of its sender's are judged anew.

Coming twice changes nothing. What follows (silence, a standing rule) is not done here but by the step, from what the
rows say, so that a kill in between loses nothing (`cap_acting`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from broadcasts.domain import cap, cap_values
from broadcasts.domain.cap import Category, Certainty, Info, Message, Severity, Urgency
from broadcasts.domain.cap_rules import Come, Fate, Judged, Why, judge
from broadcasts.errors import Refused
from controller.db.tables import CapFeed, CapMessage, CapMessageAlert
from controller.services import cap_signature, cap_xml
from controller.services.cap_signature import Seal
from controller.services.context import Context

LOOK_BACK = timedelta(days=14)
MOST_JUDGED = 5_000
"""Messages of one sender that are looked at together, the newest."""
MOST_A_DAY = 1_000
"""Of one feed. A sender that went mad must not fill the disk."""
MOST_BYTES_A_DAY = 20_000_000
KEEP = timedelta(days=90)
"""What nothing sounded for is forgotten then."""
UNREAD = "unread"


@dataclass(frozen=True)
class Taken:
    """`new`: it had not come before. `outcome`: what is counted: duplicate, unread, or its fate."""

    id: str
    new: bool
    outcome: str


@dataclass(frozen=True)
class _Read:
    message: Message | None
    seal: Seal
    error: Refused | None


def take(ctx: Context, feed_id: str, data: bytes, link: str = "", *, strict: bool = False) -> Taken:
    """`strict`: what cannot be read is refused, and not kept: who hands it in is told. Raises Refused("cap.too_many",
    "cap.feed_gone"), and if `strict` what `cap_xml` raises."""
    now = ctx.clock.now()
    with ctx.db.read() as session:
        feed = session.get(CapFeed, feed_id)
        if feed is None or feed.retired_at is not None:
            raise Refused("cap.feed_gone")
    read = _read(data, feed, now)
    if strict and read.error is not None:
        ctx.measures.cap_taken(UNREAD)
        raise read.error
    digest = hashlib.sha256(data).hexdigest()
    with ctx.db.write() as session:
        known = session.scalar(select(CapMessage.id).where(CapMessage.feed_id == feed_id, CapMessage.digest == digest))
        if known is None:
            _need_room(session, feed_id, len(data), read, now)
            row = _row(ctx, session, feed, read, now)
            row.digest, row.body, row.link = digest, data[: cap_xml.MOST_BYTES], link
            session.add(row)
            session.flush()
            if read.message is not None:
                judge_again(session, feed_id, read.message.sender, now)
            taken = Taken(row.id, True, row.fate if read.message else UNREAD)
        else:
            taken = Taken(known, False, Why.DUPLICATE)
    ctx.measures.cap_taken(taken.outcome)
    if taken.new:
        ctx.wake()
    return taken


def _read(data: bytes, feed: CapFeed, now: datetime) -> _Read:
    seal = Seal.NONE
    try:
        root = cap_xml.parse(data)
        seal, signed = cap_signature.check(root, cap_signature.certificates(feed.certificate), now)
        return _Read(cap_xml.read(signed), seal, None)
    except Refused as refused:
        return _Read(None, seal, refused)


def read(row: CapMessage, feed: CapFeed) -> Message:
    """What the kept bytes say: of a signed message only what the signature covers. Raises Refused for what cannot be
    read; nothing such has a fate but "kept"."""
    root = cap_xml.parse(row.body)
    if row.seal == Seal.VALID:
        seal, root = cap_signature.check(root, cap_signature.certificates(feed.certificate), row.received_at)
        if seal is not Seal.VALID:
            raise Refused("cap.seal_changed")
    return cap_xml.read(root)


def judge_again(session: Session, feed_id: str, sender: str, now: datetime) -> None:
    """What becomes of each message of this sender, now that all are here; in the transaction of the new one."""
    newest = (
        select(CapMessage)
        .where(CapMessage.feed_id == feed_id, CapMessage.sender == sender, CapMessage.received_at > now - LOOK_BACK)
        .order_by(CapMessage.number.desc())
        .limit(MOST_JUDGED)
    )
    rows = sorted(session.scalars(newest), key=lambda row: row.number)
    found = judge([_come(row) for row in rows], now)
    for row in rows:
        _say(row, found[row.id])


def sweep(ctx: Context, now: datetime) -> int:
    """Forget what is old and nothing sounded for; how many."""
    with ctx.db.write() as session:
        kept = select(CapMessageAlert.message_id).where(CapMessageAlert.alert_id != "")
        old = (CapMessage.received_at < now - KEEP, CapMessage.id.not_in(kept))
        session.execute(
            delete(CapMessageAlert).where(CapMessageAlert.message_id.in_(select(CapMessage.id).where(*old)))
        )
        gone = delete(CapMessage).where(*old)
        return int(session.execute(gone).rowcount)  # type: ignore[attr-defined]


def _need_room(session: Session, feed_id: str, size: int, read: _Read, now: datetime) -> None:
    """A Cancel has twice the room: silence must not wait until tomorrow."""
    today = (CapMessage.feed_id == feed_id, CapMessage.received_at > now - timedelta(days=1))
    came, held = session.execute(select(func.count(), func.sum(func.length(CapMessage.body))).where(*today)).one()
    room = 2 if read.message is not None and read.message.msg_type is cap.MsgType.CANCEL else 1
    if came >= MOST_A_DAY * room or (held or 0) + size > MOST_BYTES_A_DAY * room:
        raise Refused("cap.too_many", most=MOST_A_DAY)


def _row(ctx: Context, session: Session, feed: CapFeed, read: _Read, now: datetime) -> CapMessage:
    number = (session.scalar(select(func.max(CapMessage.number))) or 0) + 1
    row = CapMessage(
        id=ctx.ids.new("cm"), number=number, feed_id=feed.id, received_at=now, seal=read.seal, fate=Fate.KEPT,
        why=UNREAD,
    )  # fmt: skip
    if read.error is not None:
        row.unread = {"key": read.error.key} | {name: str(value)[:200] for name, value in read.error.fields.items()}
    if (it := read.message) is not None:
        row.sender, row.identifier, row.sent, row.end = it.sender, it.identifier, it.sent, it.end
        row.status, row.msg_type, row.scope = it.status, it.msg_type, it.scope
        row.refers = [str(each) for each in it.references]
        row.words = hashlib.sha256(repr(it.infos).encode()).hexdigest() if it.infos else ""
        row.title, row.refused = _title(it.infos)[:300], _refused(it, read.seal, feed)
    return row


def _refused(message: Message, seal: Seal, feed: CapFeed) -> str:
    """A signature that does not hold is worse than none: somebody changed it, or is somebody else."""
    if feed.senders and message.sender not in feed.senders:
        return Why.SENDER
    if seal is Seal.BROKEN:
        return Why.SIGNATURE
    return Why.UNSIGNED if feed.signed and seal is not Seal.VALID else ""


def _title(infos: Iterable[Info]) -> str:
    ordered = sorted(infos, key=lambda info: info.speaks != "vi")
    return next((" ".join((info.headline or info.event).split()) for info in ordered), "")


def _come(row: CapMessage) -> Come:
    """The row as the rules want it. Its words are there by their hash: all that is asked is whether they are the same,
    and when they are over."""
    assert row.sent is not None
    words = Info(row.words, Urgency.UNKNOWN, Severity.UNKNOWN, Certainty.UNKNOWN, (Category.OTHER,), expires=row.end)
    message = Message(
        identifier=row.identifier,
        sender=row.sender,
        sent=row.sent,
        status=cap.Status(row.status),
        msg_type=cap.MsgType(row.msg_type),
        scope=cap.Scope(row.scope),
        infos=(words,) if row.words else (),
        references=cap_values.references(" ".join(row.refers)),
    )
    refused = Why(row.refused) if row.refused else None
    return Come(row.id, message, row.received_at, refused, row.seal == Seal.VALID)


def _say(row: CapMessage, judged: Judged) -> None:
    fate, why = str(judged.fate), str(judged.why or "")
    if (row.fate, row.why, row.by_id) != (fate, why, judged.by):
        row.fate, row.why, row.by_id = fate, why, judged.by
