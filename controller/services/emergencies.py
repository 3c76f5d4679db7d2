"""An emergency over any target, by one person with a second factor: looked at, sounded, cancelled while it waits,
silenced. A second person says afterwards that it was right (`services.alert_words`)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.clock import VIETNAM
from broadcasts.domain import alert_rules
from broadcasts.errors import Conflict, Refused
from broadcasts.wire.alert import AlertKind, Repeat
from controller.db.tables import Emergency, StandingAlert
from controller.services import (
    alert_guards,
    alert_inline,
    alert_lists,
    alert_reach,
    alert_speech,
    alert_superseding,
    alerting,
    audit,
    drilling,
    emergency_set,
)
from controller.services.alert_calls import PRELOADED, Call, Content
from controller.services.alert_guards import Exempt, Word
from controller.services.alert_reach import Place, Reach
from controller.services.alert_tally import Tally, tally
from controller.services.alert_words import Line, confirm, every, may_confirm, waiting
from controller.services.alerting import CANCELLED, ISSUED, LAPSED, WAITING, Entry
from controller.services.context import Context
from controller.services.rights import Actor, Right
from controller.services.targets import Meant

__all__ = [
    "PRELOADED",
    "Call",
    "Content",
    "Line",
    "Tally",
    "cancel",
    "confirm",
    "every",
    "may_confirm",
    "preview",
    "silence",
    "silence_all",
    "sound",
    "step",
    "tally",
    "waiting",
]
_LOG = logging.getLogger("loa.alerting")
LOOK_AGAIN = timedelta(minutes=10)


def preview(ctx: Context, session: Session, actor: Actor, target: Meant) -> Reach:
    """Whom it would reach, before anybody gives a code. Raises Refused: "no_right", and of the target "not_yours",
    "target.merged", "target.merged_away", "target.group", "target.empty"."""
    officer = replace(actor, strong=True).need(Right.ALERT)
    return alert_guards.weighed(ctx, alert_reach.of_target(session, officer, target, ctx.clock.now()))


@audit.decided("alert.sound")
def sound(ctx: Context, actor: Actor, call: Call, exempt: Exempt | None = None) -> str:
    """One emergency; its id. It is in the lists when this returns, or, where a cancel interval is set, waits for
    `step` until the interval is over.

    Raises Refused, and then nothing was decided: what `preview` raises, "second_factor.needed",
    "second_factor.again", "reason.missing", "reason.long", "alert.length", "alert.rule", "alert.confirm_reach"
    (`clusters`; the number must be typed in), "alert.rate_person", "alert.rate_scope", "asset.unknown",
    "emergency.none" (no preloaded recording of this kind), "alert.too_many", and of a text what `alert_speech.speak`
    raises.
    """
    actor = actor.need(Right.ALERT)
    actor.freshly(ctx.wall.now(), ctx.people.fresh_code)
    name = alerting.name_of(ctx, "a", actor, call.press)
    call = filled(call)
    lasts, volume = call.lasts, call.volume
    assert lasts is not None
    assert volume is not None
    alerting.check(call.reason, lasts)
    pressed_at = now = ctx.clock.now()
    with ctx.db.read() as session:
        if call.press and session.get(Emergency, name) is not None:
            return name
        reach = preview(ctx, session, actor, call.target)
        _guarded(ctx, session, actor, call, reach, now, exempt)
    if call.content.text:
        call = _spoken(ctx, actor, call, now + ctx.emergencies.cancel)
    call = alert_inline.leaner(ctx, call)
    now = ctx.clock.now()
    release_at = now + ctx.emergencies.cancel
    carried = alert_inline.carried(ctx, call.content.recordings) if call.content.inline else {}
    with ctx.db.read() as session:
        reach, entries = _entries(session, call.kind, call.content.recordings, reach)
        ends = alert_superseding.chosen(session, actor, call, reach.clusters, now)
        for content in {tuple(entry.content) for entry in entries}:
            alerting.renditions(session, content)
    repeat, roots = _repeat(call, release_at), {pole.root for pole in reach.poles}
    act = Emergency(
        id=name,
        kind=call.kind,
        target=alert_reach.stored(call.target),
        places=[place.stored for place in reach.scopes],
        areas=sorted({*reach.areas, *(roots & {place.scope for place in reach.scopes})}),
        content=[list(each) for each in call.content.recordings],
        reason=call.reason.strip(),
        repeat=None if repeat is None else repeat.model_dump(mode="json", exclude_none=True),
        rule="" if call.repeat is not None else call.rule,
        volume=volume,
        ends=ends,
        inline=bool(carried),
        lasts_s=int(lasts.total_seconds()),
        pressed_at=pressed_at,
        release_at=release_at,
        issued_at=release_at,
        hard_end=release_at + lasts,
        issued_by=actor.name,
        state=WAITING,
    )
    scopes: list[str] = []
    with ctx.db.write() as session:
        if call.press and session.get(Emergency, name) is not None:  # the other one was quicker
            return name
        word = _guarded(ctx, session, actor, call, reach, now, exempt)
        alerting.remember(session, act, reach, word)
        told = {"kind": call.kind, "reason": call.reason, "target": act.target, "clusters": len(reach.poles)}
        told |= {"scopes": act.scopes[:50], "seconds_to_cancel": int(ctx.emergencies.cancel.total_seconds())}
        told |= ({"origin": call.origin} if call.origin else {}) | alerting.exemption(word)
        audit.record(session, now, actor.name, "alert.sound", act.id, told, area_of(reach))
        if release_at <= now:
            scopes = _release(session, act, entries, now, carried)
    if scopes:
        alert_lists.issue(ctx, scopes, now)
    else:
        ctx.wake()
    return act.id


def _guarded(
    ctx: Context, session: Session, actor: Actor, call: Call, reach: Reach, now: datetime, exempt: Exempt | None
) -> Word:
    return exempt or alert_guards.check(ctx, session, actor, call.confirmed, reach, now)


def _spoken(ctx: Context, actor: Actor, call: Call, issued_at: datetime) -> Call:
    """With the recording of its text in place of the text; what was prepared besides sounds behind it."""
    told = call.content
    made = alert_speech.speak(ctx, actor, told.text, issued_at, language=told.language, voice=told.voice)
    said = ((told.language, made.sha256), *told.recordings)
    return replace(call, content=replace(told, recordings=said, text=""))


def filled(call: Call) -> Call:
    """With what the kind's template says where the caller said nothing. Raises Refused("alert.rule")."""
    template = alert_rules.TEMPLATES[call.kind]
    rule = call.rule or alert_rules.rule_at(template.rule, call.level)
    if rule not in set(alert_rules.Rule):
        raise Refused("alert.rule", rule=rule[:40])
    return replace(
        call,
        lasts=template.lasts if call.lasts is None else call.lasts,
        volume=template.volume if call.volume is None else max(0, min(100, call.volume)),
        rule=str(rule),
    )


