"""What follows from warnings of others without anybody asking: silence after a Cancel, and what a standing rule says.

A step that compares what the rows say with what was done, so that a kill at any moment, or two runs, change nothing:
silence comes as soon as anybody looks, and a warning that a rule sounds is claimed before it sounds (`cap_by_rule`).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.domain.cap_rules import Fate, Why
from broadcasts.errors import LoaError
from controller.db.tables import CapMessage, CapMessageAlert, Emergency
from controller.services import audit, cap_by_rule, cap_sounding, cap_taking, drilling, emergencies
from controller.services.cap_sounding import CLAIM, NAME, PRESSED
from controller.services.context import Context

_LOG = logging.getLogger("loa.cap")
IDLE = timedelta(seconds=30)
SWEEP_EVERY = timedelta(hours=6)
KILLED = "cap.broken_off"
"""Why a part did not sound that nobody heard of again."""


class Acting:
    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._swept: datetime | None = None

    def step(self, now: datetime) -> datetime:
        adopt(self._ctx, now)
        silence_cancelled(self._ctx, now)
        cap_by_rule.sound_by_rule(self._ctx, now, silence_cancelled)
        if self._swept is None or now - self._swept > SWEEP_EVERY:
            cap_taking.sweep(self._ctx, now)
            self._swept = now
        return now + IDLE


def silence_cancelled(ctx: Context, now: datetime) -> None:
    """Take off the air all that sounds for what a Cancel took back. Silence wakes nobody: no person is asked."""
    with ctx.db.read() as session:
        rows = session.execute(
            select(CapMessage, CapMessageAlert)
            .join(CapMessageAlert, CapMessageAlert.message_id == CapMessage.id)
            .where(
                CapMessageAlert.alert_id != "",
                CapMessageAlert.silenced_at.is_(None),
                CapMessage.fate == Fate.KEPT,
                CapMessage.why == Why.CANCELLED,
            )
            .order_by(CapMessage.number, CapMessageAlert.number)
        ).all()
        acts = [(row, part, cap_sounding.silencer(ctx, session, row, part.alert_id)) for row, part in rows]
    for row, part, actor in acts:
        try:
            if row.decision == "drilled":
                drilling.end(ctx, actor, part.alert_id)
            else:
                emergencies.silence(ctx, actor, part.alert_id)
        except LoaError:  # tried again in half a minute; the others must not wait for it
            _LOG.exception("what sounds for %s is not silent", row.id)
            continue
        with ctx.db.write() as session:
            session.get_one(CapMessageAlert, (row.id, part.number)).silenced_at = now
            told = {"message": row.id, "by": row.by_id}
            audit.record(session, now, NAME, "cap.silence", part.alert_id, told, actor.area)
        ctx.measures.cap_taken("silenced")


def adopt(ctx: Context, now: datetime) -> None:
    """Find what sounded for a message and was not noted: we were killed in between. A Cancel has to reach it."""
    with ctx.db.read() as session:
        rows = session.scalars(
            select(CapMessage).where(
                CapMessage.decision.in_(("", PRESSED, "automatic")),
                CapMessage.tried_at.is_not(None),
                CapMessage.tried_at > now - timedelta(days=1),
                CapMessage.tried_at <= now - CLAIM,  # whoever was about to note it had time for it
            )
        ).all()
        torn = [row for row in rows if row.decision != "automatic" or _open(session, row)]
        found = {row.id: _unnoted(session, row) for row in torn}
    for row in torn:
        _note(ctx, row, found[row.id])


def _open(session: Session, row: CapMessage) -> list[CapMessageAlert]:
    """Parts of it that neither sounded nor say why not."""
    return [part for part in cap_sounding.parts(session, row.id) if not part.alert_id and not part.held]


def _unnoted(session: Session, row: CapMessage) -> Sequence[Emergency]:
    known = {part.alert_id for part in cap_sounding.parts(session, row.id)}
    named = select(Emergency).where(Emergency.reason.endswith(cap_sounding.mark(row), autoescape=True))
    return [act for act in session.scalars(named.order_by(Emergency.pressed_at)) if act.id not in known]


def _note(ctx: Context, row: CapMessage, acts: Sequence[Emergency]) -> None:
    """One after the other is sounded and noted, so that the first part that is open is the one that sounds; those
    behind it never came to their turn."""
    with ctx.db.write() as session:
        for act in acts:
            if act.issued_by != NAME:
                cap_sounding.add_part(session, row.id, alert=act.id)
                cap_sounding.decided(session, row.id, "sounded", act.issued_by, act.pressed_at)
            elif left := _open(session, row):
                cap_sounding.sounded(session, row.id, left[0].number, act.id, NAME, act.pressed_at)
        for part in _open(session, row):
            session.get_one(CapMessageAlert, (row.id, part.number)).held = KILLED
            told = session.get_one(CapMessage, row.id)
            told.held = told.held or KILLED
