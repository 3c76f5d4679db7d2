"""/api/v1/delegations, /own-exceptions, /alerts: who may decide in whose name, and the second word on an emergency."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from broadcasts.errors import Refused
from controller.api.deps import Caller, TheOffice
from controller.services import delegating, emergencies, own_exceptions
from controller.services.own_exceptions import Line
from controller.services.rights import Right

router = APIRouter(prefix="/api/v1")


class Told(BaseModel):
    """Nothing is required, so that who has no right to ask hears that first."""

    model_config = ConfigDict(extra="forbid")


class LendIn(Told):
    to: str = Field("", max_length=60)
    """The account's name."""
    area: str = Field("", max_length=32)
    since: AwareDatetime | None = None
    """None: from now on."""
    until: AwareDatetime | None = None
    reason: str = Field("", max_length=500)


class LentOut(BaseModel):
    """`state`: coming, holds, over."""

    id: str
    lender: str
    borrower: str
    area: str
    since: datetime
    until: datetime
    reason: str
    state: str


class ExceptionIn(Told):
    station: str = Field("", max_length=32)
    number: str = Field("", max_length=60)
    reason: str = Field("", max_length=500)
    until: AwareDatetime | None = None


class ExceptionOut(BaseModel):
    id: str
    station: str
    station_name: str
    number: str
    reason: str
    granted_by: str
    granted_at: datetime
    until: datetime
    ended_at: datetime | None
    state: str
    """holds, over."""
    used: int
    """How many approvals rest on it."""

    @classmethod
    def of(cls, line: Line) -> ExceptionOut:
        same = ("id", "number", "reason", "granted_by", "granted_at", "until", "ended_at")
        told = {name: getattr(line.exception, name) for name in same}
        return cls(station=line.station.id, station_name=line.station.name, state=line.state, used=line.used, **told)


class CandidateOut(BaseModel):
    name: str
    full_name: str


class WordIn(Told):
    right: bool = True
    """False: it should not have sounded; then `note` says why."""
    note: str = Field("", max_length=500)


class AlertOut(BaseModel):
    """`confirmed` is null while it waits for somebody else than who sounded it."""

    id: str
    scope: str
    kind: str
    reason: str
    sounded_by: str
    sounded_at: datetime
    sounds: bool
    confirmed: bool | None
    confirmed_by: str
    note: str


class MadeOut(BaseModel):
    id: str


@router.get("/delegations")
def lent(office: TheOffice, caller: Caller) -> list[LentOut]:
    with office.ctx.db.read() as session:
        found = delegating.every(office.ctx, session, caller)
    same = ("id", "since", "until", "reason")
    return [
        LentOut(
            lender=line.lender,
            borrower=line.borrower,
            area=line.area,
            state=line.state,
            **{name: getattr(line.delegation, name) for name in same},
        )
        for line in found
    ]


@router.get("/delegations/candidates")
def candidates(office: TheOffice, caller: Caller) -> list[CandidateOut]:
    """To whom the right may be lent."""
    with office.ctx.db.read() as session:
        found = delegating.candidates(office.ctx, session, caller)
    return [CandidateOut(name=user.name, full_name=user.full_name) for user in found]


@router.post("/delegations", status_code=201)
def lend(office: TheOffice, caller: Caller, told: LendIn) -> MadeOut:
    caller.need(Right.APPROVE)
    if told.until is None:
        raise Refused("delegation.time", days=delegating.LONGEST.days)
    return MadeOut(id=delegating.lend(office.ctx, caller, told.to, told.area, told.since, told.until, told.reason))


@router.delete("/delegations/{delegation_id}", status_code=204)
def take_back(office: TheOffice, caller: Caller, delegation_id: str) -> Response:
    delegating.take_back(office.ctx, caller.need(Right.APPROVE, Right.PEOPLE), delegation_id)
    return Response(status_code=204)


@router.get("/own-exceptions")
def exceptions(office: TheOffice, caller: Caller) -> list[ExceptionOut]:
    with office.ctx.db.read() as session:
        return [ExceptionOut.of(line) for line in own_exceptions.every(office.ctx, session, caller)]


@router.post("/own-exceptions", status_code=201)
def give(office: TheOffice, caller: Caller, told: ExceptionIn) -> MadeOut:
    caller.need(Right.PEOPLE)
    if told.until is None:
        raise Refused("exception.until", days=own_exceptions.LONGEST.days)
    return MadeOut(id=own_exceptions.give(office.ctx, caller, told.station, told.number, told.reason, told.until))


@router.delete("/own-exceptions/{exception_id}", status_code=204)
def end(office: TheOffice, caller: Caller, exception_id: str) -> Response:
    own_exceptions.take_back(office.ctx, caller, exception_id)
    return Response(status_code=204)


@router.get("/alerts")
def alerts(office: TheOffice, caller: Caller) -> list[AlertOut]:
    """Of the last 90 days, those that wait first."""
    with office.ctx.db.read() as session:
        found = emergencies.every(office.ctx, session, caller)
    return [
        AlertOut(
            id=line.alert.id,
            scope=line.alert.scope,
            kind=line.kind,
            reason=line.reason,
            sounded_by=line.by,
            sounded_at=line.alert.issued_at,
            sounds=line.sounds,
            confirmed=None if line.confirmed is None else line.confirmed.right,
            confirmed_by=line.confirmed_by,
            note="" if line.confirmed is None else line.confirmed.note,
        )
        for line in found
    ]


@router.post("/alerts/{alert_id}/confirm", status_code=204)
def confirm(office: TheOffice, caller: Caller, alert_id: str, told: WordIn) -> Response:
    emergencies.confirm(office.ctx, caller, alert_id, right=told.right, note=told.note)
    return Response(status_code=204)
