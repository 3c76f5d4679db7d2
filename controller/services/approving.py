"""Four eyes: nothing goes on air before an approver of the station said yes to exactly this (R-029 to R-031)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.errors import Conflict, Refused
from controller.db.tables import Approval, Broadcast, Bulletin, Station
from controller.services import audit, renditions, targets
from controller.services.composing import Draft, Preview, look_ahead
from controller.services.context import Context
from controller.services.deliveries import expand, withdraw_open
from controller.services.facts import content_hash, facts_of
from controller.services.four_eyes import Title, title_of
from controller.services.programmes import parts_of
from controller.services.relaying import relay_of
from controller.services.rights import Actor, Right, all_mine
from controller.services.schedules import schedule_of
from controller.services.unusual import covers
from controller.services.valid_approvals import check_end


def draft_of(session: Session, broadcast: Broadcast, *, frozen: bool = True) -> Draft:
    """The form as it was handed in: author and approver look at the same thing. `frozen` names exactly the clusters
    that the target came to at submission; otherwise the areas as chosen, for an edit."""
    bulletin = session.get_one(Bulletin, broadcast.bulletin_id)
    rendition, *others = renditions.of(session, bulletin.id)
    chosen = targets.target_of(broadcast)
    return Draft(
        title=bulletin.title,
        field=bulletin.field,
        language=rendition.language,
        asset=rendition.asset_sha256,
        areas=() if frozen else tuple(broadcast.target_areas),
        clusters=tuple(broadcast.clusters if frozen else broadcast.target_clusters),
        repeat=broadcast.repeat,
        first_day=broadcast.first_day,
        at=broadcast.at_time,
        until_day=broadcast.until_day,
        pattern=schedule_of(broadcast).pattern,
        priority=broadcast.priority,
        on_preempt=broadcast.on_preempt,
        late=broadcast.late,
        routing=broadcast.routing,
        stack_minutes=broadcast.stack_minutes,
        volume=broadcast.volume,
        text=rendition.text,
        parts=parts_of(session, broadcast.id),
        more=renditions.translations(others),
        origin=bulletin.origin,
        source=bulletin.source,
        relay=relay_of(broadcast),
        category=bulletin.category,
        issued_at=bulletin.issued_at,
        tags=() if frozen else chosen.tags,
        groups=() if frozen else chosen.groups,
        polygon=() if frozen else chosen.polygon,
        also_later=broadcast.also_later,
        push_now=broadcast.push_now,
        unusual=broadcast.unusual,
    )


def waiting(session: Session, actor: Actor) -> Sequence[Broadcast]:
    """What waits for the actor's decision, the next start first."""
    found = session.scalars(
        select(Broadcast)
        .join(Station, Broadcast.station_id == Station.id)
        .where(Broadcast.status == "submitted", Station.area_id.in_(actor.areas))
        .order_by(Broadcast.first_day, Broadcast.at_time)
    )
    return [broadcast for broadcast in found if all_mine(session, actor, broadcast.clusters)]


def look_at(ctx: Context, actor: Actor, broadcast_id: str) -> tuple[Broadcast, Preview, str]:
    """The broadcast, what it would do as of now, and the hash that a decision will carry."""
    with ctx.db.read() as session:
        broadcast = _mine(session, actor, broadcast_id)
        seen = look_ahead(session, actor, draft_of(session, broadcast), ctx.clock.now(), broadcast.id)
        return broadcast, seen, content_hash(session, broadcast)


def as_it_stands(ctx: Context, actor: Actor, broadcast_id: str) -> tuple[Broadcast, str]:
    """As `look_at`, without looking ahead."""
    with ctx.db.read() as session:
        broadcast = _mine(session, actor, broadcast_id)
        return broadcast, content_hash(session, broadcast)


