"""A broadcast: what it is, who decided, what became of it at each cluster; and the list of all."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response

from broadcasts.clock import VIETNAM
from broadcasts.domain.recurrence import starts
from broadcasts.domain.schedule_check import FAR
from broadcasts.errors import Refused
from controller.db.tables import Broadcast, Revision
from controller.services import feedback
from controller.services.approving import withdraw
from controller.services.rescheduling import is_series
from controller.services.rights import Right
from controller.services.schedules import schedule_of
from controller.services.views.broadcast import proof, whole
from controller.services.views.holders import holders
from controller.services.views.occurrences import Occurrence
from controller.services.views.today import slips
from controller.web import live
from controller.web.desk import Desk, PersonDesk, PersonForm
from controller.web.pages.home import done_of
from controller.web.part_sounds import sounds_of
from controller.web.schedule_words import told as told_schedule

router = APIRouter()
STATUSES = ("submitted", "approved", "rejected", "withdrawn")


@router.get("/broadcasts")
def every(desk: PersonDesk, status: str = "submitted") -> Response:
    desk.actor.need(Right.LOOK)
    if status not in STATUSES:
        raise Refused("choice.unknown", name="status", value=status[:20])
    with desk.office.ctx.db.read() as session:
        found = slips(session, desk.actor, *STATUSES)
    by_status = {name: [slip for slip in found if slip.status == name] for name in STATUSES}
    return desk.page("broadcasts.html", slips=by_status, shown=STATUSES, chosen=status)


@router.get("/broadcasts/{broadcast_id}")
def one(desk: PersonDesk, broadcast_id: str) -> Response:
    desk.actor.need(Right.LOOK)
    with desk.office.ctx.db.read() as session:
        it = whole(session, desk.actor, broadcast_id)
        answers = feedback.answered_by(session, desk.actor, broadcast_id)
    told = _proof(desk, broadcast_id)
    broadcast = it.broadcast
    return desk.page(
        "broadcast.html",
        it=it,
        answers=answers,
        **sounds_of(desk, it.parts),
        all=told["all"],
        chosen=told["chosen"],
        live=live.inside(desk, "_rows.html", f"/broadcasts/{broadcast_id}", _query(desk), **told),
        repeat_words=told_schedule(desk.words, schedule_of(broadcast)),
        then=_as_it_was(desk, broadcast, told["chosen"]),
        next=_next_of_series(desk, broadcast, told["chosen"]),
        done=done_of(desk),
        error=None,
    )


def _as_it_was(desk: Desk, broadcast: Broadcast, chosen: Occurrence | None) -> Revision | None:
    """The revision that the occurrence looked at comes of, where the broadcast was edited since."""
    if chosen is None or chosen.revision == broadcast.revision:
        return None
    with desk.office.ctx.db.read() as session:
        return session.get(Revision, (broadcast.id, chosen.revision))


def _next_of_series(desk: Desk, broadcast: Broadcast, chosen: Occurrence | None) -> datetime | None:
    """The start that an edit of a series is about: the one looked at when it lies ahead, else the next."""
    if not is_series(broadcast):
        return None
    now = desk.office.ctx.clock.now()
    since = chosen.start if chosen is not None and chosen.start > now else now + timedelta(seconds=1)
    return next(starts(schedule_of(broadcast), since, now + FAR, VIETNAM), None)


@router.get("/broadcasts/{broadcast_id}/rows")
def one_rows(desk: PersonDesk, broadcast_id: str) -> Response:
    told = _proof(desk, broadcast_id)
    return live.rows(desk, "_rows.html", f"/broadcasts/{broadcast_id}", _query(desk), **told)


@router.get("/broadcasts/{broadcast_id}/live")
def one_live(desk: PersonDesk, broadcast_id: str) -> Response:
    _proof(desk, broadcast_id)
    return live.stream(desk, lambda: desk.text("_rows.html", **_proof(desk, broadcast_id)))


@router.post("/broadcasts/{broadcast_id}/withdraw")
def take_off(desk: PersonForm, broadcast_id: str) -> Response:
    withdraw(desk.office.ctx, desk.actor, broadcast_id)
    return desk.go(f"/broadcasts/{broadcast_id}?done=withdrawn")


def _query(desk: Desk) -> dict[str, str]:
    told = desk.request.query_params.get("start")
    return {"start": told} if told else {}


def _proof(desk: Desk, broadcast_id: str) -> dict[str, Any]:
    """Raises Refused("no_right", "not_yours", "choice.unknown" for a start that is no instant)."""
    desk.actor.need(Right.LOOK)
    with desk.office.ctx.db.read() as session:
        whole(session, desk.actor, broadcast_id)
        found = proof(session, desk.actor, broadcast_id, _start(desk), desk.office.ctx.clock.now())
        held = holders(session, desk.actor, broadcast_id, desk.office.ctx.clock.now())
    return vars(found) | {"holders": held}


def _start(desk: Desk) -> datetime | None:
    told = desk.request.query_params.get("start")
    if not told:
        return None
    try:
        found = datetime.fromisoformat(told)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise Refused("choice.unknown", name="start", value=told[:40])
    return found