def _repeat(call: Call, issued_at: datetime) -> Repeat | None:
    if call.repeat is not None:
        return call.repeat
    template = alert_rules.TEMPLATES[call.kind]
    told = alert_rules.repetition(alert_rules.Rule(call.rule), issued_at, VIETNAM, template.every, template.times)
    if told.every is None and len(told.opening) == 1:
        return None
    opening = [int(each.total_seconds()) for each in told.opening]
    every = int(told.every.total_seconds()) if told.every is not None else 3600
    times = told.times if told.every is not None else len(opening)
    return Repeat(every_s=every, times=times, opening_s=opening if len(opening) > 1 else None)


def _entries(
    session: Session, kind: AlertKind, content: Sequence[tuple[str, str]], reach: Reach
) -> tuple[Reach, list[Entry]]:
    """What each list says, from wide to narrow. Of preloaded recordings a commune's own words go first: where a whole
    province is meant, its communes that have some carry the same alert with them, and the narrower list counts.

    Raises Refused("emergency.none")."""
    if content:
        return reach, [Entry(place, content) for place in reach.scopes]
    stations = {pole.scope: pole.root for pole in reach.poles}
    found: list[Entry] = []
    for place in reach.scopes:
        said = emergency_set.content_for(session, place.scope, kind)
        communes = sorted(scope for scope, root in stations.items() if root == place.scope and scope != root)
        own = {scope: emergency_set.content_for(session, scope, kind) for scope in communes}
        if said:
            found.append(Entry(place, said))
        elif not own or not all(own.values()):
            raise Refused("emergency.none", kind=kind)
        found += [Entry(Place(scope), words) for scope, words in own.items() if words != said]
    return replace(reach, scopes=tuple(entry.place for entry in found)), found


