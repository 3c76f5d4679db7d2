"""By what right somebody approves a live voice, as `four_eyes` has it for a bulletin (R-031), ends it, or goes on
speaking."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from broadcasts.errors import Refused
from controller.db.tables import Cluster, LiveSession
from controller.services.accounts import who
from controller.services.context import Context
from controller.services.four_eyes import Title, lent_title
from controller.services.live_rules import EMERGENCY, areas_of
from controller.services.own_exceptions import standing
from controller.services.rights import Actor, Right, all_mine

_LOG = logging.getLogger("loa.live")


def title_for(session: Session, actor: Actor, row: LiveSession, now: datetime, *, approves: bool) -> Title:
    """`actor` is narrowed to his grants to approve; `now` the time of people. Who rejects needs no four eyes.

    Raises Refused: "approve.own", and what `four_eyes.lent_title` raises.
    """
    own = replace(actor, grants=tuple(grant for grant in actor.grants if not grant.lent))
    mine = actor.id == row.speaker_id
    if all_mine(session, own, row.clusters) and own.grants:
        if approves and mine:
            return Title(exception=_exception(session, row, now))
        return Title()
    if approves and mine:
        raise Refused("approve.own")
    return lent_title(
        session,
        actor,
        now,
        lambda lent: all_mine(session, replace(own, grants=(*own.grants, lent)), row.clusters),
        (row.speaker_id,) if approves else (),
    )


def may_stop(session: Session, actor: Actor, row: LiveSession) -> bool:
    """The speaker; and who writes, approves or sounds emergencies where any of these poles stand: for an emergency,
    who may sound one."""
    if row.speaker_id == actor.id:
        return True
    rights = (Right.ALERT,) if row.priority == EMERGENCY else (Right.COMPOSE, Right.APPROVE, Right.ALERT)
    held = frozenset().union(*(actor.within(right) for right in rights))
    return bool(areas_of(session, row) & held)


def still_in(ctx: Context, token: str) -> bool:
    """Whether the person at the microphone is logged in and owes nothing. A database that is away cuts nobody off:
    nobody can be logged out meanwhile either."""
    try:
        actor = who(ctx, token)
    except SQLAlchemyError:
        _LOG.exception("whether somebody on air is still logged in cannot be said")
        return True
    return actor is not None and not actor.owes


def reaches(session: Session, actor: Actor, row: LiveSession) -> bool:
    """Whether any of its poles stand in the actor's areas."""
    return bool(areas_of(session, row) & actor.areas)


def _exception(session: Session, row: LiveSession, now: datetime) -> str:
    """Every station whose poles sound it must have one."""
    stations = session.scalars(select(Cluster.station_id).where(Cluster.id.in_(row.clusters)).distinct())
    found = [standing(session, station, now) for station in stations]
    if not found or None in found:
        raise Refused("approve.own")
    first = found[0]
    assert first is not None
    return first.id
