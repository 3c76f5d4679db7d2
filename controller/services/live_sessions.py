"""A live voice from the wish to the last word: asked for, approved by another person, begun, stopped; an emergency at
once, and confirmed by a second person afterwards (design, section 5)."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.audio.chime import TUNES
from broadcasts.clock import unix_ms
from broadcasts.domain.polygon import Polygon
from broadcasts.errors import Conflict, LoaError, Refused
from broadcasts.wire.alert import AlertKind
from broadcasts.wire.jws import SigningKey
from broadcasts.wire.live import item_of
from broadcasts.wire.trust import Use
from controller.db.tables import Cluster, LiveSession, Station
from controller.services import alert_guards, audit, targets
from controller.services.alert_guards import weighed
from controller.services.alert_reach import of_clusters
from controller.services.context import Context
from controller.services.live_air import Told
from controller.services.live_room import End, LiveRoom
from controller.services.live_rules import EMERGENCY, SOON, problem, shares, strange_hours
from controller.services.live_titles import may_stop, reaches, title_for
from controller.services.rights import Actor, Right, all_mine
from controller.services.unusual import covers

AHEAD = timedelta(days=14)
LONG_TEXT = 300
MOST_LATER = 12 * 60
MARGIN = timedelta(seconds=1)
"""So long before the horns' hours end the last sound does."""


@dataclass(frozen=True)
class Wish:
    """As a form says it. `begins_at`: none: now. `kind`, `typed`, `later_minutes`: of an emergency only."""

    reason: str
    minutes: int
    priority: int = 3
    begins_at: datetime | None = None
    areas: tuple[str, ...] = ()
    clusters: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    polygon: Polygon = ()
    chime: str = "falling"
    unusual: str = ""
    kind: str = ""
    typed: str = ""
    later_minutes: int = 60
    """After its end, so long the recording sounds where nobody was reached; 0: it does not."""


@dataclass(frozen=True)
class Reach:
    """What a wish comes to, and what stands against it. `unusual`: the mark to confirm, "" for none."""

    clusters: tuple[Cluster, ...]
    unusual: str
    problems: tuple[LoaError, ...]
    must_type: bool


