"""The exception of a one-person station: an author there may approve what is his own (R-031). Given by an
administrator above the station, with a number, a reason and an end; every use stands in approval, audit and report."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from broadcasts.errors import Conflict, Refused
from controller.db.tables import Approval, OwnException, Station
from controller.services import audit
from controller.services.context import Context
from controller.services.rights import Actor, Right

LONGEST = timedelta(days=366)
"""Looked at again every year."""
LONG_TEXT = 500


@dataclass(frozen=True)
class Line:
    """One exception as a report shows it. `state`: holds, over. `used`: how many approvals rest on it. `may_end`: by
    whoever asks."""

    exception: OwnException
    station: Station
    state: str
    used: int
    may_end: bool = False


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

    Raises Refused: "no_right", "second_factor.needed", "second_factor.again", "not_yours", "exception.not_above" (an
    administrator of the station itself), "exception.number", "reason.missing", "exception.until" (over already, or more
    than a year); Conflict("exception.there").
    """
    actor = actor.need(Right.PEOPLE)
    with ctx.db.write() as session:
        _above(session, actor, station_id)
        made = give_now(ctx, session, station_id, number, reason, until, actor.name)
        actor.freshly(ctx.wall.now(), ctx.people.fresh_code)  # asked last: nobody gives a code for what is refused
        return made


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


def every(ctx: Context, session: Session, actor: Actor) -> list[Line]:
    """Of the stations in the area of an administrator or auditor, the newest first. Raises Refused: "no_right",
    "second_factor.needed"."""
    actor = actor.need(Right.PEOPLE, Right.AUDIT)
    above = {station.id for station in stations_above(session, actor)}
    found = lines(ctx, session, actor.areas)
    return [replace(line, may_end=line.state == "holds" and line.station.id in above) for line in found]


def lines(ctx: Context, session: Session, areas: frozenset[str] | None = None) -> list[Line]:
    """Every one that was ever granted in these areas, or anywhere; the newest first."""
    now = ctx.wall.now()
    used = select(Approval.exception_id, func.count().label("n")).group_by(Approval.exception_id).subquery()
    wanted = (
        select(OwnException, Station, used.c.n)
        .join(Station, OwnException.station_id == Station.id)
        .outerjoin(used, used.c.exception_id == OwnException.id)
        .order_by(OwnException.granted_at.desc(), OwnException.id.desc())
    )
    if areas is not None:
        wanted = wanted.where(Station.area_id.in_(areas))
    return [
        Line(row, station, "over" if row.ended_at is not None or row.until <= now else "holds", count or 0)
        for row, station, count in session.execute(wanted)
    ]


def stations_above(session: Session, actor: Actor) -> list[Station]:
    """Those for which the actor may lift the rule, by name; none for who only audits."""
    found = session.scalars(
        select(Station).where(Station.area_id.in_(actor.within(Right.PEOPLE))).order_by(Station.name)
    )
    return [station for station in found if _is_above(actor, station)]


def _above(session: Session, actor: Actor, station_id: str) -> None:
    """Nobody lifts the rule for the station that he looks after himself."""
    station = session.get(Station, station_id)
    if station is None or station.area_id not in actor.areas:
        raise Refused("not_yours")
    if not _is_above(actor, station):
        raise Refused("exception.not_above")


def _is_above(actor: Actor, station: Station) -> bool:
    return any(
        Right.PEOPLE in grant.rights and station.area_id in grant.areas and grant.area != station.area_id
        for grant in actor.grants
    )
