"""/api/v1/deliveries: the chain of one delivery, from draft to verdict."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel

from controller.api.deps import Caller, TheOffice
from controller.services.rights import Right
from controller.services.views.why import chain

router = APIRouter(prefix="/api/v1/deliveries")


class StepOut(BaseModel):
    """`kind` and `fields` as in `services.views.why`; `at` is null where only the order is known."""

    kind: str
    at: datetime | None
    who: str
    fields: dict[str, Any]


class ChainOut(BaseModel):
    """`title` is that of `revision`, whatever it is called today."""

    id: str
    broadcast: str
    revision: int
    title: str
    outdated: bool
    cluster: str
    start: datetime
    steps: list[StepOut]


@router.get("/{delivery_id}/why")
def why(office: TheOffice, caller: Caller, delivery_id: str) -> ChainOut:
    caller.need(Right.LOOK)
    with office.ctx.db.read() as session:
        it = chain(session, caller, delivery_id)
    return ChainOut(
        id=it.delivery.id,
        broadcast=it.delivery.broadcast_id,
        revision=it.delivery.revision,
        title=it.title,
        outdated=it.outdated,
        cluster=it.cluster,
        start=it.delivery.start,
        steps=[StepOut(kind=step.kind, at=step.at, who=step.who, fields=step.fields) for step in it.steps],
    )
