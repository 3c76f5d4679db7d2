"""Drills: another key, another topic, other tables than emergencies (R-066). Silent by default: the whole way to every
pole is exercised, and no villager hears it. A loud one says in each of its languages that it is one, lies in the hours
of every station that it reaches, and was approved by a second person beforehand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from broadcasts.clock import VIETNAM
from broadcasts.errors import Conflict, Refused
from broadcasts.wire.alert import AlertKind
from controller.db.tables import Drill, DrillReach, KeptSound, Station, User
from controller.services import alert_reach, alerting, audit, drill_lists, emergency_set, library
from controller.services.alert_reach import Place, Reach
from controller.services.context import Context
from controller.services.four_eyes import Title, lent_title
from controller.services.rights import Actor, Right
from controller.services.sound_library import DRILL_NAMES
from controller.services.standard_texts import BEFORE_DRILL
from controller.services.stations import lines, regulation
from controller.services.targets import Target

ASKED, ISSUED, REJECTED, ENDED = "asked", "issued", "rejected", "ended"
LONGEST = timedelta(hours=4)
AHEAD = timedelta(days=31)
LOOK_BACK = timedelta(days=90)
PREFIX_LANGUAGE = "vi"


@dataclass(frozen=True)
class Exercise:
    """What somebody asks for. `content`: (language, asset); none: the preloaded recordings of the kind, as the widest
    place of the target has them. `starts_at`: none for at once."""

    kind: AlertKind
    target: Target
    reason: str
    silent: bool = True
    content: tuple[tuple[str, str], ...] = ()
    starts_at: datetime | None = None
    lasts: timedelta = timedelta(minutes=30)
    volume: int = 80
    press: str = ""
    """As of `alert_calls.Call`."""


def preview(ctx: Context, session: Session, actor: Actor, target: Target) -> Reach:
    """Whom it would reach. Raises what `emergencies.preview` does."""
    officer = replace(actor, strong=True).need(Right.ALERT)
    return alert_reach.of_target(session, officer, target, ctx.clock.now())


@audit.decided("drill.ask")
def ask(ctx: Context, actor: Actor, told: Exercise) -> str:
    """A drill; its id. A silent one is in the lists when this returns, a loud one waits for `approve`.

    Raises Refused: "no_right", "second_factor.needed", "not_yours", what is wrong with the target, "reason.missing",
    "reason.long", "drill.length" (not between 10 s and 4 hours), "drill.time" (in the past, or more than 31 days
    ahead), "emergency.none", "asset.unknown", "drill.prefix" (a loud one in a language without a spoken "diễn tập"),
    "drill.hours" (a loud one outside the hours of a station), "drill.too_many".
    """
    actor, now = actor.need(Right.ALERT), ctx.clock.now()
    alerting.check_reason(told.reason)
    name = alerting.name_of(ctx, "dr", actor, told.press)
    if not alerting.SHORTEST <= told.lasts <= LONGEST:
        raise Refused("drill.length", hours=int(LONGEST.total_seconds() // 3600))
    starts_at = told.starts_at or now
    if not now <= starts_at <= now + AHEAD:
        raise Refused("drill.time", days=AHEAD.days)
    with ctx.db.read() as session:
        if told.press and session.get(Drill, name) is not None:
            return name
        reach = alert_reach.of_target(session, actor, told.target, now)
        content = list(told.content) or _preloaded(session, told.kind, reach)
        prefix = [] if told.silent else _prefix(session, reach, content)
        length = sum(library.find(session, sha256).duration_ms for _, sha256 in [*prefix, *content])
        if not told.silent:
            _check_hours(session, reach, starts_at, timedelta(milliseconds=length))
    drill = Drill(
        id=name,
        kind=told.kind,
        target=alert_reach.stored(told.target),
        places=[place.stored for place in reach.scopes],
        areas=sorted({*reach.areas, *({pole.root for pole in reach.poles} & {each.scope for each in reach.scopes})}),
        silent=told.silent,
        prefix=[list(each) for each in prefix],
        content=[list(each) for each in content],
        volume=max(0, min(100, told.volume)),
        reason=told.reason.strip(),
        asked_at=now,
        asked_by=actor.name,
        starts_at=starts_at,
        hard_end=starts_at + told.lasts,
        state=ASKED,
    )
    with ctx.db.write() as session:
        if told.press and session.get(Drill, name) is not None:  # the other one was quicker
            return name
        session.add(drill)
        session.flush()
        rows = [{"drill_id": drill.id, "cluster_id": pole.cluster, "unit_id": pole.unit} for pole in reach.poles]
        session.execute(insert(DrillReach), rows)
        said = {"kind": told.kind, "reason": told.reason, "silent": told.silent, "clusters": len(reach.poles)}
        area = reach.areas[0] if len(reach.areas) == 1 else min((pole.root for pole in reach.poles), default="")
        audit.record(session, now, actor.name, "drill.ask", drill.id, said, area)
        if told.silent:
            _issue(ctx, session, drill, now)
    ctx.publish_soon()
    return drill.id


@audit.decided("drill.approve")
def approve(ctx: Context, actor: Actor, drill_id: str) -> None:
    """The second person's word on a loud drill, before it. Raises Refused: "no_right", "second_factor.needed",
    "drill.own" (who asked for it), what `four_eyes.lent_title` raises, "drill.over", "drill.hours";
    Conflict("drill.decided")."""
    (drill, title), now = _decide(ctx, actor, drill_id), ctx.clock.now()
    with ctx.db.write() as session:
        drill = _open(session, drill.id, now)
        reach = alert_reach.of_clusters(session, _clusters(session, drill.id), drill.areas)
        every_part = [*drill.prefix, *drill.content]
        length = sum(library.find(session, sha256).duration_ms for _, sha256 in every_part)
        _check_hours(session, reach, max(now, drill.starts_at), timedelta(milliseconds=length))
        drill.decided_at, drill.decided_by = now, actor.name
        audit.record(session, now, actor.name, "drill.approve", drill.id, {"asked_by": drill.asked_by} | title, "")
        _issue(ctx, session, drill, now)
    ctx.publish_soon()


@audit.decided("drill.reject")
def reject(ctx: Context, actor: Actor, drill_id: str, note: str) -> None:
    """Raises as `approve`, and Refused("reason.missing")."""
    if not note.strip():
        raise Refused("reason.missing")
    (drill, title), now = _decide(ctx, actor, drill_id), ctx.clock.now()
    with ctx.db.write() as session:
        drill = _open(session, drill.id, now)
        drill.state, drill.decided_at, drill.decided_by, drill.note = REJECTED, now, actor.name, note.strip()[:500]
        audit.record(session, now, actor.name, "drill.reject", drill.id, {"note": drill.note} | title, "")


@audit.decided("drill.end")
def end(ctx: Context, actor: Actor, drill_id: str) -> None:
    """Take it back, or off the lists. Raises Refused: "no_right", "second_factor.needed", "not_yours"."""
    actor, now = actor.need(Right.ALERT, Right.APPROVE), ctx.clock.now()
    with ctx.db.write() as session:
        drill = _mine(session, actor, drill_id)
        if drill.state not in (ASKED, ISSUED):
            return
        out = drill.state == ISSUED
        drill.state, drill.ended_at, drill.ended_by = ENDED, now, actor.name
        audit.record(session, now, actor.name, "drill.end", drill_id, {"silent": drill.silent}, "")
        if out:
            session.flush()
            drill_lists.sign(ctx, session, [place.scope for place in _places(drill)], now)
    ctx.publish_soon()


def every(ctx: Context, session: Session, actor: Actor) -> list[Drill]:
    """Drills of the last 90 days in the actor's area, the newest first. Raises Refused("no_right")."""
    actor = replace(actor, strong=True).need(Right.ALERT, Right.APPROVE)
    since = ctx.clock.now() - LOOK_BACK
    rows = session.scalars(select(Drill).where(Drill.asked_at > since).order_by(Drill.asked_at.desc(), Drill.id))
    return [row for row in rows if set(row.areas) <= actor.areas]


