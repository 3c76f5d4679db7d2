"""The right to approve, lent while one is away: to whom, from when until when, why; and taking it back."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from broadcasts.clock import VIETNAM
from broadcasts.errors import LoaError, Refused
from controller.services import delegating
from controller.services.rights import Right
from controller.web.days import begin_of, end_of
from controller.web.desk import Desk, PersonDesk, PersonForm
from controller.web.pages.home import done_of

router = APIRouter()
_FIELDS = ("to", "area", "since", "until", "reason")


@router.get("/delegations")
def every(desk: PersonDesk) -> Response:
    return _page(desk)


@router.post("/delegations")
def lend(desk: PersonForm) -> Response:
    """`since`, `until`: days, both included; without `since` from now on."""
    desk.actor.need(Right.APPROVE)
    told = {name: desk.posted.get(name).strip()[:500] for name in _FIELDS}
    try:
        since, until = begin_of(told["since"], "since"), end_of(told["until"], "until")
        if until is None:
            raise Refused("delegation.time", days=delegating.LONGEST.days)
        delegating.lend(desk.office.ctx, desk.actor, told["to"], told["area"], since, until, told["reason"])
    except LoaError as error:
        return _page(desk, told, error)
    return desk.go("/delegations?done=lent")


@router.post("/delegations/{delegation_id}/end")
def take_back(desk: PersonForm, delegation_id: str) -> Response:
    actor = desk.actor.need(Right.APPROVE, Right.PEOPLE)
    try:
        delegating.take_back(desk.office.ctx, actor, delegation_id)
    except LoaError as error:
        if error.key == "not_yours":
            raise
        return _page(desk, error=error)
    return desk.go("/delegations?done=lent_back")


def _page(desk: Desk, told: dict[str, str] | None = None, error: LoaError | None = None) -> Response:
    ctx = desk.office.ctx
    with ctx.db.read() as session:
        lines = delegating.every(ctx, session, desk.actor)
        lends = desk.actor.may(Right.APPROVE) and bool(delegating.own_areas(desk.actor))
        candidates = delegating.candidates(ctx, session, desk.actor) if lends else []
        areas = delegating.where(session, desk.actor) if lends else []
    today = ctx.wall.now().astimezone(VIETNAM).date()
    return desk.page(
        "delegations.html",
        desk.status(error) if error else 200,
        lines=lines,
        lends=lends,
        candidates=candidates,
        areas=areas,
        told=told or dict.fromkeys(_FIELDS, ""),
        today=today.isoformat(),
        latest=(today + delegating.LONGEST).isoformat(),
        error=error,
        done=done_of(desk),
    )
