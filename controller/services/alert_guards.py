"""What stands between a person and every horn of a province, and never between him and silence.

Nothing is remembered as an emergency (`alerting.remember`) without the word of `check` that it passed, or an exemption
that says why it need not.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from broadcasts.errors import Refused
from controller.db.tables import Emergency, LiveSession, StandingAlert
from controller.services.alert_calls import WAITING
from controller.services.alert_reach import Reach, of_clusters
from controller.services.context import Context
from controller.services.live_rules import EMERGENCY, SOON
from controller.services.rights import Actor

_RECORDED = timedelta(days=1)
"""So long after a live emergency its recording may still sound, and more (`live_sessions.MOST_LATER`)."""


class Exempt(StrEnum):
    """Why an emergency need not pass; in the log it stands beside the act."""

    SPOKEN = "spoken"
    """The recording of one that was spoken live and passed then, for the poles that were away."""
    SANDBOX = "sandbox"
    """A button, or a virtual officer, of a demo: no horn hangs on it."""


@dataclass(frozen=True)
class Passed:
    """That this act was looked at. Only `check` says so."""


Word = Passed | Exempt


def weighed(ctx: Context, reach: Reach) -> Reach:
    rules = ctx.emergencies
    return replace(reach, wide=len(reach.poles) >= rules.wide_clusters or reach.share > rules.wide_share)


def check(ctx: Context, session: Session, actor: Actor, confirmed: str, reach: Reach, now: datetime) -> Passed:
    """Asked early, before a text is spoken, and again where the act is written down: of two presses at once one waits
    there for the other. `confirmed`: what was typed in. Raises Refused: "alert.confirm_reach", "alert.rate_person",
    "alert.rate_scope"."""
    if weighed(ctx, reach).wide and not reach.named_by(confirmed):
        raise Refused("alert.confirm_reach", clusters=len(reach.poles), of=reach.of)
    _rates(ctx, session, actor, reach, now)
    return Passed()


def _rates(ctx: Context, session: Session, actor: Actor, reach: Reach, now: datetime) -> None:
    """One count for all that this person, or this list, had within the window, whether it was played or is spoken: an
    emergency counts once, from its press, and its recording for who was away is no second one. What waits to be
    released, or to be spoken, counts for its lists as what stands in them does; of what nobody outside heard, only the
    press counts.

    Raises Refused: "alert.rate_person", "alert.rate_scope"."""
    rules, since = ctx.emergencies, now - ctx.emergencies.window
    minutes = int(rules.window.total_seconds() // 60)
    ever = LiveSession.priority == EMERGENCY
    spoken = session.scalars(select(LiveSession).where(ever, LiveSession.hard_end > since - _RECORDED)).all()
    again = {alert for row in spoken for alert in row.alerts}
    mine = select(func.count()).where(
        Emergency.issued_by == actor.name, Emergency.pressed_at > since, Emergency.id.not_in(again)
    )
    asked = sum(row.speaker_id == actor.id and row.asked_at > since for row in spoken)
    if (session.scalar(mine) or 0) + asked >= rules.per_person:
        raise Refused("alert.rate_person", most=rules.per_person, minutes=minutes)
    scopes = {place.scope for place in reach.scopes}
    standing = (
        select(StandingAlert.scope, func.count())
        .where(StandingAlert.scope.in_(scopes), StandingAlert.issued_at > since, StandingAlert.id.not_in(again))
        .group_by(StandingAlert.scope)
    )
    busy: Counter[str] = Counter()
    for scope, count in session.execute(standing):
        busy[scope] += count
    for act in session.scalars(select(Emergency).where(Emergency.state == WAITING)):
        busy.update(scopes.intersection(act.scopes))
    for row in spoken:
        if _sounds(row, since, now):
            busy.update(scopes.intersection(_lists_of(session, row)))
    if max(busy.values(), default=0) >= rules.per_scope:
        raise Refused("alert.rate_scope", most=rules.per_scope, minutes=minutes)


def _sounds(row: LiveSession, since: datetime, now: datetime) -> bool:
    """Within the window, or in a moment."""
    if row.begun_at is not None:
        return row.begun_at > since
    return row.state == "approved" and now <= row.asked_at + SOON


def _lists_of(session: Session, row: LiveSession) -> set[str]:
    """Those that would carry an emergency for the same poles."""
    everywhere = {pole.root for pole in of_clusters(session, row.clusters, ()).poles}
    return {place.scope for place in of_clusters(session, row.clusters, everywhere).scopes}
