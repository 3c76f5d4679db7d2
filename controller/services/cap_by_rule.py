"""What the standing rules say of what has just come, without anybody asking.

Each rule that a message reaches sounds an emergency of its own, with its own recording, length and guards. A pole that
stands in several hears it once: the widest sounds first, and the others leave out what sounds already.

A message is claimed, and its parts are written down, before any of it sounds. One that was claimed and not heard of
again stays a draft for a person, and a part that did not come to sound says so; nothing ever sounds twice by itself.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from broadcasts.domain.cap import Message
from broadcasts.domain.cap_rules import Fate
from broadcasts.errors import LoaError, Refused
from broadcasts.wire.alert import AlertKind
from controller.db.tables import CapFeed, CapMessage, CapMessageAlert, CapRule, Emergency, EmergencyReach
from controller.services import audit, cap_sounding, cap_standing, cap_taking, emergencies
from controller.services.alert_calls import Call
from controller.services.alerting import whose
from controller.services.cap_outlook import Outlook, outlook, within
from controller.services.cap_sounding import NAME
from controller.services.context import Context
from controller.services.rights import Actor, below
from controller.services.targets import Target

_LOG = logging.getLogger("loa.cap")
PROMPT = timedelta(minutes=15)
"""A rule sounds what has just come. What lay about while we were down is for a person."""
SHORTEST = timedelta(minutes=1)
_Between = Callable[[Context, datetime], None]


@dataclass(frozen=True)
class _Part:
    """Of one rule: whom it means. `ends`: what sounds for older messages and is in its place."""

    number: int
    rule: CapRule
    found: Outlook
    clusters: tuple[str, ...]
    actor: Actor
    ends: tuple[str, ...]


def sound_by_rule(ctx: Context, now: datetime, between: _Between) -> None:
    """Ask the standing rules about what has just come, each message once. `between`: what waits for no long list."""
    with ctx.db.read() as session:
        wanted = select(CapMessage.id).where(
            CapMessage.fate == Fate.DRAFT,
            CapMessage.decision == "",
            CapMessage.tried_at.is_(None),
            CapMessage.received_at > now - PROMPT,
        )
        names = session.scalars(wanted.order_by(CapMessage.number)).all()
    for name in names:
        if _claim(ctx, name, now):
            _try(ctx, name, now)
            between(ctx, now)


def _claim(ctx: Context, name: str, now: datetime) -> bool:
    with ctx.db.write() as session:
        claimed = session.execute(
            update(CapMessage)
            .where(
                CapMessage.id == name,
                CapMessage.tried_at.is_(None),
                CapMessage.decision == "",
                CapMessage.fate == Fate.DRAFT,  # a Cancel may have come while those before it sounded
            )
            .values(tried_at=now)
        )
        return bool(claimed.rowcount)  # type: ignore[attr-defined]


def _try(ctx: Context, name: str, now: datetime) -> None:
    with ctx.db.read() as session:
        row = session.get_one(CapMessage, name)
        feed = session.get_one(CapFeed, row.feed_id)
        planned = _plan(ctx, session, row, feed, now)
        reason = cap_sounding.reason(feed, row)
    with ctx.db.write() as session:
        for part in planned:
            session.add(CapMessageAlert(message_id=name, number=part.number, rule_id=part.rule.id))
    covered: set[str] = set()
    for part in planned:
        left = tuple(each for each in part.clusters if each not in covered)
        if (part.clusters and not left) or _taken_back(ctx, name):
            _forget(ctx, name, part)
        elif _sound(ctx, name, part, left, reason, now):
            covered |= set(left)


def _plan(ctx: Context, session: Session, row: CapMessage, feed: CapFeed, now: datetime) -> list[_Part]:
    """The widest first, and of rules about as many poles the older one. Those that others cover wholly are left out
    when their turn comes: only what sounds covers anything."""
    rules = [] if feed.retired_at else cap_standing.in_force(session, feed.id, now, row.received_at)
    said = _said(row, feed) if rules and row.fate == Fate.DRAFT else None
    if said is None:
        return []
    meant = [each for rule in rules if (each := _meant(session, rule, feed, said, now)) is not None]
    older = [session.get_one(Emergency, each) for each in cap_sounding.replaced(session, row)] if meant else []
    planned = []
    meant.sort(key=lambda each: -len(each[2]))
    for number, (rule, found, clusters) in enumerate(meant, 1):
        actor = cap_sounding.officer(ctx, rule.area_id, below(session, rule.area_id))
        ends = tuple(act.id for act in older if whose(act, actor) or _meets(session, act, clusters))
        planned.append(_Part(number, rule, found, tuple(clusters), actor, ends))
    return planned


def _meets(session: Session, act: Emergency, clusters: list[str]) -> bool:
    """Whether it sounds at any of these. Where it is not the rule's to end, a person is asked: two storms at one pole
    would be two truths."""
    heard = select(EmergencyReach.cluster_id).where(
        EmergencyReach.emergency_id == act.id, EmergencyReach.silenced_at.is_(None)
    )
    return bool(set(session.scalars(heard)) & set(clusters))


def _meant(
    session: Session, rule: CapRule, feed: CapFeed, said: Message, now: datetime
) -> tuple[CapRule, Outlook, list[str]] | None:
    """Of the parts that reach the rule, whom they mean in its area: a lesser part about another place wakes nobody.
    None where it is about elsewhere, and that is certain."""
    if not (parts := cap_standing.threshold(rule).reached(said.standing(now), now)):
        return None
    found = outlook(session, feed, said, now, parts)
    clusters = within(session, found.found.poles, rule.area_id)
    return (rule, found, clusters) if clusters or not found.placed else None


def _said(row: CapMessage, feed: CapFeed) -> Message | None:
    try:
        return cap_taking.read(row, feed)
    except Refused as refused:
        _LOG.warning("%s cannot be read any more: %s", row.id, refused)
        return None


def _taken_back(ctx: Context, name: str) -> bool:
    with ctx.db.read() as session:
        return session.get_one(CapMessage, name).fate != Fate.DRAFT


def _forget(ctx: Context, name: str, part: _Part) -> None:
    """Every pole of it hears another part, or a Cancel came while the parts before it sounded."""
    with ctx.db.write() as session:
        session.delete(session.get_one(CapMessageAlert, (name, part.number)))


def _sound(ctx: Context, name: str, part: _Part, clusters: tuple[str, ...], reason: str, now: datetime) -> bool:
    rule, found = part.rule, part.found
    try:
        if not found.placed or not clusters:
            raise Refused("cap.place_unknown")
        if found.end - now < SHORTEST:
            raise Refused("cap.over")
        lasts = min(timedelta(minutes=rule.minutes), found.end - now)
        target = Target(clusters=clusters)
        call = Call(AlertKind(rule.kind), target, reason=reason, lasts=lasts, ends=part.ends, origin=NAME)
        alert = emergencies.sound(ctx, part.actor, call)
    except LoaError as error:
        with ctx.db.write() as session:
            row = session.get_one(CapMessage, name)
            row.held = row.held or error.key[:60]
            session.get_one(CapMessageAlert, (name, part.number)).held = error.key[:60]
            told = {"rule": rule.id, "why": error.key}
            audit.record(session, now, NAME, "cap.hold", name, told, rule.area_id)
        ctx.measures.cap_taken("held")
        return False
    with ctx.db.write() as session:
        cap_sounding.sounded(session, name, part.number, alert, NAME, now)
        session.get_one(CapMessageAlert, (name, part.number)).clusters = len(clusters)
        more = {"rule": rule.id, "alert": alert, "clusters": len(clusters)}
        audit.record(session, now, NAME, "cap.automatic", name, more, rule.area_id)
    ctx.measures.cap_taken("automatic")
    return True
