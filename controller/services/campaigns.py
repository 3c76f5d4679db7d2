"""Series of the law: from a template and a form to broadcasts that need approval as all do; and their end.

A warning goes on until somebody ends it (R-064). Its end takes every broadcast of it off the air in one act; and
because a unit that is cut off goes on by the plan it has, no plan names more of a warning than the next few hours
(`held_ahead`): where the cancellation did not arrive, the old warning ends by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.clock import VIETNAM
from broadcasts.domain.model import PLAIN, OnPreempt, Priority
from broadcasts.domain.programme import Part, PartKind
from broadcasts.domain.series import Series, Wish, days_of, make, rhythm
from broadcasts.domain.statutes import TEMPLATES, Kind, Template
from broadcasts.errors import Conflict, LoaError, Refused
from controller.db.tables import Broadcast, Campaign, Cluster, Station
from controller.services import audit, issue_time
from controller.services.composing import Draft, Preview, editable, hand_in, look_ahead
from controller.services.context import Context
from controller.services.deliveries import withdraw_open
from controller.services.rights import Actor, Right, all_mine
from controller.services.stations import regulation

LEAST_AHEAD = timedelta(hours=1)
"""A unit that is cut off goes on warning for so long after the last repeat that it knew of was due. Our choice: long
enough for a broken link in a storm, short enough for a cancellation that did not arrive."""
LONGEST_NOTE = 2000
ENDS = ("cancel", "final")


@dataclass(frozen=True)
class Proposal:
    """What the form says: which template, how (`wish`), and what and where (`draft`, whose schedule is not asked)."""

    template: str
    draft: Draft
    wish: Wish
    spoken: bool = False
    """The recording says when the bulletin was issued (R-061)."""
    announced: str = ""
    """A recording that says so before it (`issue_time.spoken`)."""
    other_forms: str = ""


@dataclass(frozen=True)
class Ahead:
    """What it makes, before it is saved."""

    template: Template
    series: Series
    draft: Draft
    preview: Preview
    problems: Sequence[LoaError] = field(default=())

    @property
    def notes(self) -> Sequence[Refused]:
        return self.series.notes


def template_of(name: str) -> Template:
    """Raises Refused("campaign.template")."""
    if name not in TEMPLATES:
        raise Refused("campaign.template", name=name[:40])
    return TEMPLATES[name]


def preview_series(ctx: Context, actor: Actor, proposal: Proposal) -> Ahead:
    """Raises Refused: "no_right", "campaign.template"; all else is in `problems`."""
    actor = actor.need(Right.COMPOSE)
    with ctx.db.read() as session:
        return _look(session, actor, proposal, ctx.clock.now())


@audit.decided("campaign.create")
def create(ctx: Context, actor: Actor, proposal: Proposal) -> str:
    """Hand the series in for approval, by the door that every broadcast goes through; the campaign's id.

    Raises Refused: "no_right", "campaign.template", or the first problem of `preview_series`."""
    actor = actor.need(Right.COMPOSE)
    now = ctx.clock.now()
    with ctx.db.write() as session:
        ahead = _look(session, actor, proposal, now)
        if ahead.problems:
            raise ahead.problems[0]
        held = held_ahead(ahead.template, proposal.wish) if ahead.template.is_warning else None
        minutes = None if held is None else round(held / timedelta(minutes=1))
        name = hand_in(ctx, session, actor, ahead.draft, now, ahead_minutes=minutes)
        session.flush()
        broadcast = session.get_one(Broadcast, name)
        campaign = _campaign(ctx, actor, proposal, ahead, broadcast, now)
        session.add(campaign)
        session.flush()
        broadcast.campaign_id = campaign.id
        told = {"template": campaign.template, "broadcast": name, "starts": len(ahead.series.starts)}
        audit.record(session, now, actor.name, "campaign.create", campaign.id, told, area=_area(session, campaign))
    ctx.wake()
    return campaign.id


@audit.decided("campaign.end")
def end(ctx: Context, actor: Actor, campaign_id: str, how: str, why: str) -> int:
    """Take all of it off the air, everywhere and for good; how many deliveries that stopped.

    Author's side or approver's, as for a withdrawal. Raises Refused: "no_right", "not_yours", "choice.unknown",
    "reason.missing"; Conflict("campaign.ended")."""
    actor = actor.need(Right.APPROVE, Right.COMPOSE)
    now = ctx.clock.now()
    with ctx.db.write() as session:
        campaign = mine(session, actor, campaign_id)
        if how not in ENDS:
            raise Refused("choice.unknown", name="how", value=how[:20])
        if campaign.ended_at is not None:
            raise Conflict("campaign.ended", at=campaign.ended_at)
        if not why.strip():
            raise Refused("reason.missing")
        if not all_mine(session, actor, campaign.clusters):
            raise Refused("not_yours")
        stopped = sum(_withdraw(session, actor, each, now) for each in broadcasts_of(session, campaign.id))
        campaign.ended_at, campaign.ended_how, campaign.ended_why = now, how, why.strip()[:LONGEST_NOTE]
        told = {"how": how, "why": why.strip()[:200], "stopped": stopped}
        audit.record(session, now, actor.name, "campaign.end", campaign.id, told, area=_area(session, campaign))
    ctx.wake()
    return stopped


def note_forms(ctx: Context, actor: Actor, campaign_id: str, other_forms: str) -> None:
    """How else it was made public, for the quarterly list (R-039). Raises Refused: "no_right", "not_yours",
    "text.long"."""
    actor = actor.need(Right.APPROVE, Right.COMPOSE)
    _check_note(other_forms)
    with ctx.db.write() as session:
        campaign = mine(session, actor, campaign_id)
        campaign.other_forms = other_forms.strip()
        area = _area(session, campaign)
        audit.record(session, ctx.clock.now(), actor.name, "campaign.forms", campaign.id, area=area)


def _area(session: Session, campaign: Campaign) -> str:
    return session.get_one(Station, campaign.station_id).area_id


def mine(session: Session, actor: Actor, campaign_id: str) -> Campaign:
    """Raises Refused("not_yours"): elsewhere, or not there at all."""
    campaign = session.get(Campaign, campaign_id)
    if campaign is None or _area(session, campaign) not in actor.areas:
        raise Refused("not_yours")
    return campaign


def broadcasts_of(session: Session, campaign_id: str) -> list[Broadcast]:
    """Those that were made for it, and all edits and copies of them."""
    rows = select(Broadcast).where(Broadcast.campaign_id == campaign_id).order_by(Broadcast.created_at, Broadcast.id)
    return list(session.scalars(rows))


def held_ahead(template: Template, wish: Wish) -> timedelta:
    """How far ahead a unit's plan names a warning: always the next repeat, and a little more."""
    return timedelta(minutes=rhythm(template, wish) or 0) + LEAST_AHEAD


