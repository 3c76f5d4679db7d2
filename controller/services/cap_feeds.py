"""Whose warnings we take (CAP feeds): the registry, and the token with which one hands in.

Who may say which recordings every pole holds for emergencies says this too. What a standing rule was decided on is this
feed as it was: where its address, its senders or its certificate change, the rule is over (`cap_standing`).
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.domain import outside
from broadcasts.errors import Conflict, Refused
from controller.db.tables import Area, CapFeed, CapRule
from controller.services import audit, cap_signature
from controller.services.context import Context
from controller.services.rights import Actor, Right

LONGEST_NAME = 120
LONGEST_PEM = 20_000
MOST_NAMES = 20
LONGEST_VALUE = 200
EVERY = (30, 3600)
"""Seconds between two fetches."""
STALE = timedelta(minutes=15)
"""A feed that was silent for so long, and for five of its fetches, is shown as stale."""


@dataclass(frozen=True)
class Told:
    name: str
    area: str
    url: str = ""
    senders: tuple[str, ...] = ()
    systems: tuple[str, ...] = ()
    certificate: str = ""
    signed: bool = False
    every_s: int = 60


@dataclass(frozen=True)
class Entry:
    """`certified`: until when the newest certificate holds. `mine`: whoever looks may change it."""

    feed: CapFeed
    area: str
    certified: datetime | None
    stale: bool
    mine: bool


def entries(session: Session, actor: Actor, now: datetime) -> list[Entry]:
    """What concerns the actor's areas, what is retired last. Raises Refused("no_right", "second_factor.needed")."""
    actor = actor.need(Right.PRELOAD, Right.ALERT)
    may = actor.within(Right.PRELOAD)
    rows = session.execute(select(CapFeed, Area.name).join(Area, CapFeed.area_id == Area.id)).all()
    found = [
        Entry(feed, area, _certified(feed), stale(feed, now), feed.area_id in may)
        for feed, area in rows
        if feed.area_id in actor.areas
    ]
    return sorted(found, key=lambda one: (one.feed.retired_at is not None, one.feed.name))


def stale(feed: CapFeed, now: datetime) -> bool:
    """Fetched, and not heard of for too long."""
    if not feed.url or feed.retired_at is not None:
        return False
    return now - (feed.heard_at or feed.changed_at) > max(STALE, 5 * timedelta(seconds=feed.every_s))


def places(session: Session, actor: Actor) -> list[Area]:
    """For which areas this person may add one, the widest first."""
    mine = actor.need(Right.PRELOAD).areas
    found = session.scalars(select(Area).where(Area.id.in_(mine), Area.valid_to.is_(None)))
    return sorted(
        (area for area in found if area.kind != "hamlet"), key=lambda area: (area.kind != "province", area.name)
    )


@audit.decided("cap_feed.add")
def add(ctx: Context, actor: Actor, told: Told) -> str:
    """The new one's id. Raises Refused: "no_right", "second_factor.needed", "not_yours" (the area), "cap.feed_name",
    "cap.every", "cap.senders", "cap.certificate", "cap.unchecked" (a signature is asked for and there is no
    certificate), and for the address what `domain.outside.check_url` raises; Conflict("cap.there")."""
    actor = actor.need(Right.PRELOAD)
    now = ctx.clock.now()
    with ctx.db.write() as session:
        told = _checked(ctx, session, actor, told)
        feed = CapFeed(id=ctx.ids.new("cf"), revision=0)
        session.add(feed)
        _say(feed, told, actor.name, now)
        session.flush()
        audit.record(session, now, actor.name, "cap_feed.add", feed.id, _shown(feed), feed.area_id)
        name = feed.id
    ctx.wake()
    return name


@audit.decided("cap_feed.change")
def change(ctx: Context, actor: Actor, feed_id: str, told: Told, revision: int) -> None:
    """Raises as `add`, and Conflict("cap.changed") where `revision` is not the newest any more."""
    actor = actor.need(Right.PRELOAD)
    now = ctx.clock.now()
    with ctx.db.write() as session:
        feed = mine(session, actor, feed_id)
        if feed.retired_at is not None or feed.revision != revision:
            raise Conflict("cap.changed")
        told = _checked(ctx, session, actor, told, but=feed.id)
        before = _shown(feed)
        if feed.url != told.url:
            feed.etag, feed.modified, feed.next_at, feed.failures, feed.trouble = "", "", None, 0, ""
        _say(feed, told, actor.name, now)
        session.flush()
        ended = _end_rules(session, feed, actor, now)
        more = {"before": before, "rules_ended": ended}
        audit.record(session, now, actor.name, "cap_feed.change", feed.id, _shown(feed) | more, feed.area_id)
    ctx.wake()


