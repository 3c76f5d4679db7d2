"""Where warnings come from, and which of them sound without asking."""

from __future__ import annotations

from datetime import timedelta

from fastapi import APIRouter
from fastapi.responses import Response

from broadcasts.domain.cap import Certainty, Severity, Urgency
from broadcasts.errors import LoaError, Refused
from controller.services import cap_feeds, cap_standing
from controller.services.rights import Right
from controller.web.cap_form import FeedForm, RuleForm, feed_form, feed_typed, rule_form, whole
from controller.web.desk import Desk, PersonDesk, PersonForm
from controller.web.pages.home import done_of

router = APIRouter()
THRESHOLDS = {
    "severity": [each for each in Severity if each is not Severity.UNKNOWN],
    "urgency": [Urgency.IMMEDIATE, Urgency.EXPECTED, Urgency.FUTURE],
    "certainty": [each for each in Certainty if each is not Certainty.UNKNOWN],
}


@router.get("/cap-feeds")
def show(desk: PersonDesk) -> Response:
    return _page(desk)


@router.post("/cap-feeds")
def add(desk: PersonForm) -> Response:
    desk.actor.need(Right.PRELOAD)
    form = feed_form(desk.posted)
    try:
        cap_feeds.add(desk.office.ctx, desk.actor, form.told())
    except LoaError as error:
        return _page(desk, form, error)
    return desk.go("/cap-feeds?done=cap_feed_added")


@router.post("/cap-feeds/{feed_id}")
def edit(desk: PersonForm, feed_id: str) -> Response:
    """`act`: save, retire, token (it is said on the page that answers, and never again), or rule."""
    desk.actor.need(Right.PRELOAD)
    ctx, posted, form = desk.office.ctx, desk.posted, feed_form(desk.posted)
    with ctx.db.read() as session:
        cap_feeds.mine(session, desk.actor, feed_id)
    act = posted.get("act")
    try:
        match act:
            case "save":
                cap_feeds.change(ctx, desk.actor, feed_id, form.told(), whole(posted.get("revision")))
            case "retire":
                cap_feeds.retire(ctx, desk.actor, feed_id)
            case "token":
                return _page(desk, about=feed_id, token=cap_feeds.new_token(ctx, desk.actor, feed_id))
            case "rule":
                cap_standing.propose(ctx, desk.actor, rule_form(posted).wish(feed_id))
            case other:
                raise Refused("choice.unknown", name="act", value=other[:20])
    except LoaError as error:
        if act == "rule":
            return _page(desk, error=error, about=feed_id, rule=rule_form(posted))
        return _page(desk, form, error, feed_id)
    done = {"save": "cap_feed_changed", "retire": "cap_feed_retired", "rule": "cap_rule_proposed"}[act]
    return desk.go(f"/cap-feeds?done={done}")


@router.post("/cap-rules/{rule_id}")
def decide(desk: PersonForm, rule_id: str) -> Response:
    """`act`: approve, or end."""
    actor, ctx = desk.actor.need(Right.ALERT, Right.PRELOAD), desk.office.ctx
    with ctx.db.read() as session:
        cap_standing.decidable(session, actor, rule_id)
    try:
        match desk.posted.get("act"):
            case "approve":
                cap_standing.approve(ctx, desk.actor, rule_id)
                return desk.go("/cap-feeds?done=cap_rule_approved")
            case "end":
                cap_standing.end(ctx, desk.actor, rule_id)
                return desk.go("/cap-feeds?done=cap_rule_ended")
            case other:
                raise Refused("choice.unknown", name="act", value=other[:20])
    except LoaError as error:
        if error.key in ("no_right", "not_yours", "second_factor.needed"):
            raise
        return _page(desk, error=error)


def _page(
    desk: Desk,
    form: FeedForm | None = None,
    error: LoaError | None = None,
    about: str = "",
    *,
    rule: RuleForm | None = None,
    token: str = "",
) -> Response:
    """`about`: the feed that `form`, `rule` or `token` is of; none for a new one."""
    ctx, now = desk.office.ctx, desk.office.ctx.clock.now()
    may_add = desk.actor.may(Right.PRELOAD)
    with ctx.db.read() as session:
        found = cap_feeds.entries(session, desk.actor, now)
        places = cap_feeds.places(session, desk.actor) if may_add else []
        rules = {one.feed.id: cap_standing.lines(session, desk.actor, one.feed.id, now) for one in found}
    return desk.page(
        "cap_feeds.html",
        desk.status(error) if error else 200,
        entries=found,
        rules=rules,
        places=places,
        may_add=may_add,
        may_approve=desk.actor.may(Right.ALERT),
        kinds=list(cap_standing.KINDS),
        thresholds=THRESHOLDS,
        form=form,
        rule=rule,
        none_typed=FeedForm(),
        no_rule=RuleForm(until=(desk.today + timedelta(days=180)).isoformat()),
        typed_of=feed_typed,
        about=about,
        token=token,
        error=error,
        done=done_of(desk),
    )