def _withdraw(session: Session, actor: Actor, broadcast: Broadcast, now: datetime) -> int:
    if broadcast.status == "withdrawn":
        return 0
    broadcast = editable(session, actor, broadcast.id, None)
    broadcast.status, broadcast.changed_at = "withdrawn", now
    stopped = withdraw_open(session, broadcast.id, now, "withdrawn")
    audit.record(session, now, actor.name, "broadcast.withdraw", broadcast.id, {"stopped": stopped})
    return stopped


def _look(session: Session, actor: Actor, proposal: Proposal, now: datetime) -> Ahead:
    template = template_of(proposal.template)
    local = proposal.wish.first.astimezone(VIETNAM)
    base = replace(
        proposal.draft, repeat="once", first_day=local.date(), at=local.time(), until_day=None, pattern=PLAIN
    )
    if (issued := proposal.wish.issued_at) is not None:
        base = replace(base, issued_at=issued, parts=_announced(proposal, issued) or base.parts)
    if template.is_warning:
        # Whoever hears half of an old one is helped by the next whole one, not by the rest of this.
        base = replace(base, on_preempt=OnPreempt.DROP, late="drop", push_now=True)
    else:
        base = replace(base, on_preempt=OnPreempt.RESTART, late="shift")  # only a whole playing counts
    there = look_ahead(session, actor, base, now)
    ids = {cluster.station_id for cluster in there.clusters}
    rules = [regulation(each) for each in session.scalars(select(Station).where(Station.id.in_(ids)))]
    known = base.priority in set(Priority)
    priority = Priority(base.priority) if known else Priority.ORDINARY
    own = _own(session, actor, template, proposal)
    series = make(template, proposal.wish, there.duration, rules, priority, VIETNAM)
    if series.schedule is None:
        return Ahead(template, series, base, there, [*series.problems, *own, *there.problems])
    schedule = series.schedule
    draft = replace(
        base,
        repeat=schedule.repeat,
        first_day=schedule.first,
        at=schedule.at,
        until_day=schedule.until,
        pattern=schedule.pattern,
    )
    seen = look_ahead(session, actor, draft, now)
    said = {each.key for each in series.problems}
    others = [each for each in seen.problems if not (each.key == "time.quiet" and "campaign.quiet" in said)]
    return Ahead(template, series, draft, seen, [*series.problems, *own, *others])


