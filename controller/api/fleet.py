"""/api/v1/fleet: how the fleet is, how it went, and the past of one pole."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel

from broadcasts.domain.fault_classes import Urgency
from controller.api.deps import Caller, TheOffice
from controller.services.views import fleet, past, trends
from controller.services.views.fleet import Line

router = APIRouter(prefix="/api/v1")


class SoundOut(BaseModel):
    due: int
    sounded: int
    heard: int
    kept: bool
    """At least 99.5 % of them sounded."""


class LineOut(BaseModel):
    id: str
    name: str
    clusters: int
    connected: int
    reporting: int
    able: int
    day: SoundOut
    week: SoundOut
    faults: dict[str, int]
    oldest_fault: datetime | None
    data_mb: int
    quota_mb: int

    @classmethod
    def of(cls, line: Line) -> LineOut:
        same = ("id", "name", "clusters", "connected", "reporting", "able", "data_mb", "quota_mb")
        day, week = (
            SoundOut(due=each.due, sounded=each.sounded, heard=each.heard, kept=each.kept)
            for each in (line.day, line.week)
        )
        faults = {str(each): line.faults[each] for each in Urgency}
        told = {name: getattr(line, name) for name in same}
        return cls(day=day, week=week, faults=faults, oldest_fault=line.oldest, **told)


class FleetOut(BaseModel):
    total: LineOut
    lines: list[LineOut]

    @classmethod
    def of(cls, found: fleet.Overview) -> FleetOut:
        return cls(total=LineOut.of(found.total), lines=[LineOut.of(line) for line in found.lines])


class PeriodOut(BaseModel):
    first: date
    after: date
    due: int
    sounded: int
    heard: int
    availability: float | None
    data_mb: int
    faults: dict[str, int]
    mean_repair_s: float | None


class StretchOut(BaseModel):
    begin: datetime
    end: datetime | None
    kind: str
    about: str = ""


class PastOut(BaseModel):
    begin: datetime
    end: datetime
    link: list[StretchOut]
    """1 connected, ~ in part, 0 away; nothing: nobody knows."""
    power: list[StretchOut]
    """m mains, b battery, x most likely run empty."""
    plays: list[StretchOut]
    faults: list[StretchOut]
    works: list[StretchOut]


@router.get("/fleet")
def whole(caller: Caller, office: TheOffice) -> FleetOut:
    with office.ctx.db.read() as session:
        return FleetOut.of(fleet.overview(session, caller, office.ctx.clock.now()))


@router.get("/fleet/trends")
def how_it_went(
    caller: Caller, office: TheOffice, area: str = "", by: Annotated[Literal["week", "month"], Query()] = "week"
) -> list[PeriodOut]:
    ctx = office.ctx
    with ctx.db.read() as session:
        found = trends.trends(session, caller, area, by, ctx.clock.now(), ctx.history_keep)
    return [
        PeriodOut(
            first=each.first, after=each.after, due=each.due, sounded=each.sounded, heard=each.heard,
            availability=round(each.there / each.known, 4) if each.known else None, data_mb=each.data_mb,
            faults=dict(each.faults),
            mean_repair_s=each.mean_repair.total_seconds() if each.mean_repair is not None else None,
        )
        for each in found
    ]  # fmt: skip


@router.get("/fleet/{area_id}")
def one_commune(caller: Caller, office: TheOffice, area_id: str) -> FleetOut:
    with office.ctx.db.read() as session:
        return FleetOut.of(fleet.commune(session, caller, area_id, office.ctx.clock.now())[1])


@router.get("/clusters/{cluster_id}/history")
def one_past(
    caller: Caller, office: TheOffice, cluster_id: str, days: Annotated[int, Query(ge=1, le=30)] = 1
) -> PastOut:
    end = office.ctx.clock.now()
    with office.ctx.db.read() as session:
        it = past.past(session, caller, cluster_id, end - timedelta(days=days), end)
    return PastOut(
        begin=it.begin, end=it.end,
        link=[StretchOut(begin=each.begin, end=each.end, kind=each.mark) for each in it.link],
        power=[StretchOut(begin=each.begin, end=each.end, kind=each.mark) for each in it.power],
        plays=[StretchOut(begin=each.begin, end=each.end, kind=each.verdict, about=each.title) for each in it.plays],
        faults=[StretchOut(begin=each.begin, end=each.end, kind=each.code, about=each.id) for each in it.troubles],
        works=[StretchOut(begin=each.begin, end=each.end, kind="work", about=each.reason) for each in it.works],
    )  # fmt: skip
