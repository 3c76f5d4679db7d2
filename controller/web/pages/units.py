"""The units' identities: who asks to be let in, who is in, and who is out."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from broadcasts.errors import LoaError
from broadcasts.wire.enrol import read_code
from controller.services import unit_enrolling, unit_factory, unit_revoking
from controller.services.rights import Right
from controller.services.unit_revoking import RevokeKind
from controller.services.views import units
from controller.web.desk import Desk, PersonDesk, PersonForm
from controller.web.pages.home import done_of

router = APIRouter()


@router.get("/units")
def every(desk: PersonDesk) -> Response:
    """`code`: from the link in a QR code; `find`: part of a unit's or a cluster's name; `show`: revoked."""
    return _page(desk, {"code": desk.request.query_params.get("code", "")[:200]})


@router.post("/units/accept")
def accept(desk: PersonForm) -> Response:
    """`code` as typed, or the text of a QR code; `unit`: the name that it gets, or nothing."""
    told = {"code": desk.posted.get("code")[:200], "unit": desk.posted.get("unit")[:40]}
    desk.actor.need(Right.ENROL)
    try:
        name = unit_enrolling.accept(desk.office.ctx, desk.actor, told["code"], told["unit"])
    except LoaError as error:
        return _page(desk, told, error)
    desk.office.ctx.wake()
    return desk.go(f"/units?done=unit_accepted&find={name}#units")


@router.post("/units/enrolments/{enrolment_id}/refuse")
def turn_away(desk: PersonForm, enrolment_id: str) -> Response:
    desk.actor.need(Right.ENROL)
    try:
        unit_enrolling.turn_away(desk.office.ctx, desk.actor, enrolment_id, desk.posted.get("reason"))
    except LoaError as error:
        return _page(desk, {}, error)
    return desk.go("/units?done=unit_refused")


@router.post("/units/factory")
def factory(desk: PersonForm) -> Response:
    """`list`: lines of serial, fingerprint, vendor."""
    desk.actor.need(Right.REVOKE)
    told = {"list": desk.posted.get("list")}
    try:
        unit_factory.take(desk.office.ctx, desk.actor, told["list"])
    except LoaError as error:
        return _page(desk, told, error)
    return desk.go("/units?done=unit_factory")


@router.post("/units/{unit_id}/revoke")
def revoke(desk: PersonForm, unit_id: str) -> Response:
    """`kind` and `reason`; asks for a fresh code."""
    desk.actor.need(Right.REVOKE)
    kind, reason = desk.posted.get("kind"), desk.posted.get("reason")
    try:
        unit_revoking.revoke(desk.office.ctx, desk.actor, unit_id, kind, reason)
    except LoaError as error:
        return _page(desk, {"revoke": unit_id[:40]}, error)
    return desk.go(f"/units?show=revoked&done=unit_revoked&find={unit_id}#units")


def _page(desk: Desk, told: dict[str, str], error: LoaError | None = None) -> Response:
    actor, query = desk.actor.need(Right.ENROL, Right.REVOKE), desk.request.query_params
    ctx, find, revoked = desk.office.ctx, query.get("find", "")[:60], query.get("show") == "revoked"
    with ctx.db.read() as session:
        waiting = units.waiting(session, ctx.wall.now())
        lines = units.lines(session, actor, find, revoked=revoked)
    typed = {"code": "", "unit": "", "list": "", "revoke": ""} | told
    return desk.page(
        "units.html",
        desk.status(error) if error else 200,
        waiting=waiting,
        lines=lines,
        most=units.MOST,
        find=find,
        revoked=revoked,
        told=typed,
        known_code=read_code(typed["code"]),
        kinds=list(RevokeKind),
        open_here=ctx.units.authority is not None,
        error=error,
        done=done_of(desk),
    )
