"""A person looks at a warning of somebody else's and says what becomes of it.

Who decides answers for emergencies in the whole area of the feed. What sounds is the one act of every emergency
(`emergencies.sound`): its guards, its fresh code and its second person hold here as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.domain.cap import Message
from broadcasts.domain.cap_rules import Fate
from broadcasts.errors import Conflict, Refused
from broadcasts.wire.alert import AlertKind
from controller.db.tables import Area, CapFeed, CapMessage, CapMessageAlert, CapRule
from controller.services import alert_speech, audit, cap_sounding, cap_taking, drilling, emergencies
from controller.services.alert_calls import PRELOADED, Call, Content
from controller.services.alert_reach import Reach
from controller.services.alert_superseding import reach_of
from controller.services.alerting import MAX_LENGTH
from controller.services.cap_outlook import Outlook, outlook
from controller.services.context import Context
from controller.services.drilling import Exercise
from controller.services.rights import Actor, Right
from controller.services.stations import lines
from controller.services.targets import Target

MOST = 200
LONG_NOTE = 500


@dataclass(frozen=True)
class Line:
    """One message of the list. `state`: waiting, exercise, pressed, sounded, automatic, drilled, rejected, cancel,
    over, kept."""

    row: CapMessage
    feed: str
    state: str


@dataclass(frozen=True)
class Shown:
    """All of one message. `message`: none where it cannot be read. `reach`: what it would reach as it stands; none
    where no cluster is known. `may`: whoever looks decides about it."""

    line: Line
    feed: CapFeed
    message: Message | None
    outlook: Outlook | None
    reach: Reach | None
    over: Sequence[CapMessage]
    by: CapMessage | None
    parts: Sequence[Part]
    may: bool


@dataclass(frozen=True)
class Part:
    """What sounds for it, or did not: of a standing rule, its kind and area; of a person's word neither."""

    row: CapMessageAlert
    kind: str
    area: str


@dataclass(frozen=True)
class Decision:
    """`clusters` or `areas`: chosen by hand; none: those that the message names. `languages`: whose texts are read
    aloud, one after the other; none: the recordings that every pole holds."""

    kind: str
    minutes: int
    languages: tuple[str, ...] = ()
    areas: tuple[str, ...] = ()
    clusters: tuple[str, ...] = ()
    confirmed: str = ""


def every(session: Session, actor: Actor, now: datetime) -> list[Line]:
    """What came for the actor's area, what waits first, then the newest. Raises Refused("no_right",
    "second_factor.needed")."""
    actor = actor.need(Right.ALERT, Right.PRELOAD)
    near = {each for line in lines(session, {grant.area for grant in actor.grants}).values() for each in line}
    query = (
        select(CapMessage, CapFeed.name)
        .join(CapFeed, CapMessage.feed_id == CapFeed.id)
        .where(CapFeed.area_id.in_(near | actor.areas))
        .order_by(CapMessage.number.desc())
        .limit(MOST)
    )
    # What waits is asked for by itself: a flood of others must not push it off the page.
    open_ones = query.where(CapMessage.fate == Fate.DRAFT, CapMessage.decision == "", CapMessage.end > now)
    rows = {row.id: (row, feed) for wanted in (open_ones, query) for row, feed in session.execute(wanted)}
    found = [Line(row, feed, state(row, now)) for row, feed in rows.values()]
    return sorted(found, key=lambda line: line.state != "waiting")


def state(row: CapMessage, now: datetime) -> str:
    pressed = row.decision == cap_sounding.PRESSED
    if pressed and row.decided_at is not None and row.decided_at > now - cap_sounding.CLAIM:
        return cap_sounding.PRESSED
    if row.decision and not pressed:
        return row.decision
    if row.fate in (Fate.DRAFT, Fate.EXERCISE) and row.end is not None and row.end <= now:
        return "over"
    return {Fate.DRAFT: "waiting", Fate.EXERCISE: "exercise", Fate.CANCEL: "cancel"}.get(Fate(row.fate), "kept")


def waiting(session: Session, actor: Actor, now: datetime) -> int:
    """How many wait for the actor's word; 0 for who may not say it now."""
    if not actor.may(Right.ALERT) or not actor.strong:
        return 0
    areas = actor.need(Right.ALERT).areas
    rows = session.scalars(
        select(CapMessage)
        .join(CapFeed, CapMessage.feed_id == CapFeed.id)
        .where(
            CapMessage.fate == Fate.DRAFT,
            CapMessage.decision.in_(("", cap_sounding.PRESSED)),
            CapFeed.area_id.in_(areas),
        )
    )
    return sum(state(row, now) == "waiting" for row in rows)


