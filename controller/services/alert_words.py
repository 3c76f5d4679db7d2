"""What a second person says of an emergency afterwards (design, section 5). Until then it stands on the home page of
everybody who could."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.errors import Conflict, Refused
from controller.db.tables import AlertConfirmation, Emergency, User
from controller.services import audit
from controller.services.alerting import CANCELLED, ISSUED, LAPSED, WAITING, whose
from controller.services.context import Context
from controller.services.rights import Actor, Right

LOOK_BACK = timedelta(days=90)
LONG_TEXT = 500
UNHEARD = (WAITING, CANCELLED, LAPSED)
"""States in which nobody outside has heard of it: there is nothing to confirm."""


@dataclass(frozen=True)
class Line:
    """One alert; `by` who sounded it. `confirmed`: none while it waits for somebody else's word."""

    alert: Emergency
    kind: str
    reason: str
    by: str
    sounds: bool
    confirmed: AlertConfirmation | None
    confirmed_by: str
    mine: bool
    """Sounded by whoever asks, or by who lent him the right to confirm it: he cannot."""

    @property
    def unheard(self) -> bool:
        """Nothing sounded: it waits, was cancelled or lapsed."""
        return self.alert.state in UNHEARD


def confirm(ctx: Context, actor: Actor, alert_id: str, *, right: bool, note: str = "") -> None:
    """`right`: it should have sounded; otherwise `note` says why not.

    Raises Refused: "no_right", "second_factor.needed", "not_yours", "alert.own" (whoever sounded it),
    "alert.lent_own" (by a right that he lent), "reason.missing"; Conflict("alert.confirmed").
    """
    actor = actor.need(Right.ALERT, Right.APPROVE)
    now = ctx.clock.now()
    with ctx.db.write() as session:
        alert = session.get(Emergency, alert_id)
        if alert is None or alert.state in UNHEARD or not whose(alert, actor):
            raise Refused("not_yours")
        if alert.issued_by == actor.name:
            raise Refused("alert.own")
        if not whose(alert, actor.besides(account(session, alert.issued_by))):
            raise Refused("alert.lent_own")
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
    """The alerts of the last 90 days in the actor's area, those that wait for a word first, then the newest. Raises
    Refused("no_right")."""
    actor = actor.need(Right.ALERT, Right.APPROVE)
    now = ctx.clock.now()
    rows = session.execute(
        select(Emergency, AlertConfirmation, User.full_name)
        .outerjoin(AlertConfirmation, AlertConfirmation.alert_id == Emergency.id)
        .outerjoin(User, AlertConfirmation.by_id == User.id)
        .where(Emergency.issued_at > now - LOOK_BACK)
        .order_by(Emergency.issued_at.desc(), Emergency.id)
    ).all()
    names = _names(session, [row[0].issued_by for row in rows])
    others = {name: actor.besides(of) for name, of in _accounts(session, actor).items()}
    found = [
        Line(
            alert=alert,
            kind=alert.kind,
            reason=alert.reason,
            by=names.get(alert.issued_by, alert.issued_by),
            sounds=alert.state == ISSUED and alert.hard_end > now,
            confirmed=said,
            confirmed_by=by or "",
            mine=alert.issued_by == actor.name or not whose(alert, others.get(alert.issued_by, actor)),
        )
        for alert, said, by in rows
        if whose(alert, actor)
    ]
    return sorted(found, key=lambda line: line.confirmed is not None or line.unheard)


def waiting(ctx: Context, session: Session, actor: Actor) -> int:
    """How many alerts of others wait for the actor's word; 0 for who may not say it now."""
    if not may_confirm(actor) or not actor.strong:
        return 0
    return sum(line.confirmed is None and not line.mine and not line.unheard for line in every(ctx, session, actor))


def account(session: Session, name: str) -> str:
    """The id of the account of that name; "" where nobody has one."""
    return session.scalar(select(User.id).where(User.name == name)) or ""


def _accounts(session: Session, actor: Actor) -> dict[str, str]:
    """Those who lent this person something, by name."""
    lenders = {grant.lender for grant in actor.grants if grant.lender}
    rows = session.execute(select(User.name, User.id).where(User.id.in_(lenders))) if lenders else ()
    return {row[0]: row[1] for row in rows}


def _names(session: Session, accounts: Sequence[str]) -> dict[str, str]:
    rows = session.execute(select(User.name, User.full_name).where(User.name.in_(set(accounts))))
    return {row[0]: row[1] for row in rows}
