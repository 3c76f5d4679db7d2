"""The audit log for auditors."""

from __future__ import annotations

from urllib.parse import urlencode

from fastapi import APIRouter
from fastapi.responses import Response

from controller.services.audit import last_checkpoint
from controller.services.rights import Right
from controller.services.views.audit import Wanted, read
from controller.services.views.places import areas_by_name
from controller.web.days import begin_of, end_of
from controller.web.desk import PersonDesk

router = APIRouter()
_WORDS = ("actor", "act", "about", "area")


@router.get("/audit")
def log(desk: PersonDesk) -> Response:
    """`actor`, `act`, `about`, `area`, `since`, `until` (days of Viet Nam, both included), `before` (an id)."""
    asked = desk.request.query_params
    told = {name: asked.get(name, "").strip()[:80].replace("\x00", "") for name in (*_WORDS, "since", "until")}
    wanted = Wanted(
        **{name: told[name] for name in _WORDS},
        since=begin_of(told["since"], "since"),
        until=end_of(told["until"], "until"),
        before=_number(asked.get("before", "")),
    )
    actor = desk.actor.need(Right.AUDIT)
    with desk.office.ctx.db.read() as session:
        found = read(session, actor, wanted)
        areas = areas_by_name(session, actor, desk.today)
        archived = last_checkpoint(session)
    more = ""
    if found.more is not None:
        more = "/audit?" + urlencode({name: value for name, value in told.items() if value} | {"before": found.more})
    return desk.page("audit.html", found=found, told=told, areas=areas, more=more, archived=archived)


def _number(told: str) -> int | None:
    return int(told) if told.isascii() and told.isdecimal() and len(told) < 18 else None
