"""The registry of stations that may be relayed (R-024): who is in it, where units receive it, and who said so.

An address is part of what every approver of a relay decided on. Where it changes, whatever relays that station leaves
the air and waits for a new decision, and so does what sounds where the station may not be relayed any more once its
area is a narrower one; what is taken out of the registry leaves the air for good.

Whom a host's name leads to is not asked here: a name server may answer us one thing and a pole another, and tomorrow
a third. Every pole looks at the far end of its own connection (CONTRACT.md, section 5a).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from broadcasts.clock import VIETNAM
from broadcasts.domain.relay import SourceKind, check_address
from broadcasts.errors import Conflict, Refused
from controller.db.tables import Area, Broadcast, Cluster, RelaySource, Station
from controller.services import audit, facts
from controller.services.context import Context
from controller.services.deliveries import withdraw_open
from controller.services.rights import Actor, Right
from controller.services.stations import lines

LONGEST_NAME = 120
RETIRED = "relay_retired"
"""Why it left the air."""


@dataclass(frozen=True)
class Told:
    """What somebody says of a station. `area`: only stations in it may relay this one; "": all of them."""

    name: str
    kind: str
    url: str = ""
    frequency_khz: int | None = None
    area: str = ""


@dataclass(frozen=True)
class Entry:
    """One line of the registry. `used`: relays of it that are approved or wait for a decision and are not over."""

    source: RelaySource
    area: str
    used: int
    mine: bool
    """The one who looks may change it."""


def entries(session: Session, actor: Actor, now: datetime) -> list[Entry]:
    """Everything that is of use in the actor's area, what is retired last. Raises Refused("no_right")."""
    actor = actor.need(Right.LOOK)
    above = {each for line in lines(session, {grant.area for grant in actor.grants}).values() for each in line}
    near = above | actor.areas
    rows = session.execute(select(RelaySource, Area.name).outerjoin(Area, RelaySource.area_id == Area.id))
    counted = session.execute(
        select(Broadcast.relay_source_id, func.count())
        .where(Broadcast.relay_source_id.is_not(None), *_going(now))
        .group_by(Broadcast.relay_source_id)
    )
    used = {row[0]: int(row[1]) for row in counted}
    found = [
        Entry(source, area or "", used.get(source.id, 0), _may(session, actor, source.area_id))
        for source, area in rows
        if source.area_id is None or source.area_id in near
    ]
    return sorted(found, key=lambda one: (one.source.retired_at is not None, one.source.kind, one.source.name))


def places(session: Session, actor: Actor) -> list[Area]:
    """For which areas this person may add one, the widest first. Raises Refused: "no_right", "second_factor.needed"."""
    actor = actor.need(Right.RELAY)
    found = session.scalars(select(Area).where(Area.id.in_(actor.areas), Area.valid_to.is_(None)))
    return sorted(found, key=lambda area: (area.kind != "province", area.name))


@audit.decided("relay_source.add")
def add(ctx: Context, actor: Actor, told: Told) -> str:
    """The new one's id. Raises Refused: "no_right", "second_factor.needed", "relay.name", "choice.unknown" (kind),
    "not_yours" (the area), what `domain.relay.check_address` raises; Conflict("relay.there")."""
    actor = actor.need(Right.RELAY)
    now = ctx.clock.now()
    with ctx.db.write() as session:
        told = _checked(ctx, session, actor, told)
        source = RelaySource(id=ctx.ids.new("ts"), revision=0)
        session.add(source)
        _say(source, told, actor.name, now)
        session.flush()
        _record(session, actor, "relay_source.add", source, now, {})
        return source.id


@audit.decided("relay_source.change")
def change(ctx: Context, actor: Actor, source_id: str, told: Told, revision: int) -> int:
    """How many broadcasts wait for a new decision because the address is another, or they sound outside of where it may
    be relayed now. Raises as `add`, and Conflict("relay.changed") where `revision` is not the newest any more."""
    actor = actor.need(Right.RELAY)
    now = ctx.clock.now()
    with ctx.db.write() as session:
        source = mine(session, actor, source_id)
        if source.retired_at is not None or source.revision != revision:
            raise Conflict("relay.changed")
        told = _checked(ctx, session, actor, told, but=source.id)
        before, area = _address(source), source.area_id
        was = {"before": _shown(source)}
        _say(source, told, actor.name, now)
        session.flush()
        users = _users(session, source, now)
        if _address(source) == before:
            users = _outside(session, source, users) if source.area_id != area else []
        reopened = _reopen(session, actor, users, now)
        _record(session, actor, "relay_source.change", source, now, was | {"reopened": reopened})
    ctx.wake()
    return reopened


