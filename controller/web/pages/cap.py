"""Warnings of other authorities (CAP): what came, what it would sound where, and a person's word on it."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter
from fastapi.responses import Response
from sqlalchemy import select

from broadcasts.errors import LoaError, Refused
from broadcasts.wire.alert import AlertKind
from controller.db.tables import Area
from controller.services import cap_deciding
from controller.services.cap_deciding import Decision
from controller.services.rights import Right
from controller.services.targets import Target
from controller.web.desk import Desk, PersonDesk, PersonForm
from controller.web.pages.home import done_of
from controller.web.upload import Posted

router = APIRouter()
USUAL_MINUTES = "30"


@dataclass(frozen=True)
class Form:
    """As typed. `kind` "": what the message's words propose. Without `languages`: the recordings that every pole
    holds."""

    kind: str = ""
    minutes: str = USUAL_MINUTES
    languages: tuple[str, ...] = ()
    areas: tuple[str, ...] = ()
    confirmed: str = ""
    note: str = ""

    def decision(self) -> Decision:
        """Raises Refused("cap.minutes")."""
        told = self.minutes.strip()
        if not (told.isascii() and told.isdigit() and len(told) <= 4 and int(told)):
            raise Refused("cap.minutes", most=24 * 60)
        return Decision(self.kind, int(told), self.languages, self.areas, (), self.confirmed)


def _form(posted: Posted) -> Form:
    return Form(
        kind=posted.get("kind")[:20],
        minutes=posted.get("minutes", USUAL_MINUTES)[:8],
        languages=tuple(each[:12] for each in posted.all("language") if each)[:6],
        areas=tuple(area[:40] for area in posted.all("area"))[:500],
        confirmed=posted.get("confirmed")[:120],
        note=posted.get("note")[:500],
    )


@router.get("/cap")
def every(desk: PersonDesk) -> Response:
    with desk.office.ctx.db.read() as session:
        lines = cap_deciding.every(session, desk.actor, desk.office.ctx.clock.now())
    return desk.page("cap.html", lines=lines, done=done_of(desk))


@router.get("/cap/{message_id}")
def show(desk: PersonDesk, message_id: str) -> Response:
    return _page(desk, message_id, Form())


@router.post("/cap/{message_id}")
def decide(desk: PersonForm, message_id: str) -> Response:
    """`act`: sound, drill, reject, or look: show whom the places chosen by hand would reach."""
    desk.actor.need(Right.ALERT)
    ctx, form = desk.office.ctx, _form(desk.posted)
    try:
        match desk.posted.get("act"):
            case "look":
                return _page(desk, message_id, form)
            case "sound":
                cap_deciding.sound(ctx, desk.actor, message_id, form.decision())
                return desk.go("/cap?done=cap_sounded")
            case "drill":
                cap_deciding.drill(ctx, desk.actor, message_id, form.decision())
                return desk.go("/cap?done=cap_drilled")
            case "reject":
                cap_deciding.reject(ctx, desk.actor, message_id, form.note)
                return desk.go("/cap?done=cap_rejected")
            case other:
                raise Refused("choice.unknown", name="act", value=other[:20])
    except LoaError as error:
        if error.key in ("no_right", "not_yours", "second_factor.needed"):
            raise
        return _page(desk, message_id, form, error)


def _page(desk: Desk, message_id: str, form: Form, error: LoaError | None = None) -> Response:
    ctx = desk.office.ctx
    with ctx.db.read() as session:
        picked = Target(areas=form.areas) if form.areas else None
        shown = cap_deciding.show(ctx, session, desk.actor, message_id, picked)
        mine = desk.actor.within(Right.ALERT) if shown.may else frozenset[str]()
        wanted = select(Area).where(Area.id.in_(mine), Area.valid_to.is_(None), Area.kind != "hamlet")
        areas = sorted(session.scalars(wanted), key=lambda area: (area.kind != "province", area.name))
        texts = cap_deciding.texts(ctx, shown.outlook) if shown.outlook else {}
    return desk.page(
        "cap_message.html",
        desk.status(error) if error else 200,
        shown=shown,
        texts=texts,
        areas=areas,
        kinds=list(AlertKind),
        form=form,
        error=error,
        done=done_of(desk),
    )
