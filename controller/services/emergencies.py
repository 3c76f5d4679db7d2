"""An emergency, by one person with a second factor; a second person says afterwards that it was right (design,
section 5). Until then it stands on the home page of everybody who could."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.errors import Conflict, Refused
from broadcasts.wire.alert import AlertKind
from controller.db.tables import AlertConfirmation, StandingAlert, User
from controller.services import alerting, audit, emergency_set
from controller.services.context import Context
from controller.services.rights import Actor, Right
from controller.services.stations import area_of_scope

LOOK_BACK = timedelta(days=90)
LONG_TEXT = 500


@dataclass(frozen=True)
class Line:
    """One alert; `by` who sounded it. `confirmed`: none while it waits for somebody else's word."""

    alert: StandingAlert
    kind: str
    reason: str
    by: str
    sounds: bool
    confirmed: AlertConfirmation | None
    confirmed_by: str
    mine: bool
    """Sounded by whoever asks, who therefore cannot confirm it."""


def sound(ctx: Context, actor: Actor, scope: str, kind: AlertKind, reason: str, lasts: timedelta) -> str:
    """At once, with the recordings that every pole holds; the alert's id.

    Raises what `emergency_set.sound` raises.
    """
    return emergency_set.sound(ctx, actor, scope, kind, reason, lasts)


def silence(ctx: Context, actor: Actor, scope: str, alert_id: str | None = None) -> int:
    """Take one alert or all off the scope's list; how many. Raises what `alerting.silence` raises."""
    return alerting.silence(ctx, actor, scope, alert_id)


def confirm(ctx: Context, actor: Actor, alert_id: str, *, right: bool, note: str = "") -> None:
    """`right`: it should have sounded; otherwise `note` says why not.

    Raises Refused: "no_right", "second_factor.needed", "not_yours", "alert.own" (whoever sounded it), "reason.missing";
    Conflict("alert.confirmed").
    """
    actor = actor.need(Right.ALERT, Right.APPROVE)
    now = ctx.clock.now()
    with ctx.db.write() as session:
        alert = session.get(StandingAlert, alert_id)
        if alert is None or _area_of(session, alert.scope) not in actor.areas:
            raise Refused("not_yours")
        if alert.issued_by == actor.name:
            raise Refused("alert.own")
        if session.get(AlertConfirmation, alert_id) is not None:
            raise Conflict("alert.confirmed")
        if not right and not note.strip():
            raise Refused("reason.missing")
        said = note.strip()[:LONG_TEXT]
        session.add(AlertConfirmation(alert_id=alert_id, by_id=actor.id, at=now, right=right, note=said))
        told = {"scope": alert.scope, "right": right, "note": said, "sounded_by": alert.issued_by}
        audit.record(session, now, actor.name, "alert.confirm", alert_id, told)


def may_confirm(actor: Actor) -> bool:
    return actor.may(Right.ALERT) or actor.may(Right.APPROVE)


def every(ctx: Context, session: Session, actor: Actor) -> list[Line]:
    """The alerts of the last 90 days in the actor's area, those that wait first, then the newest. Raises
    Refused("no_right")."""
    actor = actor.need(Right.ALERT, Right.APPROVE)
    now = ctx.clock.now()
    rows = session.execute(
        select(StandingAlert, AlertConfirmation, User.full_name)
        .outerjoin(AlertConfirmation, AlertConfirmation.alert_id == StandingAlert.id)
        .outerjoin(User, AlertConfirmation.by_id == User.id)
        .where(StandingAlert.issued_at > now - LOOK_BACK)
        .order_by(StandingAlert.issued_at.desc(), StandingAlert.id)
    ).all()
    names = _names(session, [row[0].issued_by for row in rows])
    scopes = {scope: _area_of(session, scope) for scope in {row[0].scope for row in rows}}
    found = [
        Line(
            alert=alert,
            kind=str(alert.entry["kind"]),
            reason=str(alert.entry.get("reason", "")),
            by=names.get(alert.issued_by, alert.issued_by),
            sounds=alert.silenced_at is None and alert.hard_end > now,
            confirmed=said,
            confirmed_by=by or "",
            mine=alert.issued_by == actor.name,
        )
        for alert, said, by in rows
        if scopes[alert.scope] in actor.areas
    ]
    return sorted(found, key=lambda line: line.confirmed is not None)


def waiting(ctx: Context, session: Session, actor: Actor) -> int:
    """How many alerts of others wait for the actor's word; 0 for who may not say it now."""
    if not may_confirm(actor) or not actor.strong:
        return 0
    return sum(line.confirmed is None and not line.mine for line in every(ctx, session, actor))


def _area_of(session: Session, scope: str) -> str | None:
    """The area whose poles hear this scope; of a scope that is one unit, where it stands."""
    return area_of_scope(session, scope)


def _names(session: Session, accounts: Sequence[str]) -> dict[str, str]:
    rows = session.execute(select(User.name, User.full_name).where(User.name.in_(set(accounts))))
    return {row[0]: row[1] for row in rows}
