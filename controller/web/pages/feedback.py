"""What citizens said, taken down, answered, and looked up again (R-028)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from fastapi import APIRouter
from fastapi.responses import Response

from broadcasts.clock import VIETNAM
from broadcasts.errors import LoaError
from controller.services import feedback
from controller.services.csv_table import sheet
from controller.services.feedback import SHOWN, Channel, Line, Offer, Said
from controller.services.rights import Right
from controller.web.desk import Desk, PersonDesk, PersonForm
from controller.web.pages.home import done_of

router = APIRouter()
STATES = ("open", "answered")
STAYS = ("feedback.text", "feedback.long", "feedback.answered", "feedback.open", "choice.unknown")
"""What is said beside the form; all else is a page of its own."""
COLUMNS = (
    *("id", "received", "area", "channel", "about", "cluster", "text", "taken_by"),
    *("answered", "answered_by", "answer", "on_air"),
)
"""Of the file: who said it is in no file."""
NOTHING = Offer((), (), ())


@dataclass(frozen=True)
class Form:
    """As typed."""

    text: str = ""
    channel: str = "person"
    area: str = ""
    broadcast: str = ""
    cluster: str = ""
    contact: str = ""


@router.get("/feedback")
def every(desk: PersonDesk, state: str = "", broadcast: str = "") -> Response:
    """`broadcast`: what somebody wants to take down is about this one."""
    return _list(desk, state, Form(broadcast=broadcast[:40]))


@router.post("/feedback")
def take(desk: PersonForm) -> Response:
    told = desk.posted
    names = ("text", "channel", "area", "broadcast", "cluster", "contact")
    form = Form(*(told.get(name) for name in names))
    said = Said(form.text, form.channel, form.area, form.broadcast, form.cluster, form.contact)
    try:
        feedback.take(desk.office.ctx, desk.actor, said)
    except LoaError as error:
        if error.key not in STAYS:
            raise
        return _list(desk, "", form, error)
    return desk.go("/feedback?done=feedback_taken")


@router.get("/feedback.csv")
def saved(desk: PersonDesk) -> Response:
    words = desk.words
    with desk.office.ctx.db.read() as session:
        lines = feedback.every(session, desk.actor)
    rows = [
        (
            *(line.row.id, _stamp(line.row.received_at), line.area, words.t(f"feedback.channel.{line.row.channel}")),
            *(line.about, line.cluster, line.row.text, line.taken_by),
            _stamp(line.row.answered_at) if line.row.answered_at else "",
            *(line.answered_by, line.row.answer, line.on_air),
        )
        for line in lines
    ]
    data = sheet([words.t(f"feedback.column.{name}") for name in COLUMNS], rows)
    headers = {"content-disposition": 'attachment; filename="phan-anh.csv"', "cache-control": "no-store"}
    return Response(data, media_type="text/csv; charset=utf-8", headers=headers)


@router.get("/feedback/{feedback_id}")
def one(desk: PersonDesk, feedback_id: str) -> Response:
    return _page(desk, feedback_id)


@router.post("/feedback/{feedback_id}")
def change(desk: PersonForm, feedback_id: str) -> Response:
    """`act`: answer, link or erase."""
    ctx, told = desk.office.ctx, desk.posted
    try:
        match told.get("act"):
            case "erase":
                feedback.erase_contact(ctx, desk.actor, feedback_id)
            case "link":
                feedback.link(ctx, desk.actor, feedback_id, told.get("broadcast"))
            case _:
                feedback.answer(ctx, desk.actor, feedback_id, told.get("text"), told.get("broadcast"))
    except LoaError as error:
        if error.key not in STAYS:
            raise
        return _page(desk, feedback_id, error)
    return desk.go(f"/feedback/{feedback_id}?done=feedback_kept")


def _stamp(at: datetime) -> str:
    return f"{at.astimezone(VIETNAM):%Y-%m-%d %H:%M}"


def _list(desk: Desk, state: str, form: Form, error: LoaError | None = None) -> Response:
    with desk.office.ctx.db.read() as session:
        lines = feedback.every(session, desk.actor, state, SHOWN + 1)
        offer = feedback.offer(session, desk.actor) if desk.actor.may(Right.COMPOSE) else NOTHING
    return desk.page(
        "feedback_list.html",
        desk.status(error) if error else 200,
        lines=lines[:SHOWN],
        more=len(lines) > SHOWN,
        states=STATES,
        state=state if state in STATES else "",
        channels=list(Channel),
        offer=offer,
        form=form,
        error=error,
        done=done_of(desk),
    )


def _page(desk: Desk, feedback_id: str, error: LoaError | None = None) -> Response:
    with desk.office.ctx.db.read() as session:
        line: Line = feedback.one(session, desk.actor, feedback_id)
        offer = feedback.offer(session, desk.actor, line.row.area_id) if line.may_answer else NOTHING
    typed = desk.posted.get("text") if error is not None else ""
    status = desk.status(error) if error else 200
    return desk.page("feedback.html", status, line=line, offer=offer, typed=typed, error=error, done=done_of(desk))
