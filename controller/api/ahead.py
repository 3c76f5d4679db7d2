"""/api/v1/dry-run: what will sound in the next days, for programs."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel

from controller.api.deps import Caller, TheOffice
from controller.services.views.dry_run import DAYS, DryRun, Line, dry_run

router = APIRouter(prefix="/api/v1")


class SoundOut(BaseModel):
    """One stretch of sound; `offset_ms` into the recording."""

    start: datetime
    end: datetime
    offset_ms: int
    volume: int


class LineOut(BaseModel):
    broadcast: str
    title: str
    priority: int
    start: datetime
    length_ms: int
    outcome: str
    """whole, moved, resumed, cut, displaced, quiet, late; or why no plan has it: quiet_hours, limit_session, limit_day,
    limit_week, no_unit"""
    sounds: list[SoundOut]
    by: list[str]
    """Titles of those that take the horn from it."""
    on_preempt: str
    first: bool
    waiting: bool
    begin: datetime
    """Of the playing that this is a piece of."""
    part: str
    """Of a programme: what this is of it (chime, intro, bulletin, relay, outro); "" outside."""
    part_title: str
    language: str
    goes_on: bool
    """A warning that sounds until somebody cancels it: no plan has this start yet."""
    relayed: str
    """Name of the station that sounds here; "" where it is no relay."""
    clusters: list[str]

    @classmethod
    def of(cls, line: Line) -> LineOut:
        same = ("broadcast", "title", "priority", "start", "outcome", "by", "on_preempt", "first", "waiting")
        more = ("begin", "language", "goes_on", "relayed")
        return cls(
            **{name: getattr(line, name) for name in (*same, *more)},
            part=line.part.kind if line.part else "",
            part_title=line.part.title if line.part else "",
            length_ms=round(line.length.total_seconds() * 1000),
            sounds=[
                SoundOut(
                    start=each.start,
                    end=each.end,
                    offset_ms=round(each.offset.total_seconds() * 1000),
                    volume=each.volume,
                )
                for each in line.sounds
            ],
            clusters=sorted(line.clusters),
        )


class DryRunOut(BaseModel):
    name: str
    since: datetime
    until: datetime
    clusters: list[str]
    lines: list[LineOut]

    @classmethod
    def of(cls, run: DryRun) -> DryRunOut:
        return cls(
            name=run.name,
            since=run.since,
            until=run.until,
            clusters=[cluster.id for cluster in run.clusters],
            lines=[LineOut.of(line) for line in run.lines],
        )


@router.get("/dry-run")
def look(
    office: TheOffice,
    caller: Caller,
    cluster: str = "",
    area: str = "",
    days: Annotated[int, Query(ge=1, le=DAYS)] = DAYS,
    waiting: bool = False,
) -> DryRunOut:
    """Of a cluster, of an area, or of all that the caller may see. `waiting`: as if what waits were approved."""
    ctx = office.ctx
    with ctx.db.read() as session:
        run = dry_run(session, caller, ctx.clock.now(), cluster=cluster, area=area, days=days, waiting=waiting)
    return DryRunOut.of(run)