@audit.decided("relay_source.retire")
def retire(ctx: Context, actor: Actor, source_id: str) -> int:
    """Nobody relays it any more; how many broadcasts that took off the air. Raises Refused: "no_right",
    "second_factor.needed", "not_yours"; Conflict("relay.changed") where it is retired already."""
    actor = actor.need(Right.RELAY)
    now = ctx.clock.now()
    with ctx.db.write() as session:
        source = mine(session, actor, source_id)
        if source.retired_at is not None:
            raise Conflict("relay.changed")
        source.retired_at, source.changed_at, source.changed_by = now, now, actor.name
        source.revision += 1
        users = _users(session, source, now)
        for broadcast in users:
            broadcast.status = "withdrawn"
            withdraw_open(session, broadcast.id, now, RETIRED)
        _record(session, actor, "relay_source.retire", source, now, {"withdrawn": [each.id for each in users]})
    ctx.wake()
    return len(users)


def _outside(session: Session, source: RelaySource, users: Sequence[Broadcast]) -> list[Broadcast]:
    """Those with a cluster where the source may not be relayed."""
    if source.area_id is None:
        return []
    named = {cluster for each in users for cluster in (*each.clusters, *each.joined)}
    rows = select(Cluster.id, Station.area_id).join(Station, Cluster.station_id == Station.id)
    homes = {row[0]: row[1] for row in session.execute(rows.where(Cluster.id.in_(named)))}
    above = lines(session, set(homes.values()))
    out = {cluster for cluster, area in homes.items() if source.area_id not in above[area]}
    return [each for each in users if out.intersection((*each.clusters, *each.joined))]


def _reopen(session: Session, actor: Actor, users: Sequence[Broadcast], now: datetime) -> int:
    """A new revision of each, by whoever changed the source: he approves none of them."""
    for broadcast in users:
        withdraw_open(session, broadcast.id, now, "edited")
        broadcast.revision += 1
        broadcast.status, broadcast.changed_at, broadcast.expanded_until = "submitted", now, None
        facts.keep(session, broadcast, actor.id, now)
    return len(users)


def _users(session: Session, source: RelaySource, now: datetime) -> Sequence[Broadcast]:
    return session.scalars(
        select(Broadcast).where(Broadcast.relay_source_id == source.id, *_going(now)).order_by(Broadcast.id)
    ).all()


def _going(now: datetime) -> tuple[ColumnElement[bool], ...]:
    """What is over keeps the decision it had: nobody could decide again, and there is nothing to take back. What began
    yesterday may go on past midnight."""
    yesterday = now.astimezone(VIETNAM).date() - timedelta(days=1)
    not_over = or_(Broadcast.last_day.is_(None), Broadcast.last_day >= yesterday)
    return Broadcast.status.in_(("submitted", "approved")), not_over


def _checked(ctx: Context, session: Session, actor: Actor, told: Told, but: str = "") -> Told:
    """Tidied up, or refused."""
    name, url = " ".join(told.name.split()), told.url.strip()
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise Refused("relay.name", most=LONGEST_NAME)
    if told.kind not in set(SourceKind):
        raise Refused("choice.unknown", name="kind", value=told.kind[:20])
    check_address(url, told.frequency_khz, inside=ctx.inside_relays)
    if not _may(session, actor, told.area or None):
        raise Refused("not_yours")
    same = (RelaySource.name == name, RelaySource.id != but, RelaySource.retired_at.is_(None))
    if session.scalar(select(RelaySource.id).where(*same)) is not None:
        raise Conflict("relay.there", name=name)
    return Told(name, told.kind, url, told.frequency_khz, told.area)


def _may(session: Session, actor: Actor, area: str | None) -> bool:
    """What holds everywhere is for those who answer for the top of the tree."""
    mine = actor.within(Right.RELAY)
    if area is not None:
        return area in mine
    tops = set(session.scalars(select(Area.id).where(Area.parent_id.is_(None), Area.valid_to.is_(None))))
    return bool(tops) and tops <= mine


def mine(session: Session, actor: Actor, source_id: str) -> RelaySource:
    """Which this person may change. Raises Refused("not_yours")."""
    source = session.get(RelaySource, source_id[:40])
    if source is None or not _may(session, actor, source.area_id):
        raise Refused("not_yours")
    return source


def _say(source: RelaySource, told: Told, by: str, now: datetime) -> None:
    source.name, source.kind, source.url = told.name, told.kind, told.url
    source.frequency_khz, source.area_id = told.frequency_khz, told.area or None
    source.revision += 1
    source.changed_at, source.changed_by = now, by


def _address(source: RelaySource) -> tuple[str, str, int | None]:
    return source.kind, source.url, source.frequency_khz


def _shown(source: RelaySource) -> dict[str, Any]:
    told = ("name", "kind", "url", "frequency_khz", "area_id")
    return {each: getattr(source, each) for each in told if getattr(source, each) not in ("", None)}


def _record(session: Session, actor: Actor, act: str, source: RelaySource, now: datetime, more: dict[str, Any]) -> None:
    audit.record(session, now, actor.name, act, source.id, _shown(source) | more, source.area_id or actor.area)
