"""The registry of stations that may be relayed: read by all who work here, changed by who may."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from broadcasts.domain.relay import BAND, SourceKind
from broadcasts.errors import LoaError, Refused
from controller.services import relay_sources
from controller.services.rights import Right
from controller.web.desk import Desk, PersonDesk, PersonForm
from controller.web.pages.home import done_of
from controller.web.relay_form import SourceForm, megahertz, source_form, source_typed

router = APIRouter()


@router.get("/relays")
def show(desk: PersonDesk) -> Response:
    return _page(desk)


@router.post("/relays")
def add(desk: PersonForm) -> Response:
    desk.actor.need(Right.RELAY)
    form = source_form(desk.posted)
    try:
        relay_sources.add(desk.office.ctx, desk.actor, form.told())
    except LoaError as error:
        return _page(desk, form, error)
    return desk.go("/relays?done=relay_added")


@router.post("/relays/{source_id}")
def edit(desk: PersonForm, source_id: str) -> Response:
    """`act`: save, or retire."""
    desk.actor.need(Right.RELAY)
    ctx, form, posted = desk.office.ctx, source_form(desk.posted), desk.posted
    with ctx.db.read() as session:
        relay_sources.mine(session, desk.actor, source_id)
    try:
        match posted.get("act"):
            case "retire":
                relay_sources.retire(ctx, desk.actor, source_id)
                return desk.go("/relays?done=relay_retired")
            case "save":
                revision = posted.get("revision")
                number = int(revision) if revision.isascii() and revision.isdigit() and len(revision) < 9 else -1
                relay_sources.change(ctx, desk.actor, source_id, form.told(), number)
                return desk.go("/relays?done=relay_changed")
            case other:
                raise Refused("choice.unknown", name="act", value=other[:20])
    except LoaError as error:
        return _page(desk, form, error, source_id)


def _page(desk: Desk, form: SourceForm | None = None, error: LoaError | None = None, about: str = "") -> Response:
    """`about`: the line that `form` is of; none for a new one."""
    actor = desk.actor.need(Right.LOOK)
    may_add = actor.may(Right.RELAY)
    with desk.office.ctx.db.read() as session:
        found = relay_sources.entries(session, desk.actor, desk.office.ctx.clock.now())
        places = relay_sources.places(session, desk.actor) if may_add else []
    return desk.page(
        "relays.html",
        desk.status(error) if error else 200,
        entries=found,
        places=places,
        may_add=may_add,
        kinds=list(SourceKind),
        band=[megahertz(each) for each in BAND],
        megahertz=megahertz,
        form=form or SourceForm(),
        none_typed=SourceForm(),
        typed_of=source_typed,
        about=about,
        error=error,
        done=done_of(desk),
    )