def end_all(ctx: Context, actor: Actor) -> int:
    """All that is the actor's to end; how many."""
    officer = actor.need(Right.ALERT)
    with ctx.db.read() as session:
        rows = session.scalars(select(Drill).where(Drill.state.in_([ASKED, ISSUED]), Drill.hard_end > ctx.clock.now()))
        mine = [row.id for row in rows if set(row.areas) <= officer.areas]
    for name in mine:
        end(ctx, actor, name)
    return len(mine)


def _issue(ctx: Context, session: Session, drill: Drill, now: datetime) -> None:
    drill.state, drill.issued_at = ISSUED, now
    session.flush()
    drill_lists.sign(ctx, session, [place.scope for place in _places(drill)], now)


def _decide(ctx: Context, actor: Actor, drill_id: str) -> tuple[Drill, dict[str, str]]:
    """The drill, and for the log by which lent right."""
    officer = actor.need(Right.ALERT, Right.APPROVE)
    with ctx.db.read() as session:
        drill = _mine(session, officer, drill_id)
        asker = session.scalar(select(User.id).where(User.name == drill.asked_by))
        if drill.asked_by == actor.name:
            raise Refused("drill.own")
        own = frozenset().union(*(grant.areas for grant in officer.grants if not grant.lent))
        title, wrote = Title(), () if asker is None else (asker,)
        if not set(drill.areas) <= own:
            now = ctx.wall.now()
            title = lent_title(session, officer, now, lambda lent: set(drill.areas) <= own | lent.areas, wrote)
    return drill, {} if title.delegation is None else {"lent": title.delegation}


