"""/api/v1/faults: what is wrong where, its life, and planned work."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from fastapi import APIRouter
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from broadcasts.errors import Refused
from controller.api.deps import Caller, TheOffice
from controller.services import fault_acts
from controller.services.office import Office
from controller.services.rights import Actor
from controller.services.views import faults
from controller.services.views.faults import FaultLine

router = APIRouter(prefix="/api/v1")


class FaultOut(BaseModel):
    id: str
    code: str
    urgency: str
    state: str
    cluster: str | None
    area: str
    name: str
    clusters: int
    """1, or how many a group has."""
    since: datetime
    raised_at: datetime
    gone_at: datetime | None
    detail: str
    bring: list[str]
    silenced: bool
    flapping: bool
    escalated_at: datetime | None
    group: str | None
    previous: str | None
    revision: int

    @classmethod
    def of(cls, line: FaultLine) -> FaultOut:
        row = line.case
        same = ("id", "code", "state", "since", "raised_at", "gone_at", "detail", "escalated_at", "revision")
        return cls(
            urgency=line.kind.urgency, cluster=row.cluster_id, area=row.area_id, name=line.name,
            clusters=line.clusters, bring=list(line.kind.bring), silenced=line.silenced, flapping=line.flapping,
            group=row.group_id, previous=row.previous_id, **{name: getattr(row, name) for name in same},
        )  # fmt: skip


class MoveOut(BaseModel):
    before: str
    after: str
    at: datetime
    by: str
    why: str


class WholeFaultOut(FaultOut):
    moves: list[MoveOut]
    members: list[FaultOut]
    evidence: dict[str, Any]


class MoveIn(BaseModel):
    """Nothing is required, so that who has no right to ask hears that first."""

    model_config = ConfigDict(extra="forbid")
    state: str = Field("", max_length=20)
    why: str = Field("", max_length=300)
    revision: int | None = None


class WorkIn(BaseModel):
    model_config = ConfigDict(extra="forbid")
    area: str = Field("", max_length=32)
    cluster: str = Field("", max_length=32)
    """This or `area`."""
    begins: AwareDatetime | None = None
    ends: AwareDatetime | None = None
    reason: str = Field("", max_length=300)


class WorkOut(BaseModel):
    id: str
    name: str
    area: str
    cluster: str | None
    begins: datetime
    ends: datetime
    reason: str
    by: str


@router.get("/faults")
def every(office: TheOffice, caller: Caller, show: str = "open") -> list[FaultOut]:
    """`show`: open, new, acknowledged, in_repair, resolved, all. The most urgent first."""
    if show not in faults.FILTERS:
        raise Refused("choice.unknown", name="show", value=show[:20])
    with office.ctx.db.read() as session:
        return [FaultOut.of(line) for line in faults.lines(session, caller, office.ctx.clock.now(), show)]


@router.get("/faults/{fault_id}")
def one(office: TheOffice, caller: Caller, fault_id: str) -> WholeFaultOut:
    return _one(office, caller, fault_id)


@router.post("/faults/{fault_id}/moves")
def move(office: TheOffice, caller: Caller, fault_id: str, told: MoveIn) -> WholeFaultOut:
    fault_acts.move(office.ctx, caller, fault_id, told.state, told.why, told.revision)
    return _one(office, caller, fault_id)


@router.get("/planned-works")
def works(office: TheOffice, caller: Caller) -> list[WorkOut]:
    with office.ctx.db.read() as session:
        found = faults.works(session, caller, office.ctx.clock.now())
    return [
        WorkOut(
            id=one.work.id, name=one.name, area=one.work.area_id, cluster=one.work.cluster_id,
            begins=one.work.begins, ends=one.work.ends, reason=one.work.reason, by=one.work.made_by,
        )
        for one in found
    ]  # fmt: skip


@router.post("/planned-works", status_code=201)
def plan(office: TheOffice, caller: Caller, told: WorkIn) -> dict[str, str]:
    now = office.ctx.clock.now()
    begins, ends = told.begins or now, told.ends or now
    name = fault_acts.plan_work(office.ctx, caller, told.area, told.cluster or None, begins, ends, told.reason)
    return {"id": name}


@router.post("/planned-works/{work_id}/end")
def end(office: TheOffice, caller: Caller, work_id: str) -> dict[str, str]:
    fault_acts.end_work(office.ctx, caller, work_id)
    return {"id": work_id}


def _one(office: Office, caller: Actor, fault_id: str) -> WholeFaultOut:
    with office.ctx.db.read() as session:
        it = faults.one(session, caller, fault_id, office.ctx.clock.now())
    return WholeFaultOut(
        **FaultOut.of(it.line).model_dump(),
        moves=[MoveOut(before=m.before, after=m.after, at=m.at, by=m.by, why=m.why) for m in it.moves],
        members=[FaultOut.of(line) for line in it.members],
        evidence=it.line.case.evidence,
    )