def _release(
    session: Session, act: Emergency, entries: Sequence[Entry], now: datetime, carried: Mapping[str, bytes]
) -> list[str]:
    """Into the lists, and off them what it takes back; whose lists have to be signed, in the order of publishing: the
    narrow first, so that who hears both hears the narrower words from the beginning."""
    act.state, act.issued_at, act.hard_end = ISSUED, now, now + timedelta(seconds=act.lasts_s)
    gone = alert_superseding.take_back(session, act, now)
    alerting.put_out(session, act, entries, now, carried)
    scopes = [entry.place.scope for entry in reversed(entries)]
    return list(dict.fromkeys([*scopes, *gone]))


def step(ctx: Context, now: datetime) -> datetime:
    """Release what waited long enough; what could not be released in time lapses, and never fires by itself later.
    Returns when to look again."""
    with ctx.db.read() as session:
        rows = session.scalars(select(Emergency).where(Emergency.state == WAITING).order_by(Emergency.release_at)).all()
    _all_of([lambda row=row: _let_go(ctx, row, now) for row in rows if row.release_at <= now])  # type: ignore[misc]
    soonest = min((row.release_at for row in rows if row.release_at > now), default=now + LOOK_AGAIN)
    return min(soonest, now + LOOK_AGAIN)


def _all_of(acts: Sequence[Callable[[], object]]) -> None:
    """Each of them, whatever becomes of the others. Raises what the first that failed did."""
    failures: list[Exception] = []
    for each in acts:
        try:
            each()
        except Exception as failure:  # noqa: BLE001
            failures.append(failure)
    if failures:
        raise failures[0]


def _let_go(ctx: Context, row: Emergency, now: datetime) -> None:
    name, scopes = row.id, list[str]()
    carried = alert_inline.carried(ctx, [(language, sha256) for language, sha256 in row.content]) if row.inline else {}
    with ctx.db.write() as session:
        act = session.get_one(Emergency, name)
        if act.state != WAITING:
            return
        why = "late" if now > act.release_at + ctx.emergencies.lapse else ""
        if not why:
            try:
                with session.begin_nested():
                    scopes = _released(session, act, now, carried)
            except Refused as refused:
                why = refused.key
            except ValueError:  # what no document takes will not be taken later
                _LOG.exception("the emergency %s could not be released", name)
                why = "failed"
        if why:
            act.state, act.ended_at, act.ended_by = LAPSED, now, "loa"
            audit.record(session, now, "loa", "alert.lapse", name, {"why": why, "kind": act.kind}, "")
    if scopes:
        alert_lists.issue(ctx, scopes, now)


def _released(session: Session, act: Emergency, now: datetime, carried: Mapping[str, bytes]) -> list[str]:
    places = [Place(scope, None if units is None else tuple(units)) for scope, units in act.places]
    content = [(language, sha256) for language, sha256 in act.content]
    kind = AlertKind(act.kind)
    entries = [Entry(place, content or emergency_set.content_for(session, place.scope, kind)) for place in places]
    return _release(session, act, entries, now, carried)


@audit.decided("alert.cancel")
def cancel(ctx: Context, actor: Actor, alert_id: str) -> None:
    """While it waits: nobody outside has heard of it. No fresh code is asked for.

    Raises Refused: "no_right", "second_factor.needed", "not_yours"; Conflict("alert.released"): too late, `silence`
    it."""
    actor, now = actor.need(Right.ALERT), ctx.clock.now()
    with ctx.db.write() as session:
        act = _mine(session, actor, alert_id)
        if act.state != WAITING:
            raise Conflict("alert.released")
        act.state, act.ended_at, act.ended_by = CANCELLED, now, actor.name
        audit.record(session, now, actor.name, "alert.cancel", alert_id, {"kind": act.kind}, actor.area)