def _announced(proposal: Proposal, issued: datetime) -> tuple[Part, ...]:
    """The chime, where one was chosen, the issue time, then the bulletin; each repeat is all of them."""
    if not proposal.announced or not proposal.draft.asset:
        return ()
    when = f"{issued.astimezone(VIETNAM):%H:%M %d/%m/%Y}"
    chime = tuple(part for part in proposal.draft.parts if part.kind is PartKind.CHIME)
    return (
        *chime,
        Part(PartKind.INTRO, when, proposal.announced),
        Part(PartKind.BULLETIN, "", proposal.draft.asset),
    )


def _own(session: Session, actor: Actor, template: Template, proposal: Proposal) -> list[LoaError]:
    wrong: list[LoaError] = []
    issued, said = proposal.wish.issued_at, proposal.announced
    machine = said != "" and issued is not None and issue_time.of(session, actor, issued) == said
    if (said and not machine) or (template.is_warning and not proposal.spoken and not machine):
        wrong.append(Refused("campaign.unspoken"))
    try:
        _check_note(proposal.other_forms)
    except Refused as long:
        wrong.append(long)
    return wrong


def _check_note(text: str) -> None:
    if len(text) > LONGEST_NOTE or "\x00" in text:
        raise Refused("text.long", most=LONGEST_NOTE, length=len(text))


def _campaign(
    ctx: Context, actor: Actor, proposal: Proposal, ahead: Ahead, broadcast: Broadcast, now: datetime
) -> Campaign:
    return Campaign(
        id=ctx.ids.new("cp"),
        template=proposal.template,
        station_id=broadcast.station_id,
        author_id=actor.id,
        title=ahead.draft.title.strip(),
        clusters=[cluster.id for cluster in ahead.preview.clusters],
        numbers=_numbers(ahead.template, proposal, ahead.preview.clusters),
        issued_at=proposal.wish.issued_at,
        event_on=proposal.wish.event_on,
        other_forms=proposal.other_forms.strip(),
        created_at=now,
    )


def _numbers(template: Template, proposal: Proposal, clusters: Sequence[Cluster]) -> dict[str, Any]:
    wish = proposal.wish
    told: dict[str, Any] = {"days": days_of(template, wish), "first": _said(wish.first)}
    told["hamlets"] = {cluster.id: cluster.hamlet for cluster in clusters}
    if template.is_warning:
        assert wish.ends_at is not None
        told |= {
            "every_minutes": rhythm(template, wish),
            "ends_at": _said(wish.ends_at),
            "spoken": proposal.spoken or bool(proposal.announced),
        }
    return told


def _said(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat()


def default_times(template: Template) -> tuple[time, ...]:
    """Offered in the form: spread over the day inside the usual hours. Our choice."""
    return (time(6), time(11, 30), time(17)) if template.kind is Kind.CONSECUTIVE and template.times > 1 else ()


def last_day_for(template: Template, event_on: date) -> date:
    return event_on - timedelta(days=template.notice_days)
