"""Standing rules: which warnings of a feed sound without asking.

One person of the province writes a rule, another one who may sound emergencies puts it into force. It names what it
waits for, where, for how long, and whose recording sounds; it never speaks a text of somebody else's. It ends by
itself, and at once where the feed changes (`cap_feeds`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.domain.cap import Certainty, Severity, Urgency
from broadcasts.domain.cap_rules import Threshold, plain
from broadcasts.errors import Conflict, Refused
from broadcasts.wire.alert import AlertKind
from controller.db.tables import Area, CapFeed, CapRule, User
from controller.services import audit
from controller.services.cap_feeds import mine
from controller.services.context import Context
from controller.services.rights import Actor, Right, below

LONGEST = timedelta(days=366)
MOST_MINUTES = 6 * 60
MOST_EVENTS = 20
KINDS = tuple(kind for kind in AlertKind if kind is not AlertKind.OTHER)


@dataclass(frozen=True)
class Wish:
    """`until`: the last instant at which it acts."""

    feed: str
    area: str
    kind: str
    severity: str
    urgency: str
    certainty: str
    minutes: int
    until: datetime
    events: tuple[str, ...] = ()


@dataclass(frozen=True)
class Line:
    rule: CapRule
    area: str
    proposed_by: str
    approved_by: str
    state: str
    """waiting, in_force, over"""
    mine: bool
    """Written by whoever looks, who therefore cannot put it into force."""


@audit.decided("cap_rule.propose")
def propose(ctx: Context, actor: Actor, wish: Wish) -> str:
    """Its id; nothing sounds by it yet. Raises Refused: "no_right", "second_factor.needed", "not_yours" (the feed),
    "choice.unknown" (a place outside of the feed's, a kind, a threshold), "cap.open_way" (anybody on the way could
    write what the feed says), "cap.minutes", "cap.until", "cap.events"."""
    actor = actor.need(Right.PRELOAD)
    now = ctx.clock.now()
    with ctx.db.write() as session:
        feed = mine(session, actor, wish.feed)
        if feed.retired_at is not None or wish.area not in below(session, feed.area_id) & actor.areas:
            raise Refused("choice.unknown", name="area", value=wish.area[:40])
        if feed.url.startswith("http:") and not feed.signed:
            raise Refused("cap.open_way")
        events = _checked(wish, now)
        rule = CapRule(
            id=ctx.ids.new("cr"),
            feed_id=feed.id,
            area_id=wish.area,
            events=events,
            severity=wish.severity,
            urgency=wish.urgency,
            certainty=wish.certainty,
            kind=wish.kind,
            minutes=wish.minutes,
            until=wish.until,
            proposed_at=now,
            proposed_by=actor.id,
            feed_revision=feed.revision,
        )
        session.add(rule)
        session.flush()
        audit.record(session, now, actor.name, "cap_rule.propose", rule.id, _shown(rule), rule.area_id)
        return rule.id


def _checked(wish: Wish, now: datetime) -> list[str]:
    for name, value, known in (
        ("kind", wish.kind, {str(each) for each in KINDS}),
        ("severity", wish.severity, {str(each) for each in Severity} - {Severity.UNKNOWN}),
        ("urgency", wish.urgency, {str(each) for each in Urgency} - {Urgency.UNKNOWN, Urgency.PAST}),
        ("certainty", wish.certainty, {str(each) for each in Certainty} - {Certainty.UNKNOWN}),
    ):
        if value not in known:
            raise Refused("choice.unknown", name=name, value=value[:20])
    if not 1 <= wish.minutes <= MOST_MINUTES:
        raise Refused("cap.minutes", most=MOST_MINUTES)
    if not now < wish.until <= now + LONGEST:
        raise Refused("cap.until", most=LONGEST.days)
    events = list(dict.fromkeys(plain(each) for each in wish.events if each.strip()))
    if len(events) > MOST_EVENTS or any(len(each) > 120 or not each.isprintable() for each in events):
        raise Refused("cap.events", most=MOST_EVENTS)
    return events


@audit.decided("cap_rule.approve")
def approve(ctx: Context, actor: Actor, rule_id: str) -> None:
    """From now on it acts. Raises Refused: "no_right", "second_factor.needed", "second_factor.again", "not_yours",
    "cap.own_rule" (whoever wrote it); Conflict("cap.changed") where it is over or in force, or the feed changed."""
    actor = actor.need(Right.ALERT)
    now = ctx.clock.now()
    with ctx.db.write() as session:
        rule = decidable(session, actor, rule_id)
        feed = session.get_one(CapFeed, rule.feed_id)
        if rule.proposed_by == actor.id:
            raise Refused("cap.own_rule")
        if state(rule, now) != "waiting" or feed.retired_at is not None or feed.revision != rule.feed_revision:
            raise Conflict("cap.changed")
        actor.freshly(ctx.wall.now(), ctx.people.fresh_code)
        rule.approved_at, rule.approved_by = now, actor.id
        audit.record(session, now, actor.name, "cap_rule.approve", rule.id, _shown(rule), rule.area_id)


@audit.decided("cap_rule.end")
def end(ctx: Context, actor: Actor, rule_id: str) -> None:
    """It acts no more. Whoever may write one or put one into force ends it, alone. Raises Refused: "no_right",
    "second_factor.needed", "not_yours"; Conflict("cap.changed") where it is over."""
    actor = actor.need(Right.PRELOAD, Right.ALERT)
    now = ctx.clock.now()
    with ctx.db.write() as session:
        rule = decidable(session, actor, rule_id)
        if state(rule, now) == "over":
            raise Conflict("cap.changed")
        rule.ended_at, rule.ended_by = now, actor.name
        audit.record(session, now, actor.name, "cap_rule.end", rule.id, _shown(rule), rule.area_id)


def decidable(session: Session, actor: Actor, rule_id: str) -> CapRule:
    """Raises Refused("not_yours")."""
    rule = session.get(CapRule, rule_id[:40])
    if rule is None or rule.area_id not in actor.areas:
        raise Refused("not_yours")
    return rule


def state(rule: CapRule, now: datetime) -> str:
    if rule.ended_at is not None or rule.until <= now:
        return "over"
    return "waiting" if rule.approved_at is None else "in_force"


def threshold(rule: CapRule) -> Threshold:
    return Threshold(frozenset(rule.events), Severity(rule.severity), Urgency(rule.urgency), Certainty(rule.certainty))


def in_force(session: Session, feed_id: str, now: datetime, since: datetime) -> Sequence[CapRule]:
    """Those that were in force already at `since`, when the message came: a rule of later wakes nobody with it."""
    rules = session.scalars(select(CapRule).where(CapRule.feed_id == feed_id).order_by(CapRule.approved_at, CapRule.id))
    return [
        rule
        for rule in rules
        if state(rule, now) == "in_force" and rule.approved_at is not None and rule.approved_at <= since
    ]


def lines(session: Session, actor: Actor, feed_id: str, now: datetime) -> list[Line]:
    """Of this feed, those that act or wait first. For whoever may see the feed."""
    rows = session.execute(
        select(CapRule, Area.name).join(Area, CapRule.area_id == Area.id).where(CapRule.feed_id == feed_id)
    ).all()
    people = {who for rule, _ in rows for who in (rule.proposed_by, rule.approved_by) if who}
    names = {row.id: row.full_name for row in session.scalars(select(User).where(User.id.in_(people)))}
    found = [
        Line(
            rule,
            area,
            names.get(rule.proposed_by, ""),
            names.get(rule.approved_by or "", ""),
            state(rule, now),
            rule.proposed_by == actor.id,
        )
        for rule, area in rows
    ]
    return sorted(found, key=lambda line: (line.state == "over", line.rule.proposed_at))


def _shown(rule: CapRule) -> dict[str, object]:
    told = ("feed_id", "area_id", "events", "severity", "urgency", "certainty", "kind", "minutes")
    return {each: getattr(rule, each) for each in told} | {"until": rule.until.isoformat()}
