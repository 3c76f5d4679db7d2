"""What can be texted of an emergency, as a page and a terminal show it: the SMS, to whom, and what was sent before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select

from broadcasts.clock import from_unix_ms, unix_ms
from broadcasts.errors import LoaError
from controller.db.tables import Area, AuditEntry, Cluster, EmergencyReach, ScopeDocument
from controller.services import alerting, texting
from controller.services.context import Context
from controller.services.rights import Actor, Right

NAMES = 60
"""So many clusters are told by name; the number is always there."""


@dataclass(frozen=True)
class TextLine:
    """One SMS. `names`: some of the clusters whose units it is for; `clusters`: how many they are."""

    text: str
    sounds: bool
    names: Sequence[str]
    clusters: int


@dataclass(frozen=True)
class Texts:
    """`error`: why there is none. `gateway`: it can be sent from here; `numbers`: to so many of the units. `sent`: what
    the last sending came to, and `sent_at` when."""

    lines: Sequence[TextLine] = ()
    error: LoaError | None = None
    gateway: bool = False
    numbers: int = 0
    sent: dict[str, Any] | None = None
    sent_at: datetime | None = None


@dataclass(frozen=True)
class Silence:
    """One SMS after "silence all": it voids what was issued in this place, and in narrower ones, before `at`."""

    name: str
    at: datetime
    text: str


def silences_of(ctx: Context, actor: Actor) -> list[Silence]:
    """Of the places where this person may silence, as long as something older could still sound; the newest first."""
    if not (actor.strong and actor.may(Right.ALERT)):
        return []
    since = unix_ms(ctx.clock.now() - alerting.MAX_LENGTH)
    mine = actor.within(Right.ALERT)
    with ctx.db.read() as session:
        rows = session.execute(
            select(ScopeDocument.scope, ScopeDocument.void_before, Area.name)
            .join(Area, Area.id == ScopeDocument.scope)
            .where(ScopeDocument.void_before > since, ScopeDocument.scope.in_(mine))
            .order_by(ScopeDocument.void_before.desc(), ScopeDocument.scope)
            .limit(NAMES)
        ).all()
    told = [(name, at, texting.silence_text(ctx, actor, scope)) for scope, at, name in rows]
    return [Silence(name, from_unix_ms(at), text.text) for name, at, text in told if text is not None]


def texts_of(ctx: Context, actor: Actor, alert_id: str) -> Texts | None:
    """None for who may not sound this one: nothing is said of it then."""
    if not actor.may(Right.ALERT):
        return None
    try:
        said = texting.texts(ctx, actor, alert_id)
    except LoaError as error:
        return Texts(error=error) if error.key == "sms.unsaid" else None
    with ctx.db.read() as session:
        rows = session.execute(
            select(EmergencyReach.unit_id, Cluster.name)
            .join(Cluster, EmergencyReach.cluster_id == Cluster.id)
            .where(EmergencyReach.emergency_id == alert_id, EmergencyReach.unit_id.is_not(None))
            .order_by(Cluster.name)
        ).all()
        last = session.scalar(
            select(AuditEntry)
            .where(AuditEntry.act == "alert.text", AuditEntry.about == alert_id)
            .order_by(AuditEntry.id.desc())
            .limit(1)
        )
        sent = None if last is None else (dict(last.detail), last.at)
    lines = []
    for each in said:
        names = [name for unit, name in rows if each.unit in (None, unit)]
        lines.append(TextLine(each.text, each.sounds, names[:NAMES], len(names)))
    numbers = set() if ctx.sms is None else set(ctx.sms.numbers)
    return Texts(
        lines=lines,
        gateway=ctx.sms is not None,
        numbers=sum(unit in numbers for unit, _ in rows),
        sent=sent[0] if sent else None,
        sent_at=sent[1] if sent else None,
    )
