"""/api/v1/orders: one command to many clusters, an execution each."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from controller.api.deps import Caller, TheOffice
from controller.services import command_orders
from controller.services.targets import Target
from controller.services.views import command_orders as views

router = APIRouter(prefix="/api/v1")


class OrderIn(BaseModel):
    model_config = ConfigDict(extra="forbid")
    kind: str = Field("", max_length=20)
    args: dict[str, str] = Field(default={}, max_length=8)
    areas: list[str] = Field(default=[], max_length=200)
    clusters: list[str] = Field(default=[], max_length=5000)
    tags: list[str] = Field(default=[], max_length=50)
    groups: list[str] = Field(default=[], max_length=50)
    count: int | None = Field(None, ge=0, le=1_000_000)
    """How many clusters it is meant for; needed for a wide one, and refused when it is another number."""
    sure: bool = False
    reason: str = Field("", max_length=300)


class OrderOut(BaseModel):
    id: str
    kind: str
    args: dict[str, str]
    by: str
    issued_at: datetime
    reason: str
    clusters: int
    left_out: int
    per_minute: int
    cancelled_at: datetime | None
    states: dict[str, int]

    @classmethod
    def of(cls, line: views.OrderLine) -> OrderOut:
        it = line.order
        return cls(
            id=it.id, kind=it.kind, args=it.args, by=it.issued_by, issued_at=it.issued_at, reason=it.reason,
            clusters=it.clusters, left_out=it.left_out, per_minute=it.per_minute, cancelled_at=it.cancelled_at,
            states=dict(line.counts),
        )  # fmt: skip


class ExecutionOut(BaseModel):
    command: str
    cluster: str
    unit: str
    state: str
    detail: str
    sent_at: datetime | None
    answered_at: datetime | None


class WholeOrderOut(OrderOut):
    executions: list[ExecutionOut]


@router.get("/orders")
def orders(office: TheOffice, caller: Caller) -> list[OrderOut]:
    with office.ctx.db.read() as session:
        return [OrderOut.of(line) for line in views.lines(session, caller, office.ctx.clock.now())]


@router.post("/orders", status_code=201)
def order(office: TheOffice, caller: Caller, asked: OrderIn) -> OrderOut:
    where = Target(
        areas=tuple(asked.areas), clusters=tuple(asked.clusters), tags=tuple(asked.tags), groups=tuple(asked.groups)
    )
    name = command_orders.issue(
        office.ctx, caller, asked.kind, where, asked.args, count=asked.count, sure=asked.sure, reason=asked.reason
    )
    with office.ctx.db.read() as session:
        return OrderOut.of(views.one(session, caller, name, office.ctx.clock.now()).line)


@router.get("/orders/{order_id}")
def whole(office: TheOffice, caller: Caller, order_id: str, state: str = "") -> WholeOrderOut:
    with office.ctx.db.read() as session:
        it = views.one(session, caller, order_id, office.ctx.clock.now(), state)
    rows = [
        ExecutionOut(
            command=each.command.id, cluster=each.command.cluster_id, unit=each.command.unit_id, state=each.state,
            detail=each.command.detail, sent_at=each.command.sent_at, answered_at=each.command.answered_at,
        )
        for each in it.executions
    ]  # fmt: skip
    return WholeOrderOut(**OrderOut.of(it.line).model_dump(), executions=rows)


@router.post("/orders/{order_id}/cancel")
def cancel(office: TheOffice, caller: Caller, order_id: str) -> OrderOut:
    """Takes back what has not left."""
    command_orders.cancel(office.ctx, caller, order_id)
    with office.ctx.db.read() as session:
        return OrderOut.of(views.one(session, caller, order_id, office.ctx.clock.now()).line)