@audit.decided("broadcast.approve")
def approve(
    ctx: Context, actor: Actor, broadcast_id: str, seen: str, unusual: str = "", until: datetime | None = None
) -> None:
    """`seen` is the hash the approver looked at; `unusual` the hours outside the normal ones that were confirmed, a
    second time after the author (R-053, `Unusual.mark`); `until` makes it a standing approval that ends by itself.

    Raises Refused: "no_right", what `four_eyes.title_of` and `valid_approvals.check_end` raise, "approval.end_early"
    (it would be over before anything sounds), or a problem that came up since (past, locked, quiet hours); Conflict:
    "broadcast.changed" (edited meanwhile), "broadcast.decided" (somebody else was first).
    """
    actor = actor.need(Right.APPROVE)
    now = ctx.clock.now()
    with ctx.db.write() as session:
        broadcast = _decidable(session, actor, broadcast_id, seen)
        title = title_of(session, actor, broadcast, ctx.wall.now(), approves=True)
        check_end(broadcast, until, now, ctx.standing_approval)
        targets.needs_reach(session, actor, broadcast)
        ahead = look_ahead(session, actor, draft_of(session, broadcast), now, broadcast.id)
        if ahead.problems:
            raise ahead.problems[0]
        if until is not None and until <= ahead.starts[0]:
            raise Refused("approval.end_early", at=ahead.starts[0])
        if (strange := ahead.air.unusual) is not None and not covers(unusual, strange.mark):
            raise Refused("time.unusual", at=strange.starts[0], clusters=len(strange.clusters))
        broadcast.status = "approved"
        told = {"unusual": unusual} if strange else {}
        _decide(session, actor, broadcast, seen, now, title, approved=True, until=until, told=told)
        expand(session, broadcast, now, first=ahead.starts[0])
    ctx.wake()


@audit.decided("broadcast.reject")
def reject(ctx: Context, actor: Actor, broadcast_id: str, seen: str, reason: str) -> None:
    """Raises as `approve`, and Refused("reason.missing")."""
    actor = actor.need(Right.APPROVE)
    if not reason.strip():
        raise Refused("reason.missing")
    with ctx.db.write() as session:
        broadcast = _decidable(session, actor, broadcast_id, seen)
        title = title_of(session, actor, broadcast, ctx.wall.now(), approves=False)
        broadcast.status = "rejected"
        _decide(session, actor, broadcast, seen, ctx.clock.now(), title, approved=False, reason=reason.strip())


@audit.decided("broadcast.withdraw")
def withdraw(ctx: Context, actor: Actor, broadcast_id: str) -> int:
    """Take it off the air for good, by author's side or approver's; how many deliveries that stopped."""
    actor = actor.need(Right.APPROVE, Right.COMPOSE)
    now = ctx.clock.now()
    with ctx.db.write() as session:
        broadcast = _mine(session, actor, broadcast_id)
        if not all_mine(session, actor, [*broadcast.clusters, *broadcast.joined]):
            raise Refused("not_yours")
        if broadcast.status == "withdrawn":
            raise Conflict("broadcast.decided")
        broadcast.status = "withdrawn"
        stopped = withdraw_open(session, broadcast.id, now, "withdrawn")
        audit.record(session, now, actor.name, "broadcast.withdraw", broadcast.id, {"stopped": stopped})
    ctx.wake()
    return stopped


def _mine(session: Session, actor: Actor, broadcast_id: str) -> Broadcast:
    broadcast = session.get(Broadcast, broadcast_id)
    if broadcast is None or session.get_one(Station, broadcast.station_id).area_id not in actor.areas:
        raise Refused("not_yours")
    return broadcast


def _decidable(session: Session, actor: Actor, broadcast_id: str, seen: str) -> Broadcast:
    broadcast = _mine(session, actor, broadcast_id)
    if not all_mine(session, actor, broadcast.clusters):
        raise Refused("not_yours")
    if broadcast.status != "submitted":
        raise Conflict("broadcast.decided", status=broadcast.status)
    if content_hash(session, broadcast) != seen:
        raise Conflict("broadcast.changed")
    return broadcast


def _decide(
    session: Session,
    actor: Actor,
    broadcast: Broadcast,
    seen: str,
    now: datetime,
    title: Title,
    *,
    approved: bool,
    reason: str = "",
    until: datetime | None = None,
    told: dict[str, str] | None = None,
) -> None:
    session.add(
        Approval(
            broadcast_id=broadcast.id,
            revision=broadcast.revision,
            approved=approved,
            reason=reason,
            by_id=actor.id,
            delegation_id=title.delegation,
            exception_id=title.exception,
            valid_until=until,
            at=now,
            content_sha256=seen,
            facts=facts_of(session, broadcast),
        )
    )
    session.flush()
    if title.exception is not None:
        audit.record(session, now, actor.name, "approve.own", broadcast.id, {"exception": title.exception})
    act = "broadcast.approve" if approved else "broadcast.reject"
    more = {"delegation": title.delegation, "until": until.isoformat() if until else None}
    detail = {"revision": broadcast.revision, "sha256": seen, "reason": reason, **(told or {})}
    detail |= {name: value for name, value in more.items() if value}
    audit.record(session, now, actor.name, act, broadcast.id, detail)
