"""The exception of a one-person station: an author there may approve what is his own (R-031). Given by an
administrator above the station, with a number, a reason and an end; every use stands in approval, audit and report."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.errors import Conflict, Refused
from controller.db.tables import OwnException, Station
from controller.services import audit
from controller.services.context import Context
from controller.services.rights import ROLES, Actor, Right

LONGEST = timedelta(days=366)
"""Looked at again every year."""
LONG_TEXT = 500


def standing(session: Session, station_id: str, now: datetime) -> OwnException | None:
    """The one that holds at `now`, or none."""
    return session.scalars(
        select(OwnException).where(
            OwnException.station_id == station_id,
            OwnException.granted_at <= now,
            OwnException.until > now,
            OwnException.ended_at.is_(None),
        )
    ).first()


def give(ctx: Context, actor: Actor, station_id: str, number: str, reason: str, until: datetime) -> str:
    """The exception's id.

    Raises Refused: "no_right", "second_factor.needed", "not_yours", "exception.not_above" (an administrator of the
    station itself), "exception.number", "reason.missing", "exception.until" (over already, or more than a year);
    Conflict("exception.there").
    """
    actor = actor.need(Right.PEOPLE)
    with ctx.db.write() as session:
        _above(session, actor, station_id)
        return give_now(ctx, session, station_id, number, reason, until, actor.name)


def give_now(
    ctx: Context, session: Session, station_id: str, number: str, reason: str, until: datetime, by: str
) -> str:
    """As `give`, for whoever sits at the machine itself. Raises also Refused("choice.unknown")."""
    now = ctx.wall.now()
    if session.get(Station, station_id) is None:
        raise Refused("choice.unknown", name="station", value=station_id[:40])
    if not number.strip():
        raise Refused("exception.number")
    if not reason.strip():
        raise Refused("reason.missing")
    if not now < until <= now + LONGEST:
        raise Refused("exception.until", days=LONGEST.days)
    if standing(session, station_id, now) is not None:
        raise Conflict("exception.there")
    made = OwnException(
        id=ctx.ids.new("x"),
        station_id=station_id,
        number=number.strip()[:60],
        reason=reason.strip()[:LONG_TEXT],
        granted_at=now,
        granted_by=by,
        until=until,
    )
    session.add(made)
    told = {"exception": made.id, "number": made.number, "reason": made.reason, "until": until.isoformat()}
    audit.record(session, now, by, "exception.give", station_id, told)
    return made.id


def take_back(ctx: Context, actor: Actor, exception_id: str) -> None:
    """At once. Raises Refused: "no_right", "second_factor.needed", "not_yours"; Conflict("exception.over")."""
    actor = actor.need(Right.PEOPLE)
    with ctx.db.write() as session:
        found = session.get(OwnException, exception_id)
        if found is None:
            raise Refused("not_yours")
        _above(session, actor, found.station_id)
        take_back_now(ctx, session, exception_id, actor.name)


def take_back_now(ctx: Context, session: Session, exception_id: str, by: str) -> None:
    """Raises Refused("not_yours"), Conflict("exception.over")."""
    now, found = ctx.wall.now(), session.get(OwnException, exception_id)
    if found is None:
        raise Refused("not_yours")
    if found.ended_at is not None or found.until <= now:
        raise Conflict("exception.over")
    found.ended_at, found.ended_by = now, by
    audit.record(session, now, by, "exception.end", found.station_id, {"exception": found.id, "number": found.number})


def every(session: Session, actor: Actor) -> Sequence[tuple[OwnException, Station]]:
    """Of the stations in the actor's area, the newest first. Raises Refused: "no_right", "second_factor.needed"."""
    actor = actor.need(Right.PEOPLE)
    rows = session.execute(
        select(OwnException, Station)
        .join(Station, OwnException.station_id == Station.id)
        .where(Station.area_id.in_(actor.areas))
        .order_by(OwnException.granted_at.desc(), OwnException.id.desc())
    )
    return [(row[0], row[1]) for row in rows]


def _above(session: Session, actor: Actor, station_id: str) -> None:
    """Nobody lifts the rule for the station that he looks after himself."""
    station = session.get(Station, station_id)
    if station is None or station.area_id not in actor.areas:
        raise Refused("not_yours")
    if not any(
        Right.PEOPLE in ROLES[grant.role] and station.area_id in grant.areas and grant.area != station.area_id
        for grant in actor.grants
    ):
        raise Refused("exception.not_above")
