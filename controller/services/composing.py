"""From a form to a submitted broadcast."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.domain.routing import Routing
from broadcasts.errors import Conflict, Refused
from controller.db.tables import Broadcast, Bulletin, Station
from controller.services import audit, facts, library, programmes, relaying, renditions, targets
from controller.services.context import Context
from controller.services.deliveries import withdraw_open
from controller.services.previewing import Draft, Preview, look_ahead, preview, schedule_of
from controller.services.replaced import begun_at
from controller.services.rights import Actor, Right, all_mine
from controller.services.schedules import last_day, stored

__all__ = ["Draft", "Preview", "editable", "hand_in", "look_ahead", "preview", "schedule_of", "submit"]
"""Whoever hands in looks ahead first: both by one door."""


@audit.decided("broadcast.submit")
def submit(ctx: Context, actor: Actor, draft: Draft, editing: str | None = None, revision: int | None = None) -> str:
    """Save and hand in for approval; an edit is a new revision, and what was approved before no longer is (R-029).

    Returns the broadcast's id. Raises Refused (the first problem of the preview, "not_yours", "schedule.begun": what
    has sounded keeps the words it had, `rescheduling.change` edits the rest) or Conflict("broadcast.changed") when
    `revision` is not the newest any more.
    """
    actor = actor.need(Right.COMPOSE)
    now = ctx.clock.now()
    with ctx.db.write() as session:
        found = hand_in(ctx, session, actor, draft, now, editing=editing, revision=revision)
    ctx.wake()
    return found


def hand_in(
    ctx: Context,
    session: Session,
    actor: Actor,
    draft: Draft,
    now: datetime,
    *,
    editing: str | None = None,
    revision: int | None = None,
    replaces: str | None = None,
    ahead_minutes: int | None = None,
) -> str:
    """As `submit`, within a transaction of the caller, whose actor is narrowed already. `replaces`: of which broadcast
    a new one is an edit or a copy. `ahead_minutes`: how far ahead units hold a new one, where that is less than all
    others."""
    ahead = look_ahead(session, actor, draft, now, editing)
    if ahead.problems:
        raise ahead.problems[0]
    station = _home_station(session, actor) or ahead.clusters[0].station_id
    for name in {draft.asset, *(part.asset for part in draft.parts), *(each.asset for each in draft.more)}:
        library.find(session, name)
    broadcast = editable(session, actor, editing, revision) if editing else None
    if broadcast is not None and (begun := begun_at(session, broadcast.id, now)) is not None:
        raise Refused("schedule.begun", at=begun)
    if broadcast is None:
        before = session.get(Broadcast, replaces) if replaces else None
        broadcast = _new(ctx, session, actor, draft, station, now)
        broadcast.replaces, broadcast.ahead_minutes = replaces, ahead_minutes
        if before is not None:
            broadcast.campaign_id, broadcast.ahead_minutes = before.campaign_id, before.ahead_minutes
    else:
        _revise(session, broadcast, draft, now)
    with session.no_autoflush:  # the row is whole only afterwards
        _fill(session, broadcast, actor, draft, ahead, now)
        if draft.relay is not None:
            session.get_one(Bulletin, broadcast.bulletin_id).source = ahead.relayed
    session.flush()
    programmes.keep(session, broadcast.id, draft.parts)
    facts.keep(session, broadcast, actor.id, now)
    told = {"revision": broadcast.revision, "clusters": len(ahead.clusters), "title": draft.title[:80]}
    if broadcast.unusual:
        told["unusual"] = broadcast.unusual
    audit.record(session, now, actor.name, "broadcast.submit", broadcast.id, told)
    return broadcast.id


def _home_station(session: Session, actor: Actor) -> str | None:
    """The station of the commune the account belongs to; none for an account above the communes."""
    return session.scalar(select(Station.id).where(Station.area_id == actor.area))


def editable(session: Session, actor: Actor, broadcast_id: str, revision: int | None) -> Broadcast:
    """Raises Refused("not_yours"), Conflict("broadcast.changed")."""
    broadcast = session.get(Broadcast, broadcast_id)
    if broadcast is None or session.get_one(Station, broadcast.station_id).area_id not in actor.areas:
        raise Refused("not_yours")
    if not all_mine(session, actor, [*broadcast.clusters, *broadcast.joined]):
        raise Refused("not_yours")
    if broadcast.status == "withdrawn" or (revision is not None and broadcast.revision != revision):
        raise Conflict("broadcast.changed")
    return broadcast


def _new(ctx: Context, session: Session, actor: Actor, draft: Draft, station: str, now: datetime) -> Broadcast:
    bulletin = Bulletin(
        id=ctx.ids.new("b"),
        station_id=station,
        author_id=actor.id,
        created_at=now,
    )
    _say(bulletin, draft)
    session.add(bulletin)
    session.flush()
    renditions.keep(session, bulletin.id, draft.language, draft.asset, draft.text, draft.more)
    broadcast = Broadcast(
        id=ctx.ids.new("lp"),
        bulletin_id=bulletin.id,
        station_id=station,
        author_id=actor.id,
        created_at=now,
        revision=1,
    )
    session.add(broadcast)
    return broadcast


def _revise(session: Session, broadcast: Broadcast, draft: Draft, now: datetime) -> None:
    """A new revision takes every delivery of the old one that has not begun off the air."""
    withdraw_open(session, broadcast.id, now, "edited")
    broadcast.revision += 1
    bulletin = session.get_one(Bulletin, broadcast.bulletin_id)
    _say(bulletin, draft)
    renditions.keep(session, bulletin.id, draft.language, draft.asset, draft.text, draft.more)


def _say(bulletin: Bulletin, draft: Draft) -> None:
    bulletin.title, bulletin.field = draft.title.strip(), draft.field
    bulletin.origin, bulletin.source, bulletin.category = draft.origin, draft.source.strip(), draft.category
    bulletin.issued_at = draft.issued_at


def _fill(session: Session, broadcast: Broadcast, actor: Actor, draft: Draft, ahead: Preview, now: datetime) -> None:
    assert draft.first_day is not None
    assert draft.at is not None
    broadcast.status = "submitted"
    broadcast.priority = draft.priority
    broadcast.on_preempt = draft.on_preempt
    broadcast.late = draft.late
    broadcast.routing = draft.routing
    broadcast.stack_minutes = draft.stack_minutes if draft.routing == Routing.STACKED else None
    broadcast.volume = draft.volume
    broadcast.target_areas = list(draft.areas)
    broadcast.target_clusters = list(draft.clusters)
    broadcast.target_more = targets.stored(session, actor, draft, later=draft.also_later)
    broadcast.also_later = draft.also_later
    broadcast.clusters, broadcast.joined = [cluster.id for cluster in ahead.clusters], []
    broadcast.repeat = draft.repeat
    broadcast.first_day = draft.first_day
    broadcast.at_time = draft.at
    broadcast.until_day = draft.until_day
    broadcast.pattern, broadcast.taken_off = stored(draft.pattern), {}
    broadcast.last_day = last_day(schedule_of(draft))
    relaying.fill(broadcast, draft.relay)
    broadcast.push_now = draft.push_now
    broadcast.unusual = draft.unusual if ahead.air.unusual is not None else ""
    broadcast.changed_at = now
    broadcast.expanded_until = None
