"""/api/v1/areas: administrative units of today and of before, and communes that become one."""

from __future__ import annotations

from datetime import date

from fastapi import APIRouter
from pydantic import BaseModel, Field

from broadcasts.clock import VIETNAM
from controller.api.deps import Caller, TheOffice
from controller.api.patterns import Day
from controller.services import ending_districts
from controller.services.areas import AreaLine, history
from controller.services.merging import OldUnit, Outlook, Wish, merge_as, outlook
from controller.services.rights import Right
from controller.services.unmerging import Undone, undo_as
from controller.services.unmerging import outlook as look_back

router = APIRouter(prefix="/api/v1/areas")


class AreaOut(BaseModel):
    """`until`: the first day on which it is no more; `now`: what it is part of, then. `formerly`: what became part of
    it. `clusters` in use, of all that belongs to it. `undone`: it came of a merger that was taken back, and stands on
    no day; `may_undo`: it came of one that can be taken back."""

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
    undone: bool
    may_undo: bool

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
            undone=area.valid_to is not None and area.valid_to <= area.valid_from,
            may_undo=bool(line.formerly) and not area.successor_id,
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


class UnitOut(BaseModel):
    """One of those that a merger takes up, or gives back; `stations` by name."""

    id: str
    name: str
    code: str
    clusters: int
    stations: list[str]

    @classmethod
    def of(cls, unit: OldUnit) -> UnitOut:
        area = unit.area
        return cls(id=area.id, name=area.name, code=area.code, clusters=unit.clusters, stations=list(unit.stations))


class OutlookOut(BaseModel):
    """What a merger changes, and what it leaves: see `services.merging.Outlook`. `parent` by name."""

    name: str
    code: str
    day: date
    parent: str
    old: list[UnitOut]
    clusters: int
    stations: list[str]
    on_air: int
    waiting: int
    groups: int
    grants: int

    @classmethod
    def of(cls, seen: Outlook) -> OutlookOut:
        return cls(
            name=seen.wish.name,
            code=seen.wish.code,
            day=seen.wish.day,
            parent=seen.parent,
            old=[UnitOut.of(unit) for unit in seen.old],
            clusters=seen.clusters,
            stations=list(seen.stations),
            on_air=seen.on_air,
            waiting=seen.waiting,
            groups=seen.groups,
            grants=seen.grants,
        )


class MergedOut(BaseModel):
    id: str


class UndoIn(BaseModel):
    """`decision`: number and date of who decided, or what was wrong."""

    decision: str = ""


class UndoneOut(BaseModel):
    """What undoing a merger changes, and what it leaves: see `services.unmerging.Undone`. `old` by id, `units` with all
    that is told of each; `parent` by name."""

    id: str
    name: str
    parent: str
    old: list[str]
    units: list[UnitOut]
    on_air: list[str]
    waiting: list[str]
    groups: list[str]
    people: list[str]
    dies: dict[str, int]

    @classmethod
    def of(cls, seen: Undone) -> UndoneOut:
        return cls(
            id=seen.area.id,
            name=seen.area.name,
            parent=seen.parent,
            old=[each.id for each in seen.old],
            units=[UnitOut.of(unit) for unit in seen.units],
            on_air=list(seen.on_air),
            waiting=list(seen.waiting),
            groups=list(seen.groups),
            people=list(seen.people),
            dies=dict(seen.dies),
        )


class EndIn(BaseModel):
    """`day`: the first without districts; `decision`: number and date of who decided."""

    day: Day | None = None
    decision: str = ""

    def wish(self) -> ending_districts.Wish:
        return ending_districts.Wish(self.day or date.min, self.decision)


class DistrictOut(BaseModel):
    """`parent`: what its communes lie in from then on, by name; `communes` by id; `stations` are its own, by name."""

    id: str
    name: str
    code: str
    parent: str
    communes: list[str]
    stations: list[str]
    clusters: int

    @classmethod
    def of(cls, each: ending_districts.District) -> DistrictOut:
        area = each.area
        return cls(
            id=area.id,
            name=area.name,
            code=area.code,
            parent=each.parent,
            communes=[one.id for one in each.communes],
            stations=list(each.stations),
            clusters=each.clusters,
        )


class EndOut(BaseModel):
    """What the end of the district level changes: see `services.ending_districts.Outlook`. `districts`: communes by
    district, both by id; `ends`: all that is told of each district."""

    day: date
    communes: int
    districts: dict[str, list[str]]
    ends: list[DistrictOut]
    on_air: list[str]
    waiting: list[str]
    groups: list[str]
    people: list[str]

    @classmethod
    def of(cls, seen: ending_districts.Outlook) -> EndOut:
        return cls(
            day=seen.wish.day,
            communes=seen.communes,
            ends=[DistrictOut.of(each) for each in seen.districts],
            districts={each.area.id: [one.id for one in each.communes] for each in seen.districts},
            on_air=list(seen.on_air),
            waiting=list(seen.waiting),
            groups=list(seen.groups),
            people=list(seen.people),
        )


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


@router.post("/districts/preview")
def look_at_end(office: TheOffice, caller: Caller, told: EndIn) -> EndOut:
    return EndOut.of(ending_districts.outlook(office.ctx, caller, told.wish()))


@router.post("/districts/end")
def end(office: TheOffice, caller: Caller, told: EndIn) -> EndOut:
    """The district level ends, in one act."""
    return EndOut.of(ending_districts.end_as(office.ctx, caller, told.wish()))


@router.get("/{area_id}/undo")
def look_at_undo(office: TheOffice, caller: Caller, area_id: str) -> UndoneOut:
    return UndoneOut.of(look_back(office.ctx, caller, area_id))


@router.post("/{area_id}/undo")
def undo(office: TheOffice, caller: Caller, area_id: str, told: UndoIn) -> UndoneOut:
    return UndoneOut.of(undo_as(office.ctx, caller, area_id, told.decision))
