"""People and roles of an area, for those who look after accounts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from fastapi import APIRouter
from fastapi.responses import Response

from broadcasts.errors import LoaError, Refused
from controller.services import factor_resets, people
from controller.services.rights import Right, Role
from controller.web.days import end_of
from controller.web.desk import Desk, PersonDesk, PersonForm

router = APIRouter()


@router.get("/people")
def everybody(desk: PersonDesk) -> Response:
    with desk.office.ctx.db.read() as session:
        found = people.people(desk.office.ctx, session, desk.actor)
    return desk.page("people.html", lines=found)


@router.get("/people/new")
def invite_page(desk: PersonDesk) -> Response:
    return _invite(desk)


@router.post("/people/new")
def invite(desk: PersonForm) -> Response:
    desk.actor.need(Right.PEOPLE)
    told = {name: desk.posted.get(name).strip()[:120] for name in ("name", "full_name", "role", "area")}
    try:
        made = people.invite(
            desk.office.ctx, desk.actor, told["name"], told["full_name"], role_of(told["role"]), told["area"]
        )
    except LoaError as error:
        return _invite(desk, told, error)
    return _person(desk, made[0], code=made[1])


def _invite(desk: Desk, told: dict[str, str] | None = None, error: LoaError | None = None) -> Response:
    with desk.office.ctx.db.read() as session:
        areas = people.areas(session, desk.actor, desk.today)
    return desk.page(
        "person_new.html", desk.status(error) if error else 200, told=told or {}, error=error, areas=areas, roles=Role
    )


@router.get("/people/{user_id}")
def one(desk: PersonDesk, user_id: str) -> Response:
    return _person(desk, user_id)


@router.post("/people/{user_id}")
def act(desk: PersonForm, user_id: str) -> Response:
    """`act` says what; the page comes back with what is new, or with the reason why not."""
    desk.actor.need(Right.PEOPLE, Right.UNLOCK)
    ctx, actor, posted = desk.office.ctx, desk.actor, desk.posted
    reason = posted.get("reason")[:200]
    acts: dict[str, Callable[[], str | None]] = {
        "invite": lambda: people.invite_again(ctx, actor, user_id),
        "unlock": lambda: people.unlock(ctx, actor, user_id, reason),
        "disable": lambda: people.disable(ctx, actor, user_id, reason),
        "enable": lambda: people.enable(ctx, actor, user_id),
        "review": lambda: people.review(ctx, actor, user_id),
        "forget_factor": lambda: _done(factor_resets.propose(ctx, actor, user_id, reason)),
        "confirm_forget": lambda: factor_resets.confirm(ctx, actor, user_id),
        "drop_forget": lambda: factor_resets.drop(ctx, actor, user_id),
        "grant": lambda: people.grant(
            ctx, actor, user_id, role_of(posted.get("role")), posted.get("area"), until=_until(desk)
        ),
        "end_grant": lambda: people.end_grant(ctx, actor, user_id, _number(posted.get("grant")), reason),
    }
    name = posted.get("act")
    try:
        if name not in acts:
            raise Refused("choice.unknown", name="act", value=name[:20])
        code = acts[name]()
    except LoaError as error:
        if error.key == "not_yours":
            raise
        return _person(desk, user_id, error=error)
    return _person(desk, user_id, code=code, done=name)


def _person(
    desk: Desk, user_id: str, error: LoaError | None = None, code: str | None = None, done: str = ""
) -> Response:
    ctx = desk.office.ctx
    with ctx.db.read() as session:
        line = people.person(ctx, session, desk.actor, user_id)
        areas = people.areas(session, desk.actor, desk.today) if desk.actor.may(Right.PEOPLE) else []
    link = f"{desk.request.url.scheme}://{desk.request.url.netloc}/invitations/{code}" if code else ""
    return desk.page(
        "person.html",
        desk.status(error) if error else 200,
        line=line,
        areas=areas,
        roles=Role,
        error=error,
        link=link,
        hours=int(ctx.people.invitation.total_seconds() // 3600),
        done=f"people.{done}" if done and not code else None,
    )


def _until(desk: Desk) -> datetime | None:
    return end_of(desk.posted.get("until"), "until")


def _done(_: str) -> None:
    """An id that no page shows."""


def role_of(told: str) -> Role:
    """Raises Refused("choice.unknown")."""
    try:
        return Role(told)
    except ValueError:
        raise Refused("choice.unknown", name="role", value=told[:20]) from None


def _number(told: str) -> int:
    if not (told.isascii() and told.isdecimal() and len(told) < 10):
        raise Refused("not_yours")
    return int(told)