@audit.decided("cap_feed.retire")
def retire(ctx: Context, actor: Actor, feed_id: str) -> None:
    """Nothing more is taken from it. Raises Refused("no_right", "not_yours"); Conflict("cap.changed")."""
    actor = actor.need(Right.PRELOAD)
    now = ctx.clock.now()
    with ctx.db.write() as session:
        feed = mine(session, actor, feed_id)
        if feed.retired_at is not None:
            raise Conflict("cap.changed")
        feed.retired_at, feed.changed_at, feed.changed_by, feed.token_sha256 = now, now, actor.name, ""
        feed.revision += 1
        ended = _end_rules(session, feed, actor, now)
        audit.record(session, now, actor.name, "cap_feed.retire", feed.id, {"rules_ended": ended}, feed.area_id)


@audit.decided("cap_feed.token")
def new_token(ctx: Context, actor: Actor, feed_id: str) -> str:
    """With which somebody hands in from now on; said once, kept as a hash. The one before opens nothing more, and the
    rules of a feed that asks for no signature are over. Raises Refused("no_right", "not_yours");
    Conflict("cap.changed") for a retired feed."""
    actor = actor.need(Right.PRELOAD)
    token, now = secrets.token_urlsafe(32), ctx.clock.now()
    with ctx.db.write() as session:
        feed = mine(session, actor, feed_id)
        if feed.retired_at is not None:
            raise Conflict("cap.changed")
        feed.token_sha256 = _hash(token)
        # Whoever holds it is a new sender, and the second person of a rule never agreed to that one.
        ended = [] if feed.signed else _end_rules(session, feed, actor, now)
        audit.record(session, now, actor.name, "cap_feed.token", feed.id, {"rules_ended": ended}, feed.area_id)
    return token


def feed_of_token(session: Session, token: str) -> str:
    """The feed that this token hands in to. Raises Refused("cap.token")."""
    wanted = _hash(token)
    row = session.execute(
        select(CapFeed.id, CapFeed.token_sha256).where(CapFeed.token_sha256 == wanted, CapFeed.retired_at.is_(None))
    ).first()
    if not token or row is None or not hmac.compare_digest(row.token_sha256, wanted):
        raise Refused("cap.token")
    return str(row.id)


def heard(ctx: Context, feed_id: str) -> None:
    """Somebody handed in."""
    with ctx.db.write() as session:
        session.get_one(CapFeed, feed_id).heard_at = ctx.clock.now()


def mine(session: Session, actor: Actor, feed_id: str) -> CapFeed:
    """Which this person may change. Raises Refused("not_yours")."""
    feed = session.get(CapFeed, feed_id[:40])
    if feed is None or feed.area_id not in actor.within(Right.PRELOAD):
        raise Refused("not_yours")
    return feed


def _checked(ctx: Context, session: Session, actor: Actor, told: Told, but: str = "") -> Told:
    name, url = " ".join(told.name.split()), told.url.strip()
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise Refused("cap.feed_name", most=LONGEST_NAME)
    if told.area not in actor.areas:
        raise Refused("not_yours")
    if not EVERY[0] <= told.every_s <= EVERY[1]:
        raise Refused("cap.every", least=EVERY[0], most=EVERY[1])
    if url:
        outside.check_url(url, inside=ctx.inside_relays or ctx.cap_inside)
    if len(told.certificate) > LONGEST_PEM:
        raise Refused("cap.certificate")
    if not cap_signature.certificates(told.certificate) and told.signed:
        raise Refused("cap.unchecked")
    senders, systems = _names(told.senders), _names(told.systems)
    same = (CapFeed.name == name, CapFeed.id != but, CapFeed.retired_at.is_(None))
    if session.scalar(select(CapFeed.id).where(*same)) is not None:
        raise Conflict("cap.there", name=name)
    return Told(name, told.area, url, senders, systems, told.certificate.strip(), told.signed, told.every_s)


def _names(told: Sequence[str]) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(each.strip() for each in told if each.strip()))
    if len(found) > MOST_NAMES or any(len(each) > LONGEST_VALUE or not each.isprintable() for each in found):
        raise Refused("cap.senders", most=MOST_NAMES)
    return found


def _say(feed: CapFeed, told: Told, by: str, now: datetime) -> None:
    feed.name, feed.area_id, feed.url = told.name, told.area, told.url
    feed.senders, feed.systems = list(told.senders), list(told.systems)
    feed.certificate, feed.signed, feed.every_s = told.certificate, told.signed, told.every_s
    feed.revision += 1
    feed.changed_at, feed.changed_by = now, by


def _end_rules(session: Session, feed: CapFeed, actor: Actor, now: datetime) -> list[str]:
    rules = session.scalars(select(CapRule).where(CapRule.feed_id == feed.id, CapRule.ended_at.is_(None))).all()
    for rule in rules:
        rule.ended_at, rule.ended_by = now, actor.name
    return [rule.id for rule in rules]


def _certified(feed: CapFeed) -> datetime | None:
    found = cap_signature.certificates(feed.certificate)
    return max((each.not_valid_after_utc for each in found), default=None)


def _shown(feed: CapFeed) -> dict[str, object]:
    told = ("name", "area_id", "url", "senders", "systems", "signed", "every_s")
    certificate = hashlib.sha256(feed.certificate.encode()).hexdigest()[:16] if feed.certificate else ""
    return {each: getattr(feed, each) for each in told} | {"certificate": certificate}


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
