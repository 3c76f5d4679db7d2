"""What waits, and the decision: the approver hears and sees exactly what was handed in."""

from __future__ import annotations

from datetime import timedelta

from fastapi import APIRouter
from fastapi.responses import Response

from broadcasts.errors import LoaError, Refused
from controller.services import relaying, speaking
from controller.services.approving import approve, draft_of, look_at, reject
from controller.services.delegating import borrowed
from controller.services.four_eyes import by_right
from controller.services.precedence import priority_clashes
from controller.services.rights import Right
from controller.services.valid_approvals import proposed_end
from controller.services.views.broadcast import whole
from controller.services.views.today import slips
from controller.web.days import end_of, last_day_of
from controller.web.desk import Desk, PersonDesk, PersonForm
from controller.web.pages.compose import what_comes
from controller.web.pages.home import done_of
from controller.web.relay_form import megahertz

router = APIRouter()


@router.get("/approvals")
def queue(desk: PersonDesk) -> Response:
    actor = desk.actor.need(Right.APPROVE)
    with desk.office.ctx.db.read() as session:
        waiting = slips(session, actor, "submitted")
        lent = borrowed(session, actor)
    undecided = sum(each.decided is None for each in priority_clashes(desk.office.ctx, actor))
    return desk.page("approvals.html", slips=waiting, clashes=undecided, lent=lent, done=done_of(desk))


@router.get("/approvals/{broadcast_id}")
def look(desk: PersonDesk, broadcast_id: str) -> Response:
    return _page(desk, broadcast_id)


@router.post("/approvals/{broadcast_id}")
def decide(desk: PersonForm, broadcast_id: str) -> Response:
    ctx, seen, reason = desk.office.ctx, desk.posted.get("seen"), desk.posted.get("reason")[:500]
    until = desk.posted.get("until")[:20]
    desk.actor.need(Right.APPROVE)
    try:
        match desk.posted.get("decision"):
            case "approve":
                approve(ctx, desk.actor, broadcast_id, seen, desk.posted.get("unusual"), end_of(until, "until"))
                return desk.go(f"/broadcasts/{broadcast_id}?done=approved")
            case "reject":
                reject(ctx, desk.actor, broadcast_id, seen, reason)
                return desk.go("/approvals?done=rejected")
            case other:
                raise Refused("choice.unknown", name="decision", value=other[:20])
    except LoaError as error:
        if error.key == "not_yours":
            raise
        return _page(desk, broadcast_id, error, reason, until)


def _page(
    desk: Desk, broadcast_id: str, error: LoaError | None = None, reason: str = "", until: str | None = None
) -> Response:
    """`until`: the last day that was chosen; none: nothing was handed in, so the page proposes one where it should."""
    actor = desk.actor.need(Right.APPROVE)
    broadcast, seen, digest = look_at(desk.office.ctx, actor, broadcast_id)
    ctx, now = desk.office.ctx, desk.office.ctx.clock.now()
    with ctx.db.read() as session:
        it = whole(session, actor, broadcast_id)
        draft = draft_of(session, broadcast)
        told = relaying.facts(session, broadcast) or {}
        title = by_right(session, actor, broadcast, ctx.wall.now())
        texts = [(it.asset.sha256, it.rendition.text), *((one.sha256, each.text) for each, one in it.others)]
        texts += [(part.asset, "") for part in draft.parts if part.asset != it.asset.sha256]
        read_as = speaking.all_of(session, texts)
    end = proposed_end(broadcast, now, ctx.standing_approval)
    latest = last_day_of(now + ctx.standing_approval - timedelta(days=1))
    return desk.page(
        "approval.html",
        desk.status(error) if error else 200,
        it=it,
        hash=digest,
        may_approve=not seen.problems and title.against is None,
        title=title,
        read_as=read_as,
        end=end,
        until=until if until is not None else last_day_of(end.at).isoformat() if end else "",
        days=(desk.words.local(now).isoformat(), latest.isoformat()),
        error=error,
        reason=reason,
        received=told.get("url") or desk.words.t("relays.mhz", mhz=megahertz(told.get("frequency_khz"))),
        **what_comes(desk, draft, seen),
    )
