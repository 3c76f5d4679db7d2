"""What waits, and the decision: the approver hears and sees exactly what was handed in."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from broadcasts.errors import LoaError, Refused
from controller.services.approving import approve, draft_of, look_at, reject
from controller.services.precedence import priority_clashes
from controller.services.rights import Right
from controller.services.views.broadcast import whole
from controller.services.views.today import slips
from controller.web.desk import Desk, PersonDesk, PersonForm
from controller.web.pages.compose import what_comes
from controller.web.pages.home import done_of

router = APIRouter()


@router.get("/approvals")
def queue(desk: PersonDesk) -> Response:
    actor = desk.actor.need(Right.APPROVE)
    with desk.office.ctx.db.read() as session:
        waiting = slips(session, actor, "submitted")
    undecided = sum(each.decided is None for each in priority_clashes(desk.office.ctx, actor))
    return desk.page("approvals.html", slips=waiting, clashes=undecided, done=done_of(desk))


@router.get("/approvals/{broadcast_id}")
def look(desk: PersonDesk, broadcast_id: str) -> Response:
    return _page(desk, broadcast_id)


@router.post("/approvals/{broadcast_id}")
def decide(desk: PersonForm, broadcast_id: str) -> Response:
    ctx, seen, reason = desk.office.ctx, desk.posted.get("seen"), desk.posted.get("reason")[:500]
    desk.actor.need(Right.APPROVE)
    try:
        match desk.posted.get("decision"):
            case "approve":
                approve(ctx, desk.actor, broadcast_id, seen, desk.posted.get("unusual"))
                return desk.go(f"/broadcasts/{broadcast_id}?done=approved")
            case "reject":
                reject(ctx, desk.actor, broadcast_id, seen, reason)
                return desk.go("/approvals?done=rejected")
            case other:
                raise Refused("choice.unknown", name="decision", value=other[:20])
    except LoaError as error:
        if error.key == "not_yours":
            raise
        return _page(desk, broadcast_id, error, reason)


def _page(desk: Desk, broadcast_id: str, error: LoaError | None = None, reason: str = "") -> Response:
    actor = desk.actor.need(Right.APPROVE)
    broadcast, seen, digest = look_at(desk.office.ctx, actor, broadcast_id)
    with desk.office.ctx.db.read() as session:
        it = whole(session, actor, broadcast_id)
        draft = draft_of(session, broadcast)
    return desk.page(
        "approval.html",
        desk.status(error) if error else 200,
        it=it,
        hash=digest,
        may_approve=not seen.problems,
        error=error,
        reason=reason,
        **what_comes(desk, draft, seen),
    )