def silence(ctx: Context, actor: Actor, alert_id: str | None = None, *, scope: str | None = None) -> int:
    """One alert everywhere (one that waits is cancelled), or all of one scope and of the narrower ones in one
    publication; how many. Raises Refused: "no_right", "second_factor.needed", "not_yours"."""
    if alert_id is None:
        return alerting.silence(ctx, actor, scope or "")
    return _silence_one(ctx, actor, alert_id)


@audit.decided("alert.silence")
def _silence_one(ctx: Context, actor: Actor, alert_id: str) -> int:
    actor, now = actor.need(Right.ALERT), ctx.clock.now()
    with ctx.db.write() as session:
        act = _mine(session, actor, alert_id)
        rows = session.scalars(
            select(StandingAlert).where(StandingAlert.id == alert_id, StandingAlert.silenced_at.is_(None))
        ).all()
        if act.state == WAITING:
            act.state, act.ended_at, act.ended_by = CANCELLED, now, actor.name
        told = {"scopes": [row.scope for row in rows][:50]}
        audit.record(session, now, actor.name, "alert.silence", alert_id, told, actor.area)
        wide_first = sorted(rows, key=lambda row: act.scopes.index(row.scope))
        scopes = alerting.take_off(session, wide_first, actor.name, now, [alert_id])
    if scopes:
        alert_lists.issue(ctx, scopes, now)
    return int(bool(scopes))


def silence_all(ctx: Context, actor: Actor) -> int:
    """Everything that this person could have sounded, one publication for each of the widest areas of his; how many
    alerts. Raises Refused: "no_right", "second_factor.needed"."""
    officer = actor.need(Right.ALERT)
    with ctx.db.read() as session:
        tops = _tops(session, officer)
    counts: list[int] = []
    _all_of(
        [
            lambda: _cancel_waiting(ctx, officer),
            *(lambda scope=scope: counts.append(alerting.silence(ctx, actor, scope)) for scope in tops),
            lambda: counts.append(_silence_rest(ctx, officer)),
            lambda: drilling.end_all(ctx, officer),
        ]
    )
    return sum(counts)


def _silence_rest(ctx: Context, actor: Actor) -> int:
    """What stands in a list that no pole of today leads to: its unit hangs elsewhere by now, its pole was removed."""
    with ctx.db.read() as session:
        rows = session.scalars(
            select(Emergency).where(Emergency.state == ISSUED, Emergency.hard_end > ctx.clock.now())
        ).all()
    return sum(_silence_one(ctx, actor, row.id) for row in rows if alerting.whose(row, actor))


def _cancel_waiting(ctx: Context, actor: Actor) -> None:
    with ctx.db.read() as session:
        found = session.scalars(select(Emergency).where(Emergency.state == WAITING)).all()
        mine = [act.id for act in found if alerting.whose(act, actor)]
    for name in mine:
        try:
            cancel(ctx, actor, name)
        except Conflict:
            continue  # released just now: it is silenced with the rest


def _tops(session: Session, actor: Actor) -> list[str]:
    """Scopes that together hold all the actor's poles, as few as there are."""
    mine = [pole for pole in alert_reach.poles_of(session, actor.areas) if pole.area in actor.areas]
    return sorted({pole.root if pole.root in actor.areas else pole.scope for pole in mine})


def _mine(session: Session, actor: Actor, alert_id: str) -> Emergency:
    """Raises Refused("not_yours"), also for one that does not exist."""
    act = session.get(Emergency, alert_id)
    if act is None or not alerting.whose(act, actor):
        raise Refused("not_yours")
    return act


def area_of(reach: Reach) -> str:
    """Where it is told in the log: the one commune, or the province."""
    roots = {pole.root for pole in reach.poles}
    return reach.areas[0] if len(reach.areas) == 1 else min(roots, default="")
