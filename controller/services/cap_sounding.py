"""What sounds for a warning of somebody else's: who sounds it, what it is called, and the rows that say so.

One message may sound as several emergencies, one for each standing rule that it reaches.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from broadcasts.domain import cap_values
from broadcasts.domain.cap_rules import Why
from controller.db.tables import CapFeed, CapMessage, CapMessageAlert, Drill, Emergency
from controller.services.cap_signature import Seal
from controller.services.context import Context
from controller.services.rights import Actor, Grant, Role, below

NAME = "cap"
"""Who sounded it, in the log and for whoever confirms it afterwards: nobody's account."""
PRESSED = "pressed"
"""Decided by a person this very moment."""
CLAIM = timedelta(minutes=2)
"""After which that was no moment, but a kill."""


def reason(feed: CapFeed, row: CapMessage) -> str:
    """What an emergency says of itself that sounds for this message; by its end it is found again."""
    return f"CAP {feed.name}: {row.title}"[:160] + mark(row)


def mark(row: CapMessage) -> str:
    return f" [{row.id}]"


def parts(session: Session, message_id: str) -> Sequence[CapMessageAlert]:
    """What sounds or was to sound for it, in the order of sounding."""
    wanted = select(CapMessageAlert).where(CapMessageAlert.message_id == message_id)
    return session.scalars(wanted.order_by(CapMessageAlert.number)).all()


def add_part(session: Session, message_id: str, *, rule: str = "", alert: str = "", clusters: int = 0) -> int:
    """Its number."""
    highest = select(func.max(CapMessageAlert.number)).where(CapMessageAlert.message_id == message_id)
    number = (session.scalar(highest) or 0) + 1
    session.add(CapMessageAlert(message_id=message_id, number=number, rule_id=rule, alert_id=alert, clusters=clusters))
    session.flush()
    return number


def decided(session: Session, name: str, decision: str, by: str, now: datetime, note: str = "") -> None:
    row = session.get_one(CapMessage, name)
    row.decision, row.decided_at, row.decided_by, row.note = decision, now, by, note


def sounded(session: Session, name: str, number: int, alert: str, by: str, now: datetime) -> None:
    """A standing rule's part of it sounds."""
    session.get_one(CapMessageAlert, (name, number)).alert_id = alert
    decided(session, name, "automatic", by, now)


def replaced(session: Session, row: CapMessage) -> tuple[str, ...]:
    """Alerts that sound for messages which this one took back, and for those that these took back: they end where it
    begins. By what the messages name, as an older one may have been taken back by several."""
    found: dict[str, CapMessage] = {}
    look = [row]
    while look:
        one = look.pop()
        for named in cap_values.references(" ".join(one.refers)):
            taken = select(CapMessage).where(
                CapMessage.feed_id == row.feed_id,
                CapMessage.sender == named.sender,
                CapMessage.identifier == named.identifier,
                CapMessage.sent == named.sent,
                CapMessage.status == row.status,
                CapMessage.why.in_((Why.SUPERSEDED, Why.CANCELLED)),
            )
            for older in session.scalars(taken):
                said_by_whom = row.seal == Seal.VALID or older.seal != Seal.VALID
                if said_by_whom and older.id not in found and older.id != row.id:
                    found[older.id] = older
                    look.append(older)
    ordered = sorted(found.values(), key=lambda older: older.number)
    alerts = [part.alert_id for older in ordered for part in parts(session, older.id) if part.alert_id]
    return tuple(name for name in dict.fromkeys(alerts) if session.get(Emergency, name) is not None)


def silencer(ctx: Context, session: Session, row: CapMessage, alert: str) -> Actor:
    """Wherever it sounds: a person may have chosen other places than the message named."""
    area = session.get_one(CapFeed, row.feed_id).area_id
    act = session.get(Emergency, alert) or session.get(Drill, alert)
    return officer(ctx, area, below(session, area) | frozenset(act.areas if act else ()))


def officer(ctx: Context, area: str, areas: frozenset[str]) -> Actor:
    """Nobody's account. Whoever put the rule into force gave a fresh code for it; silence needs none."""
    grant = Grant(Role.EMERGENCY, area, areas)
    return Actor("", NAME, NAME, (grant,), "vi", area, strong=True, strong_at=ctx.wall.now())
