"""/api/v1/audit: the audit log for programs that collect events."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel

from controller.api.deps import Caller, TheOffice
from controller.services.views.audit import Wanted, read

router = APIRouter(prefix="/api/v1")
Word = Annotated[str, Query(max_length=80, pattern=r"^[^\x00]*$")]


class LineOut(BaseModel):
    id: int
    at: datetime
    actor: str
    act: str
    about: str
    area: str
    detail: dict[str, Any]
    previous: str
    hash: str


class LinesOut(BaseModel):
    lines: list[LineOut]
    more: int | None
    """`before` of the next page."""


@router.get("/audit")
def log(
    office: TheOffice,
    caller: Caller,
    actor: Word = "",
    act: Word = "",
    about: Word = "",
    area: Word = "",
    since: AwareDatetime | None = None,
    until: AwareDatetime | None = None,
    before: Annotated[int | None, Query(ge=0, lt=2**63)] = None,
    size: Annotated[int, Query(ge=1, le=500)] = 100,
) -> LinesOut:
    """The newest first; filters as on the page."""
    with office.ctx.db.read() as session:
        found = read(session, caller, Wanted(actor, act, about, area, since, until, before), size)
    lines = [LineOut(**{name: getattr(line, name) for name in LineOut.model_fields}) for line in found.lines]
    return LinesOut(lines=lines, more=found.more)
