"""Administrative units, of today and of before, and communes that become one."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter
from fastapi.responses import Response

from broadcasts.errors import LoaError, Refused
from controller.services.areas import communes, history
from controller.services.merging import Outlook, Wish, merge_as, outlook
from controller.services.rights import Right
from controller.web.desk import Desk, PersonDesk, PersonForm
from controller.web.draft_form import day_of
from controller.web.pages.home import done_of

router = APIRouter()


@dataclass(frozen=True)
class MergeForm:
    """As typed."""

    old: tuple[str, ...] = ()
    name: str = ""
    code: str = ""
    day: str = ""
    decision: str = ""

    def wish(self) -> Wish:
        """Raises Refused("merge.day")."""
        day = day_of(self.day)
        if day is None:
            raise Refused("merge.day")
        return Wish(self.old, self.name, self.code.strip(), day, self.decision)


@router.get("/areas")
def every(desk: PersonDesk, find: str = "", on: str = "") -> Response:
    """`find`: by a name or code of any time; `on`: as they stand on that day."""
    actor, day = desk.actor.need(Right.LOOK), day_of(on) or desk.today
    with desk.office.ctx.db.read() as session:
        lines = history(session, actor.areas, find[:120], day)
    return desk.page("areas.html", lines=lines, find=find[:120], day=day, done=done_of(desk))


@router.get("/areas/merge")
def wanted(desk: PersonDesk) -> Response:
    return _page(desk, MergeForm())


@router.post("/areas/merge")
def merge(desk: PersonForm) -> Response:
    """`act`: preview says what would change, save does it."""
    desk.actor.need(Right.AREAS)
    told = desk.posted
    form = MergeForm(tuple(told.all("old")), *(told.get(name) for name in ("name", "code", "day", "decision")))
    try:
        wish = form.wish()
        if told.get("act") != "save":
            return _page(desk, form, seen=outlook(desk.office.ctx, desk.actor, wish))
        merge_as(desk.office.ctx, desk.actor, wish)
    except LoaError as error:
        if error.key == "not_yours":
            raise
        return _page(desk, form, error=error)
    return desk.go("/areas?done=merged")


def _page(desk: Desk, form: MergeForm, *, seen: Outlook | None = None, error: LoaError | None = None) -> Response:
    actor = desk.actor.need(Right.AREAS)
    with desk.office.ctx.db.read() as session:
        offered = [area for area in communes(session, actor, desk.today) if area.successor_id is None]
    return desk.page(
        "merge.html", desk.status(error) if error else 200, form=form, offered=offered, seen=seen, error=error
    )
