"""Administrative units, of today and of before, communes that become one, mergers that are undone, and the end of the
district level."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter
from fastapi.responses import Response

from broadcasts.errors import LoaError, Refused
from controller.services import ending_districts, unmerging
from controller.services.areas import communes, history
from controller.services.ending_districts import DISTRICT
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
    districts = any(line.stands and line.area.kind == DISTRICT for line in lines)
    return desk.page("areas.html", lines=lines, districts=districts, find=find[:120], day=day, done=done_of(desk))


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


@router.get("/areas/districts")
def no_districts(desk: PersonDesk) -> Response:
    return _districts_page(desk)


@router.post("/areas/districts")
def end_districts(desk: PersonForm) -> Response:
    """`act`: preview says what would change, save does it."""
    desk.actor.need(Right.AREAS)
    ctx, told = desk.office.ctx, desk.posted
    try:
        day = day_of(told.get("day"))
        if day is None:
            raise Refused("districts.day")
        wish = ending_districts.Wish(day, told.get("decision"))
        if told.get("act") != "save":
            return _districts_page(desk, seen=ending_districts.outlook(ctx, desk.actor, wish))
        ending_districts.end_as(ctx, desk.actor, wish)
    except LoaError as error:
        if error.key == "not_yours":
            raise
        return _districts_page(desk, error=error)
    return desk.go("/areas?done=districts")


@router.get("/areas/{area_id}/undo")
def look_back(desk: PersonDesk, area_id: str) -> Response:
    """What undoing the merger that this unit came of would change."""
    seen = unmerging.outlook(desk.office.ctx, desk.actor, area_id)
    return desk.page("unmerge.html", seen=seen, decision="", error=None)


@router.post("/areas/{area_id}/undo")
def undo(desk: PersonForm, area_id: str) -> Response:
    decision = desk.posted.get("decision")
    try:
        unmerging.undo_as(desk.office.ctx, desk.actor, area_id, decision)
    except LoaError as error:
        if error.key in ("not_yours", "no_right", "second_factor.needed", "second_factor.again"):
            raise
        seen = unmerging.outlook(desk.office.ctx, desk.actor, area_id)
        return desk.page("unmerge.html", desk.status(error), seen=seen, decision=decision, error=error)
    return desk.go("/areas?done=unmerged")


def _districts_page(
    desk: Desk, *, seen: ending_districts.Outlook | None = None, error: LoaError | None = None
) -> Response:
    desk.actor.need(Right.AREAS)
    told = desk.posted if desk.request.method == "POST" else None
    typed = {name: told.get(name) if told is not None else "" for name in ("day", "decision")}
    return desk.page("end_districts.html", desk.status(error) if error else 200, seen=seen, error=error, **typed)


def _page(desk: Desk, form: MergeForm, *, seen: Outlook | None = None, error: LoaError | None = None) -> Response:
    actor = desk.actor.need(Right.AREAS)
    with desk.office.ctx.db.read() as session:
        offered = [area for area in communes(session, actor, desk.today) if area.successor_id is None]
    return desk.page(
        "merge.html", desk.status(error) if error else 200, form=form, offered=offered, seen=seen, error=error
    )
