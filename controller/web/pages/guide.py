"""The printed procedure: what to do when an emergency has to be sounded, also when this page does not open any more."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from controller.services.rights import Right
from controller.services.views.places import places
from controller.web.desk import Desk, PersonDesk

router = APIRouter()


@router.get("/guide/emergency")
def emergency(desk: PersonDesk) -> Response:
    actor = desk.actor.need(Right.LOOK)
    with desk.office.ctx.db.read() as session:
        mine = places(session, actor, desk.today)[:3]
    area = mine[0].area if mine else "c-00000"
    return desk.page("guide_emergency.html", commands=commands(desk, area), mine=mine)


def commands(desk: Desk, area: str) -> list[str]:
    """What is typed at the server, with this reader's own account and area."""
    who = f"--as {desk.actor.name}"
    reason = desk.words.t("guide.example_reason")
    return [
        f'loa alert sound {who} --kind storm --area {area} --minutes 60 --reason "{reason}"',
        "loa alert status",
        f"loa alert silence {who} --all",
        f"loa alert text {who} {desk.words.t('guide.example_id')}",
        f'loa alert drill {who} --kind storm --area {area} --reason "{reason}"',
    ]
