"""An emergency that somebody spoke, for poles that were away while he did: its recording, as an alert of their own."""

from __future__ import annotations

import logging
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.errors import LoaError
from broadcasts.wire.alert import AlertKind, Repeat
from controller.db.tables import Emergency, EmergencyReach, JournalEntry, LiveSession, User
from controller.services import emergencies
from controller.services.accounts import actor_by_name
from controller.services.alert_guards import Exempt
from controller.services.alerting import ISSUED, WAITING
from controller.services.context import Context
from controller.services.emergencies import Call, Content
from controller.services.live_room import End
from controller.services.live_rules import EMERGENCY, silenced
from controller.services.stations import units_of
from controller.services.targets import Target

_LOG = logging.getLogger("loa.live")
LANGUAGE = "vi"
ONCE = Repeat(every_s=10, times=1)
NEVER = frozenset({End.STOPPED, End.RULES, End.NEWER, End.FLOOD})
"""What somebody else broke off, or something newer overtook, sounds nowhere afterwards."""


def give_to_who_was_away(ctx: Context, session_id: str) -> None:
    """Sound the recording, once, at every pole of which no evidence came that the voice began there, until
    `later_until`; but not where something newer warns: a pole goes by when an alert was issued, and the old voice would
    take the horn from it. The authority is that of who spoke, given with the second factor when it began."""
    now = ctx.clock.now()
    with ctx.db.read() as session:
        row = session.get_one(LiveSession, session_id)
        if row.priority != EMERGENCY or row.later_until is None or row.asset_sha256 is None or row.later_until <= now:
            return
        if row.end_why in NEVER or row.confirmed_right is False or silenced(session, row):
            return
        newer = warned_since(session, row, now)
        away = [cluster for cluster in without_evidence(session, row) if cluster not in newer]
        actor = actor_by_name(session, session.get_one(User, row.speaker_id).name, ctx.wall.now())
    if not away:
        return
    call = Call(
        AlertKind(row.kind),
        Target(clusters=tuple(away)),
        Content(recordings=((LANGUAGE, row.asset_sha256),)),
        row.reason,
        row.later_until - now,
        ONCE,
        volume=100,
        origin="live",
    )
    try:
        made = emergencies.sound(ctx, actor, call, Exempt.SPOKEN)
    except LoaError:
        _LOG.exception("the recording of %s reaches nobody", session_id)
        return
    with ctx.db.write() as session:
        session.get_one(LiveSession, session_id).alerts = [made]


def without_evidence(session: Session, row: LiveSession) -> list[str]:
    """Clusters with a unit, as they were when it began, of which no entry says that it sounded."""
    units = units_of(session, row.clusters, row.begun_at)
    began = set(
        session.scalars(
            select(JournalEntry.unit_id).where(JournalEntry.item == row.id, JournalEntry.kind == "started").distinct()
        )
    )
    return sorted(cluster for cluster, unit in units.items() if unit not in began)


def warned_since(session: Session, row: LiveSession, now: datetime) -> set[str]:
    """Clusters where an emergency stands, waits for its release or is spoken that began after this one."""
    assert row.begun_at is not None
    standing = (
        select(EmergencyReach.cluster_id)
        .join(Emergency, EmergencyReach.emergency_id == Emergency.id)
        .where(
            Emergency.pressed_at > row.begun_at,
            Emergency.state.in_((WAITING, ISSUED)),
            Emergency.hard_end > now,
            EmergencyReach.silenced_at.is_(None),
        )
    )
    spoken = select(LiveSession).where(
        LiveSession.priority == EMERGENCY, LiveSession.state == "on_air", LiveSession.begun_at > row.begun_at
    )
    return {*session.scalars(standing), *(cluster for other in session.scalars(spoken) for cluster in other.clusters)}
