"""/api/v1/people: accounts and roles of an area, as the pages have them."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from fastapi import APIRouter
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from controller.api.deps import Caller, TheOffice
from controller.services import factor_resets, people
from controller.services.people import Line
from controller.services.rights import Role

router = APIRouter(prefix="/api/v1/people")


class Told(BaseModel):
    model_config = ConfigDict(extra="forbid")


class InviteIn(Told):
    name: str = Field(max_length=60)
    full_name: str = Field(max_length=120)
    role: Role
    area: str = Field(max_length=32)


class GrantIn(Told):
    role: Role
    area: str = Field(max_length=32)
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None


class ReasonIn(Told):
    reason: str = Field("", max_length=200)


class GrantOut(BaseModel):
    id: int
    role: str
    area: str
    since: datetime
    until: datetime | None
    granted_by: str


class PersonOut(BaseModel):
    id: str
    name: str
    full_name: str
    area: str
    grants: list[GrantOut]
    locked: bool
    disabled: bool
    unused: bool
    review_due: bool
    invited: bool
    second_factor: bool
    forget_factor_asked_by: str
    """Who proposed to forget it, while that waits for another administrator."""
    seen_at: datetime | None

    @classmethod
    def of(cls, line: Line) -> PersonOut:
        user = line.user
        return cls(
            id=user.id,
            name=user.name,
            full_name=user.full_name,
            area=user.area_id,
            grants=[
                GrantOut(
                    id=one.id,
                    role=one.role,
                    area=one.area_id,
                    since=one.since,
                    until=one.until,
                    granted_by=one.granted_by,
                )
                for one in line.grants
            ],
            locked=line.locked,
            disabled=user.disabled_at is not None,
            unused=line.unused,
            review_due=line.review_due,
            invited=line.waits,
            second_factor=user.factor_at is not None,
            forget_factor_asked_by=line.reset_by,
            seen_at=user.seen_at,
        )


class InvitedOut(BaseModel):
    id: str
    code: str
    """For /invitations/{code}; shown this once."""


@router.get("")
def everybody(office: TheOffice, caller: Caller) -> list[PersonOut]:
    with office.ctx.db.read() as session:
        return [PersonOut.of(line) for line in people.people(office.ctx, session, caller)]


@router.post("", status_code=201)
def invite(office: TheOffice, caller: Caller, told: InviteIn) -> InvitedOut:
    user, code = people.invite(office.ctx, caller, told.name, told.full_name, told.role, told.area)
    return InvitedOut(id=user, code=code)


@router.get("/{user_id}")
def one(office: TheOffice, caller: Caller, user_id: str) -> PersonOut:
    return _one(office, caller, user_id)


@router.post("/{user_id}/invite", status_code=201)
def invite_again(office: TheOffice, caller: Caller, user_id: str) -> InvitedOut:
    return InvitedOut(id=user_id, code=people.invite_again(office.ctx, caller, user_id))


@router.post("/{user_id}/grants", status_code=201)
def grant(office: TheOffice, caller: Caller, user_id: str, told: GrantIn) -> PersonOut:
    people.grant(office.ctx, caller, user_id, told.role, told.area, told.since, told.until)
    return _one(office, caller, user_id)


@router.delete("/{user_id}/grants/{grant_id}")
def end_grant(office: TheOffice, caller: Caller, user_id: str, grant_id: int) -> PersonOut:
    people.end_grant(office.ctx, caller, user_id, grant_id)
    return _one(office, caller, user_id)


@router.post("/{user_id}/acts/{act}")
def do(
    office: TheOffice,
    caller: Caller,
    user_id: str,
    act: Literal[
        "unlock", "disable", "enable", "review", "forget-factor", "confirm-forget-factor", "drop-forget-factor"
    ],
    told: ReasonIn,
) -> PersonOut:
    """`reason` is asked for unlock, disable and forget-factor, which only proposes: another administrator confirms or
    drops it."""
    match act:
        case "unlock":
            people.unlock(office.ctx, caller, user_id, told.reason)
        case "disable":
            people.disable(office.ctx, caller, user_id, told.reason)
        case "enable":
            people.enable(office.ctx, caller, user_id)
        case "review":
            people.review(office.ctx, caller, user_id)
        case "forget-factor":
            factor_resets.propose(office.ctx, caller, user_id, told.reason)
        case "confirm-forget-factor":
            factor_resets.confirm(office.ctx, caller, user_id)
        case "drop-forget-factor":
            factor_resets.drop(office.ctx, caller, user_id)
    return _one(office, caller, user_id)


def _one(office: TheOffice, caller: Caller, user_id: str) -> PersonOut:
    with office.ctx.db.read() as session:
        return PersonOut.of(people.person(office.ctx, session, caller, user_id))