def show(ctx: Context, session: Session, actor: Actor, message_id: str, picked: Target | None = None) -> Shown:
    """`picked`: a target chosen by hand. Raises Refused: "no_right", "second_factor.needed", "not_yours"."""
    now = ctx.clock.now()
    row, feed = _seen(session, actor, message_id)
    message, found, reach = None, None, None
    if row.why != cap_taking.UNREAD:
        message = _read(row, feed)
        found = None if message is None else outlook(session, feed, message, now)
    may = feed.area_id in actor.within(Right.ALERT)
    if may and found is not None and (picked or found.found.poles):
        target = picked or Target(clusters=found.found.poles)
        try:
            reach = emergencies.preview(ctx, session, actor, target)
        except Refused:
            reach = None
    over = session.scalars(select(CapMessage).where(CapMessage.by_id == row.id).order_by(CapMessage.number)).all()
    by = session.get(CapMessage, row.by_id) if row.by_id else None
    return Shown(
        Line(row, feed.name, state(row, now)), feed, message, found, reach, over, by, _parts(session, row), may
    )


def _parts(session: Session, row: CapMessage) -> list[Part]:
    named = {
        rule.id: (rule.kind, area)
        for rule, area in session.execute(
            select(CapRule, Area.name)
            .join(Area, CapRule.area_id == Area.id)
            .join(CapMessageAlert, CapMessageAlert.rule_id == CapRule.id)
            .where(CapMessageAlert.message_id == row.id)
        )
    }
    return [Part(each, *named.get(each.rule_id, ("", ""))) for each in cap_sounding.parts(session, row.id)]


def texts(ctx: Context, found: Outlook) -> dict[str, str]:
    """By language, those of the message's texts for which there is a voice; Vietnamese first."""
    able = {language: text for language, text in found.texts.items() if ctx.voices.first(language)}
    return dict(sorted(able.items(), key=lambda told: (told[0] != "vi", told[0])))


@audit.decided("cap.sound")
def sound(ctx: Context, actor: Actor, message_id: str, decision: Decision) -> str:
    """The id of the emergency that sounds for it; what sounded for messages that it takes back ends where it begins.

    Raises Refused: "no_right", "second_factor.needed", "second_factor.again", "not_yours", "cap.over",
    "cap.place_unknown" (no cluster is named, and none was chosen), "choice.unknown" (kind or language), and what
    `emergencies.sound` raises; Conflict("cap.decided") where somebody was faster or the message does not wait."""
    actor, now = actor.need(Right.ALERT), ctx.clock.now()
    with ctx.db.read() as session:
        row, feed = _mine(session, actor, message_id)
        _waits(row, now)
        message = _read(row, feed)
        if message is None:
            raise Conflict("cap.decided")
        found = outlook(session, feed, message, now)
        ends = cap_sounding.replaced(session, row)
    if decision.kind not in {str(each) for each in AlertKind}:
        raise Refused("choice.unknown", name="kind", value=decision.kind[:20])
    said = texts(ctx, found)
    if unknown := [each for each in decision.languages if each not in said]:
        raise Refused("choice.unknown", name="language", value=unknown[0][:20])
    target = _target(decision, found)
    if found.end <= now:
        raise Refused("cap.over")
    actor.freshly(ctx.wall.now(), ctx.people.fresh_code)
    call = Call(
        AlertKind(decision.kind),
        target,
        _content(ctx, actor, message, {each: text for each, text in said.items() if each in decision.languages}),
        reason=cap_sounding.reason(feed, row),
        lasts=min(timedelta(minutes=decision.minutes), found.end - now, MAX_LENGTH),
        confirmed=decision.confirmed,
        ends=ends,
        origin=cap_sounding.NAME,
    )
    _claim(ctx, message_id, actor, now)
    try:
        alert = emergencies.sound(ctx, actor, call)
    except BaseException:
        _give_back(ctx, message_id)
        raise
    with ctx.db.write() as session:
        cap_sounding.add_part(session, message_id, alert=alert, clusters=len(reach_of(session, alert)))
        cap_sounding.decided(session, message_id, "sounded", actor.name, now)
        told = {"alert": alert, "sender": row.sender, "identifier": row.identifier}
        audit.record(session, now, actor.name, "cap.sound", message_id, told, feed.area_id)
    ctx.measures.cap_taken("sounded")
    return alert


