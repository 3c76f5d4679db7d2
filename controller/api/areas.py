"""/api/v1/areas: administrative units of today and of before, and communes that become one."""

from __future__ import annotations

from datetime import date

from fastapi import APIRouter
from pydantic import BaseModel, Field

from broadcasts.clock import VIETNAM
from controller.api.deps import Caller, TheOffice
from controller.api.patterns import Day
from controller.services.areas import AreaLine, history
from controller.services.merging import Outlook, Wish, merge_as, outlook
from controller.services.rights import Right

router = APIRouter(prefix="/api/v1/areas")


class AreaOut(BaseModel):
    """`until`: the first day on which it is no more; `now`: what it is part of, then. `formerly`: what became part of
    it. `clusters` in use, of all that belongs to it."""

    id: str
    kind: str
    code: str
    name: str
    since: date
    until: date | None
    stands: bool
    now: str | None
    formerly: list[str]
    clusters: int

    @classmethod
    def of(cls, line: AreaLine) -> AreaOut:
        area = line.area
        return cls(
            id=area.id,
            kind=area.kind,
            code=area.code,
            name=area.name,
            since=area.valid_from,
            until=area.valid_to,
            stands=line.stands,
            now=line.heir or None,
            formerly=list(line.formerly),
            clusters=line.clusters,
        )


class MergeIn(BaseModel):
    """Nothing is required here, so that who has no right to ask hears that first. `old` by id, `day` the first of the
    new unit, `decision` number and date of who decided."""

    old: list[str] = Field(default=[], max_length=200)
    name: str = ""
    code: str = ""
    day: Day | None = None
    decision: str = ""

    def wish(self) -> Wish:
        return Wish(tuple(self.old), self.name, self.code, self.day or date.min, self.decision)


class OutlookOut(BaseModel):
    """What a merger changes, and what it leaves: see `services.merging.Outlook`."""

    clusters: int
    stations: list[str]
    on_air: int
    waiting: int
    groups: int
    grants: int

    @classmethod
    def of(cls, seen: Outlook) -> OutlookOut:
        return cls(
            clusters=seen.clusters,
            stations=list(seen.stations),
            on_air=seen.on_air,
            waiting=seen.waiting,
            groups=seen.groups,
            grants=seen.grants,
        )


class MergedOut(BaseModel):
    id: str


@router.get("")
def every(office: TheOffice, caller: Caller, find: str = "", on: Day | None = None) -> list[AreaOut]:
    """`find`: by a name or code of any time; `on`: as they stand on that day, without it today."""
    reach = caller.need(Right.LOOK).areas
    day = on or office.ctx.clock.now().astimezone(VIETNAM).date()
    with office.ctx.db.read() as session:
        return [AreaOut.of(line) for line in history(session, reach, find[:120], day)]


@router.post("/merge/preview")
def look(office: TheOffice, caller: Caller, told: MergeIn) -> OutlookOut:
    return OutlookOut.of(outlook(office.ctx, caller, told.wish()))


@router.post("/merge", status_code=201)
def merge(office: TheOffice, caller: Caller, told: MergeIn) -> MergedOut:
    return MergedOut(id=merge_as(office.ctx, caller, told.wish()))
