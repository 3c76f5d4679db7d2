"""What stands between a person and every horn of a province, and never between him and silence."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from broadcasts.errors import Refused
from controller.db.tables import Emergency, StandingAlert
from controller.services.alert_calls import Call
from controller.services.alert_reach import Reach
from controller.services.alerting import WAITING
from controller.services.context import Context
from controller.services.rights import Actor


def weighed(ctx: Context, reach: Reach) -> Reach:
    rules = ctx.emergencies
    return replace(reach, wide=len(reach.poles) >= rules.wide_clusters or reach.share > rules.wide_share)


def check(ctx: Context, session: Session, actor: Actor, call: Call, reach: Reach, now: datetime) -> None:
    """Raises Refused: "alert.confirm_reach", "alert.rate_person", "alert.rate_scope"."""
    if reach.wide and not reach.named_by(call.confirmed):
        raise Refused("alert.confirm_reach", clusters=len(reach.poles), of=reach.of)
    rates(ctx, session, actor, reach, now)


def rates(ctx: Context, session: Session, actor: Actor, reach: Reach, now: datetime) -> None:
    """Asked early, before a text is spoken, and again where the act is written down: of two presses at once one waits
    there for the other. What waits to be released counts for its lists as what stands in them does.

    Raises Refused: "alert.rate_person", "alert.rate_scope"."""
    rules, since = ctx.emergencies, now - ctx.emergencies.window
    minutes = int(rules.window.total_seconds() // 60)
    mine = select(func.count()).where(Emergency.issued_by == actor.name, Emergency.pressed_at > since)
    if (session.scalar(mine) or 0) >= rules.per_person:
        raise Refused("alert.rate_person", most=rules.per_person, minutes=minutes)
    scopes = {place.scope for place in reach.scopes}
    standing = (
        select(StandingAlert.scope, func.count())
        .where(StandingAlert.scope.in_(scopes), StandingAlert.issued_at > since)
        .group_by(StandingAlert.scope)
    )
    busy: Counter[str] = Counter()
    for scope, count in session.execute(standing):
        busy[scope] += count
    for act in session.scalars(select(Emergency).where(Emergency.state == WAITING)):
        busy.update(scopes.intersection(act.scopes))
    if max(busy.values(), default=0) >= rules.per_scope:
        raise Refused("alert.rate_scope", most=rules.per_scope, minutes=minutes)