@audit.decided("cap.drill")
def drill(ctx: Context, actor: Actor, message_id: str, decision: Decision) -> str:
    """The id of the silent drill that an Exercise is turned into: what every pole holds, and no villager hears it. An
    Exercise is never anything else here.

    Raises as `sound`, and what `drilling.ask` raises."""
    actor, now = actor.need(Right.ALERT), ctx.clock.now()
    with ctx.db.read() as session:
        row, feed = _mine(session, actor, message_id)
        message = _read(row, feed)
        if message is None or state(row, now) != "exercise":
            raise Conflict("cap.decided")
        found = outlook(session, feed, message, now)
    if decision.kind not in {str(each) for each in AlertKind}:
        raise Refused("choice.unknown", name="kind", value=decision.kind[:20])
    target = _target(decision, found)
    lasts = min(timedelta(minutes=decision.minutes), found.end - now, drilling.LONGEST)
    _claim(ctx, message_id, actor, now, "exercise")
    try:
        exercise = Exercise(AlertKind(decision.kind), target, cap_sounding.reason(feed, row), lasts=lasts)
        name = drilling.ask(ctx, actor, exercise)
    except BaseException:
        _give_back(ctx, message_id)
        raise
    with ctx.db.write() as session:
        cap_sounding.add_part(session, message_id, alert=name)
        cap_sounding.decided(session, message_id, "drilled", actor.name, now)
        told = {"drill": name, "sender": row.sender, "identifier": row.identifier}
        audit.record(session, now, actor.name, "cap.drill", message_id, told, feed.area_id)
    ctx.measures.cap_taken("drilled")
    return name


def _content(ctx: Context, actor: Actor, message: Message, said: dict[str, str]) -> Content:
    """Read aloud now, with the hour at which the authority said it (R-061)."""
    if not said:
        return PRELOADED
    made = (alert_speech.speak(ctx, actor, text, message.sent, language=each) for each, text in said.items())
    return Content(tuple((language, asset.sha256) for language, asset in zip(said, made, strict=True)))


def _target(decision: Decision, found: Outlook) -> Target:
    """Raises Refused("cap.place_unknown")."""
    chosen = Target(areas=decision.areas, clusters=decision.clusters)
    target = chosen if decision.areas or decision.clusters else Target(clusters=found.found.poles)
    if not target.areas and not target.clusters:
        raise Refused("cap.place_unknown")
    return target


@audit.decided("cap.reject")
def reject(ctx: Context, actor: Actor, message_id: str, note: str) -> None:
    """It does not sound, and `note` says why. Raises Refused: "no_right", "second_factor.needed", "not_yours",
    "reason.missing"; Conflict("cap.decided")."""
    actor, now = actor.need(Right.ALERT), ctx.clock.now()
    if not note.strip():
        raise Refused("reason.missing")
    with ctx.db.write() as session:
        row, feed = _mine(session, actor, message_id)
        if state(row, now) not in ("waiting", "exercise"):
            raise Conflict("cap.decided")
        said = note.strip()[:LONG_NOTE]
        cap_sounding.decided(session, message_id, "rejected", actor.name, now, said)
        told = {"note": said, "sender": row.sender, "identifier": row.identifier}
        audit.record(session, now, actor.name, "cap.reject", message_id, told, feed.area_id)
    ctx.measures.cap_taken("rejected")


def _seen(session: Session, actor: Actor, message_id: str) -> tuple[CapMessage, CapFeed]:
    actor = actor.need(Right.ALERT, Right.PRELOAD)
    row = session.get(CapMessage, message_id[:40])
    if row is None:
        raise Refused("not_yours")
    feed = session.get_one(CapFeed, row.feed_id)
    near = {each for line in lines(session, {grant.area for grant in actor.grants}).values() for each in line}
    if feed.area_id not in near | actor.areas:
        raise Refused("not_yours")
    return row, feed


def _mine(session: Session, actor: Actor, message_id: str) -> tuple[CapMessage, CapFeed]:
    """`actor` with nothing but the grants that count."""
    row, feed = _seen(session, actor, message_id)
    if feed.area_id not in actor.areas:
        raise Refused("not_yours")
    return row, feed


def _read(row: CapMessage, feed: CapFeed) -> Message | None:
    try:
        return cap_taking.read(row, feed)
    except Refused:
        return None


def _waits(row: CapMessage, now: datetime) -> None:
    found = state(row, now)
    if found == "over":
        raise Refused("cap.over")
    if found != "waiting":
        raise Conflict("cap.decided")


def _claim(ctx: Context, message_id: str, actor: Actor, now: datetime, wanted: str = "waiting") -> None:
    """Of two who press at once one sounds. Raises Conflict("cap.decided")."""
    with ctx.db.write() as session:
        row = session.get_one(CapMessage, message_id)
        if state(row, now) != wanted:
            raise Conflict("cap.decided")
        cap_sounding.decided(session, message_id, cap_sounding.PRESSED, actor.name, now)
        row.tried_at, row.held = now, ""
        for part in cap_sounding.parts(session, message_id):  # rules that did not sound: a person decides instead
            session.delete(part)


def _give_back(ctx: Context, message_id: str) -> None:
    with ctx.db.write() as session:
        row = session.get_one(CapMessage, message_id)
        row.decision, row.decided_at, row.decided_by = "", None, ""