def look_ahead(ctx: Context, session: Session, actor: Actor, wish: Wish) -> Reach:
    """`actor` is narrowed to the right that the wish needs."""
    now = ctx.clock.now()
    found = tuple(targets.resolve(session, actor.areas, wish))
    problems: list[LoaError] = targets.problems(session, actor, wish, now)
    begins = wish.begins_at or now
    ends = begins + timedelta(minutes=wish.minutes)
    if not wish.reason.strip():
        problems.append(Refused("live.reason"))
    if not found:
        problems.append(Refused("target.empty"))
    if not timedelta(0) < ends - begins <= ctx.live.longest:
        problems.append(Refused("live.longest", minutes=int(ctx.live.longest.total_seconds() // 60)))
    elif begins < now - timedelta(minutes=1) or begins > now + AHEAD:
        problems.append(Refused("live.window", days=AHEAD.days))
    if wish.chime and wish.chime not in TUNES:
        problems.append(Refused("choice.unknown", name="chime", value=wish.chime[:20]))
    if wish.priority == EMERGENCY:
        if wish.kind not in set(AlertKind):
            problems.append(Refused("choice.unknown", name="kind", value=wish.kind[:20]))
        if not 0 <= wish.later_minutes <= MOST_LATER:
            problems.append(Refused("choice.unknown", name="later", value=wish.later_minutes))
        if problems:
            return Reach(found, "", tuple(problems), must_type=False)
        reach = weighed(ctx, of_clusters(session, [cluster.id for cluster in found], actor.areas))
        try:
            alert_guards.check(ctx, session, actor, wish.typed, reach, now)
        except Refused as refused:
            problems.append(refused)
        return Reach(found, "", tuple(problems), reach.wide)
    if problems:
        return Reach(found, "", tuple(problems), must_type=False)
    if (against := problem(session, found, max(begins, now), ends, now)) is not None:
        return Reach(found, "", (against,), must_type=False)
    strange = strange_hours(session, found, begins, ends - begins)
    mark = strange.mark if strange is not None else ""
    if mark and not covers(wish.unusual, mark):
        problems.append(Refused("live.unusual", times=", ".join(mark.partition(";")[0].split(","))))
    return Reach(found, mark, tuple(problems), must_type=False)


@audit.decided("live.ask")
def ask(ctx: Context, actor: Actor, wish: Wish) -> str:
    """Hand in for approval; the session's id. Who asks is who will speak.

    Raises Refused: "no_right", "priority.emergency" (that is not asked for), and the first problem of `look_ahead`.
    """
    actor = actor.need(Right.COMPOSE)
    if wish.priority == EMERGENCY:
        raise Refused("live.emergency")
    with ctx.db.write() as session:
        row = _new(ctx, session, actor, wish, "asked")
        told = {"clusters": len(row.clusters), "priority": row.priority, "reason": row.reason[:80]}
        if row.unusual:
            told["unusual"] = row.unusual
        audit.record(session, ctx.clock.now(), actor.name, "live.ask", row.id, told, _area(session, row))
        return row.id


@audit.decided("live.emergency")
def declare(ctx: Context, actor: Actor, wish: Wish) -> str:
    """An emergency: one authorised person with a second factor given just now; nobody is asked. The session's id, to be
    begun within `SOON`.

    Raises Refused: "no_right", "second_factor.needed", "second_factor.again", and the first problem of `look_ahead`.
    """
    actor = actor.need(Right.ALERT)
    with ctx.db.read() as session:
        ahead = look_ahead(ctx, session, actor, wish)
    if ahead.problems:
        raise ahead.problems[0]
    actor.freshly(ctx.wall.now(), ctx.people.fresh_code)  # asked last: nobody gives a code for what is refused
    with ctx.db.write() as session:
        row = _new(ctx, session, actor, wish, "approved")
        if wish.later_minutes:
            row.later_until = row.hard_end + timedelta(minutes=wish.later_minutes)
        told = {"clusters": len(row.clusters), "kind": row.kind, "reason": row.reason[:80]}
        audit.record(session, ctx.clock.now(), actor.name, "live.emergency", row.id, told, _area(session, row))
        return row.id


@audit.decided("live.decide")
def decide(ctx: Context, actor: Actor, session_id: str, *, yes: bool, note: str = "", unusual: str = "") -> None:
    """Raises Refused: "no_right", "second_factor.needed", "not_yours", "reason.missing" (a no without one),
    "approve.own" and its like, "live.unusual" (the hour is to be confirmed a second time), and what came up since;
    Conflict("live.decided")."""
    actor = actor.need(Right.APPROVE)
    now = ctx.clock.now()
    with ctx.db.write() as session:
        row = session.get(LiveSession, session_id)
        if row is None or row.priority == EMERGENCY or not all_mine(session, actor, row.clusters):
            raise Refused("not_yours")
        if row.state != "asked":
            raise Conflict("live.decided")
        if not yes and not note.strip():
            raise Refused("reason.missing")
        title = title_for(session, actor, row, ctx.wall.now(), approves=yes)
        if yes:
            _still_fits(session, row, now)
            if row.unusual and not covers(unusual, row.unusual):
                raise Refused("live.unusual", times=", ".join(row.unusual.partition(";")[0].split(",")))
        row.state = "approved" if yes else "rejected"
        row.decided_by_id, row.decided_at, row.note = actor.id, now, note.strip()[:LONG_TEXT]
        row.delegation_id, row.exception_id = title.delegation, title.exception
        told = {"yes": yes, "note": row.note, "clusters": len(row.clusters)}
        told |= {name: value for name, value in (("lent", title.delegation), ("exception", title.exception)) if value}
        audit.record(session, now, actor.name, "live.decide", row.id, told, _area(session, row))


@audit.decided("live.begin")
def begin(ctx: Context, actor: Actor, session_id: str, room: LiveRoom) -> None:
    """On air, with the chime first.

    Raises Refused: "not_yours" (only who asked speaks, and only where he still may), "no_right",
    "second_factor.needed", "live.early", "live.over", "live.not_approved", "live.stale" (an emergency that waited),
    "live.no_units", and what came up since; Conflict: "live.busy" (another voice has these horns), "live.full".
    """
    now = ctx.clock.now()
    with ctx.db.read() as session:
        row = session.get(LiveSession, session_id)
        if row is None or row.speaker_id != actor.id:
            raise Refused("not_yours")
        emergency = row.priority == EMERGENCY
        actor = actor.need(Right.ALERT if emergency else Right.COMPOSE)
        if not all_mine(session, actor, row.clusters):
            raise Refused("not_yours")
        _may_begin(session, row, now)
        clusters = _clusters(session, row)
        ends = min(row.hard_end, now + timedelta(seconds=row.most_s))
        told_to = shares(session, clusters, row.priority, now, ends - now)
    if not told_to:
        raise Refused("live.no_units")
    told = Told(
        id=row.id,
        session=row.id.removeprefix("live-"),
        level=row.priority,
        shares=told_to,
        issued_at=unix_ms(now),
        not_before=unix_ms(now),
        hard_end=unix_ms(ends),
        buffer_ms=ctx.live.buffer_ms,
        reason=row.reason,
        chime=row.chime,
        signer=ctx.keys.signer(Use.ALERT if emergency else Use.PLAN),
        key=SigningKey.generate(row.id.removeprefix("live-")),
        recording=recording_of(ctx, row.id),
    )
    with room.beginning:
        _take_the_horns(ctx, actor, told, room, now)


def _take_the_horns(ctx: Context, actor: Actor, told: Told, room: LiveRoom, now: datetime) -> None:
    with ctx.db.write() as session:
        row = session.get_one(LiveSession, told.id)
        if row.state != "approved":
            raise Conflict("live.on_air")
        others = _beside(session, row)
        if row.priority != EMERGENCY and any(each.priority <= row.priority for each in others):
            raise Conflict("live.busy")
        row.state, row.begun_at, row.key_x, row.recording = "on_air", now, told.key.public.x, told.recording.name
        scopes = {each.scope for each in told.shares}
        row.scopes = {scope: [each.target for each in told.shares if each.scope == scope] for scope in scopes}
        about = {"clusters": len(row.clusters), "priority": row.priority, "scopes": len(row.scopes)}
        audit.record(session, now, actor.name, "live.begin", row.id, about, _area(session, row))
    for each in others:  # the newest emergency wins, and whoever is more urgent than the other
        room.end(each.id, End.NEWER, actor.name)
    try:
        room.open(told, actor.id, ctx.live.silence_s)
    except LoaError:
        with ctx.db.write() as session:
            row = session.get_one(LiveSession, told.id)
            row.state, row.begun_at, row.recording = "approved", None, ""
        raise


@audit.decided("live.stop")
def stop(ctx: Context, actor: Actor, session_id: str, room: LiveRoom | None) -> None:
    """The speaker ends with the chime; anybody else with a right over these poles cuts it off. What has not begun is
    withdrawn. Raises Refused("not_yours"), Conflict("live.over")."""
    now = ctx.clock.now()
    with ctx.db.write() as session:
        row = session.get(LiveSession, session_id)
        if row is None or not may_stop(session, actor, row):
            raise Refused("not_yours")
        if row.state in ("ended", "rejected"):
            raise Conflict("live.over")
        own = row.speaker_id == actor.id
        audit.record(session, now, actor.name, "live.stop", row.id, {"own": own}, _area(session, row))
        if row.state != "on_air":
            row.state, row.ended_at, row.end_why, row.ended_by = "ended", now, str(End.HAND), actor.name
            return
        begun = row.begun_at
    why = End.HAND if own else End.STOPPED
    ended = room is not None and room.end(session_id, why, actor.name, cut=not own)
    if not ended and begun is not None:
        with ctx.db.write() as session:  # it is on air nowhere
            row = session.get_one(LiveSession, session_id)
            if row.state == "on_air":
                why = End.RESTART if own else End.STOPPED
                row.state, row.ended_at, row.end_why, row.ended_by = "ended", now, str(why), actor.name


@audit.decided("live.confirm")
def confirm(ctx: Context, actor: Actor, session_id: str, *, right: bool, note: str = "") -> None:
    """A second person's word on an emergency. Raises Refused: "no_right", "second_factor.needed", "not_yours",
    "alert.own", "alert.lent_own", "reason.missing"; Conflict("alert.confirmed")."""
    actor = actor.need(Right.ALERT, Right.APPROVE)
    now = ctx.clock.now()
    with ctx.db.write() as session:
        row = session.get(LiveSession, session_id)
        if row is None or row.priority != EMERGENCY or not reaches(session, actor, row):
            raise Refused("not_yours")
        if row.speaker_id == actor.id:
            raise Refused("alert.own")
        if not reaches(session, actor.besides(row.speaker_id), row):
            raise Refused("alert.lent_own")
        if row.confirmed_at is not None:
            raise Conflict("alert.confirmed")
        if not right and not note.strip():
            raise Refused("reason.missing")
        row.confirmed_by_id, row.confirmed_at = actor.id, now
        row.confirmed_right, row.confirmed_note = right, note.strip()[:LONG_TEXT]
        told = {"right": right, "note": row.confirmed_note}
        audit.record(session, now, actor.name, "live.confirm", row.id, told, _area(session, row))


def recording_of(ctx: Context, session_id: str) -> Path:
    return ctx.audio.store.root / "live" / f"{session_id}.wav"


def fits_until(session: Session, row: LiveSession, now: datetime) -> LoaError | None:
    """What stands against the next second of an ordinary or priority voice that is on air."""
    return problem(session, _clusters(session, row), now, now + MARGIN, now, row.id)


def _new(ctx: Context, session: Session, actor: Actor, wish: Wish, state: str) -> LiveSession:
    ahead = look_ahead(ctx, session, actor, wish)
    if ahead.problems:
        raise ahead.problems[0]
    now = ctx.clock.now()
    begins = max(wish.begins_at or now, now)
    ends = (wish.begins_at or now) + timedelta(minutes=wish.minutes)
    row = LiveSession(
        id=item_of(secrets.token_hex(8)),
        state=state,
        priority=wish.priority,
        kind=wish.kind if wish.priority == EMERGENCY else "",
        reason=wish.reason.strip()[:LONG_TEXT],
        speaker_id=actor.id,
        asked_at=now,
        target={
            name: list(told)
            for name, told in (("areas", wish.areas), ("clusters", wish.clusters), ("groups", wish.groups))
            if told
        },
        clusters=[cluster.id for cluster in ahead.clusters],
        begins_at=begins,
        hard_end=ends,
        most_s=int(min(ctx.live.longest, ends - begins).total_seconds()),
        chime=wish.chime,
        unusual=ahead.unusual,
        scopes={},
        alerts=[],
    )
    session.add(row)
    session.flush()
    return row


def _may_begin(session: Session, row: LiveSession, now: datetime) -> None:
    if row.state == "on_air":
        raise Conflict("live.on_air")
    if row.state in ("ended", "rejected") or now >= row.hard_end:
        raise Refused("live.over")
    if row.state != "approved":
        raise Refused("live.not_approved")
    if now < row.begins_at:
        raise Refused("live.early", at=row.begins_at)
    if row.priority != EMERGENCY:
        _still_fits(session, row, now)
    elif now > row.asked_at + SOON:
        raise Refused("live.stale", minutes=int(SOON.total_seconds() // 60))


def _still_fits(session: Session, row: LiveSession, now: datetime) -> None:
    if now >= row.hard_end:
        raise Refused("live.over")
    against = problem(session, _clusters(session, row), max(now, row.begins_at), row.hard_end, now, row.id)
    if against is not None:
        raise against


def _clusters(session: Session, row: LiveSession) -> Sequence[Cluster]:
    """Those of them that are still in use."""
    return session.scalars(
        select(Cluster).where(Cluster.id.in_(row.clusters), Cluster.removed_at.is_(None)).order_by(Cluster.id)
    ).all()


def _beside(session: Session, row: LiveSession) -> list[LiveSession]:
    """On air now, and at some of the same poles."""
    others = session.scalars(select(LiveSession).where(LiveSession.state == "on_air", LiveSession.id != row.id))
    return [each for each in others if set(each.clusters) & set(row.clusters)]


def _area(session: Session, row: LiveSession) -> str | None:
    """Where it is logged: the commune of its first pole."""
    cluster = session.get(Cluster, row.clusters[0]) if row.clusters else None
    return session.get_one(Station, cluster.station_id).area_id if cluster is not None else None
