"""Alerts by SMS, where MQTT has no way in (CONTRACT.md, section 6c): what is to be texted, and by which gateway.

A text says nothing that the alert's document does not: it is of an alert that stands, or that was silenced, at the
version of its document. Nothing here sounds anything that was not sounded before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.clock import unix_ms
from broadcasts.errors import ContractViolation, Fault, Refused
from broadcasts.wire import trigger
from broadcasts.wire.alert import Alert
from broadcasts.wire.jws import SigningKey
from broadcasts.wire.trigger import Op, Trigger
from broadcasts.wire.trust import Use
from controller.db.tables import Emergency, EmergencyReach, ScopeDocument, StandingAlert
from controller.services import alerting, audit
from controller.services.context import Context
from controller.services.rights import Actor, Right
from controller.services.stations import area_of_scope


@dataclass(frozen=True)
class Text:
    """One SMS, at most 160 characters. `unit`: for it alone; none: for every unit of the scope."""

    scope: str
    unit: str | None
    text: str
    sounds: bool
    """False: it ends what sounds."""


@dataclass
class Sent:
    handed_over: list[str] = field(default_factory=list)
    """Units."""
    failed: dict[str, str] = field(default_factory=dict)
    """Unit to what the gateway said."""
    without_number: list[str] = field(default_factory=list)


def texts(ctx: Context, actor: Actor, alert_id: str) -> list[Text]:
    """What to send of an alert, from wide to narrow; of one that was silenced, what ends it. Who may sound and silence
    may ask. Empty: it waits still, or is over.

    Raises Refused: "no_right", "second_factor.needed", "not_yours", "sms.unsaid" (no SMS can say it).
    """
    actor = actor.need(Right.ALERT)
    with ctx.db.read() as session:
        act = _mine(session, actor, alert_id)
        rows = session.scalars(select(StandingAlert).where(StandingAlert.id == alert_id)).all()
        versions = {
            row.scope: row.version
            for row in session.scalars(
                select(ScopeDocument).where(
                    ScopeDocument.scope.in_([row.scope for row in rows]), ScopeDocument.dirty == 0
                )
            )
        }
    order = [*act.scopes, *sorted({row.scope for row in rows} - set(act.scopes))]
    found: list[Text] = []
    for row in sorted(rows, key=lambda row: order.index(row.scope)):
        if row.hard_end > ctx.clock.now() and row.scope in versions:
            found += _of(row, versions[row.scope], ctx.keys.signer(Use.ALERT))
    return found


def silence_text(ctx: Context, actor: Actor, scope: str) -> Text | None:
    """What voids every alert that was issued in this scope, and in narrower ones, before its last silence of all; none
    where there was none. Raises Refused: "no_right", "second_factor.needed", "not_yours"."""
    actor = actor.need(Right.ALERT)
    with ctx.db.read() as session:
        if area_of_scope(session, scope) not in actor.areas:
            raise Refused("not_yours")
        stored = session.get(ScopeDocument, scope)
        if stored is None or not stored.void_before or stored.dirty:
            return None
        told = Trigger(op=Op.SILENCE, scope=scope, version=stored.version, issued_at=stored.void_before)
    return Text(scope, None, _sealed(told, ctx.keys.signer(Use.ALERT)), sounds=False)


@audit.decided("alert.text")
def send(ctx: Context, actor: Actor, alert_id: str) -> Sent:
    """To every unit that the alert was meant for and that has a number: what `texts` says to it. A gateway that fails
    for one is asked for the next.

    Raises Refused: as `texts`, "sms.off" where no gateway is set up, "sms.nothing" where `texts` says nothing.
    """
    gateway = ctx.sms
    if gateway is None:
        raise Refused("sms.off")
    said = texts(ctx, actor, alert_id)
    if not said:
        raise Refused("sms.nothing")
    with ctx.db.read() as session:
        reach = session.scalars(
            select(EmergencyReach.unit_id)
            .where(EmergencyReach.emergency_id == alert_id, EmergencyReach.unit_id.is_not(None))
            .order_by(EmergencyReach.unit_id)
        ).all()
    sent = Sent()
    for unit in [each for each in reach if each is not None]:
        number = gateway.numbers.get(unit)
        if number is None:
            sent.without_number.append(unit)
            continue
        try:
            for each in said:
                if each.unit in (None, unit):
                    gateway.send(number, each.text)
            sent.handed_over.append(unit)
        except Fault as fault:
            sent.failed[unit] = str(fault.fields.get("detail", fault.key))[:200]
    told = {"sent": len(sent.handed_over), "failed": len(sent.failed), "without_number": len(sent.without_number)}
    with ctx.db.write() as session:
        audit.record(session, ctx.clock.now(), actor.name, "alert.text", alert_id, told, "")
    return sent


def _mine(session: Session, actor: Actor, alert_id: str) -> Emergency:
    act = session.get(Emergency, alert_id)
    if act is None or not alerting.whose(act, actor):
        raise Refused("not_yours")
    return act


def _of(row: StandingAlert, version: int, key: SigningKey) -> Sequence[Text]:
    if row.silenced_at is not None:
        told = Trigger(op=Op.END, scope=row.scope, version=version, issued_at=unix_ms(row.silenced_at), alert=row.id)
        return [Text(row.scope, None, _sealed(told, key), sounds=False)]
    entry = Alert.model_validate(row.entry, strict=False)
    units: Sequence[str | None] = [None] if entry.target == "all" else entry.target
    try:
        return [
            Text(row.scope, unit, _sealed(trigger.of_alert(entry, row.scope, version, unit), key), sounds=True)
            for unit in units
        ]
    except ContractViolation:
        raise Refused("sms.unsaid") from None


def _sealed(told: Trigger, key: SigningKey) -> str:
    return trigger.text(trigger.seal(told, key))