def _open(session: Session, drill_id: str, now: datetime) -> Drill:
    drill = session.get_one(Drill, drill_id)
    if drill.state != ASKED:
        raise Conflict("drill.decided")
    if drill.hard_end <= now:
        raise Refused("drill.over")
    return drill


def _mine(session: Session, actor: Actor, drill_id: str) -> Drill:
    drill = session.get(Drill, drill_id)
    if drill is None or not set(drill.areas) <= actor.areas:
        raise Refused("not_yours")
    return drill


def _places(drill: Drill) -> list[Place]:
    return [Place(scope, None if units is None else tuple(units)) for scope, units in drill.places]


def _clusters(session: Session, drill_id: str) -> Sequence[str]:
    return session.scalars(select(DrillReach.cluster_id).where(DrillReach.drill_id == drill_id)).all()


def _preloaded(session: Session, kind: AlertKind, reach: Reach) -> list[tuple[str, str]]:
    """What all poles of the target hold: of the province where several communes are meant. Raises
    Refused("emergency.none")."""
    scope = reach.scopes[0].scope if len(reach.areas) == 1 and reach.scopes else reach.poles[0].root
    found = emergency_set.content_for(session, scope, kind)
    if not found:
        raise Refused("emergency.none", kind=kind)
    return found


def _prefix(session: Session, reach: Reach, content: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """The spoken "diễn tập" of the sound library of the place or of one above it. Raises Refused("drill.prefix")."""
    lacking = sorted({language for language, _ in content} - {PREFIX_LANGUAGE})
    if lacking:
        raise Refused("drill.prefix", spoken=lacking[0])
    above = lines(session, reach.areas)
    common = set.intersection(*(set(above[area]) for area in reach.areas))
    rows = session.scalars(
        select(KeptSound).where(KeptSound.area_id.in_(common), KeptSound.name == DRILL_NAMES[BEFORE_DRILL])
    )
    kept = {row.area_id: row.asset_sha256 for row in rows}
    nearest = next((kept[area] for area in above[reach.areas[0]] if area in kept), None)
    if nearest is None:
        raise Refused("drill.prefix", spoken=PREFIX_LANGUAGE)
    return [(PREFIX_LANGUAGE, nearest)]


def _check_hours(session: Session, reach: Reach, starts_at: datetime, length: timedelta) -> None:
    """Raises Refused("drill.hours"): the first station in whose hours it does not lie."""
    for station in session.scalars(select(Station).where(Station.area_id.in_(reach.areas)).order_by(Station.name)):
        if not regulation(station).allows(starts_at, length, VIETNAM):
            raise Refused("drill.hours", station=station.name, at=f"{starts_at.astimezone(VIETNAM):%H:%M}")
