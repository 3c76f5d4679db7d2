"""/api/v1/stations/{id}/regulation: a station's operating regulation, and what a change of it takes off the plans."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from controller.api.deps import Caller, TheOffice
from controller.api.patterns import Day
from controller.services.regulating import Misfit, Rules, Told, change, look, weigh

router = APIRouter(prefix="/api/v1/stations/{station_id}/regulation")

Windows = list[tuple[int, int]]
Ceilings = list[tuple[int, int, int]]


class RulesIn(BaseModel):
    """As `services.regulating.Rules`: minutes of the local day. `sites`: kind of site by cluster, of those that
    change."""

    model_config = ConfigDict(extra="forbid")
    number: str = Field(max_length=60)
    date: Day | None = None
    hours: Windows = Field(max_length=12)
    weekend: Windows | None = Field(None, max_length=12)
    normal: Windows | None = Field(None, max_length=12)
    ceilings: Ceilings = Field(default=[], max_length=12)
    special: Ceilings = Field(default=[], max_length=12)
    volume: int = 70
    emergency_volume: int = 100
    session: int | None = None
    day: int | None = None
    week: int | None = None
    early: str = Field("", max_length=5_000)
    content: str = Field("", max_length=5_000)
    sites: dict[str, str] = Field(default={}, max_length=2_000)

    def rules(self) -> Rules:
        told = self.model_dump(exclude={"sites", "revision"})
        fields: dict[str, Any] = {name: tuple(each) if isinstance(each, list) else each for name, each in told.items()}
        return Rules(**fields)


class ChangeIn(RulesIn):
    revision: int
    """The newest, as read."""


class MisfitOut(BaseModel):
    broadcast: str
    title: str
    start: datetime
    reason: str
    """quiet_hours, limit_session, limit_day, limit_week"""
    clusters: int

    @classmethod
    def of(cls, found: Misfit) -> MisfitOut:
        return cls(**vars(found))


class PastOut(BaseModel):
    revision: int
    at: datetime
    by: str
    rules: dict[str, object]


class RegulationOut(BaseModel):
    station: str
    revision: int
    number: str
    date: date | None
    hours: Windows
    weekend: Windows | None
    normal: Windows | None
    ceilings: Ceilings
    special: Ceilings
    volume: int
    emergency_volume: int
    session: int | None
    day: int | None
    week: int | None
    early: str
    content: str
    sites: dict[str, str]
    history: list[PastOut]

    @classmethod
    def of(cls, told: Told) -> RegulationOut:
        return cls(
            station=told.station.id,
            revision=told.station.regulation_revision,
            **vars(told.rules),
            sites={cluster.id: cluster.site for cluster in told.clusters},
            history=[PastOut(revision=row.revision, at=row.at, by=who, rules=row.rules) for row, who in told.history],
        )


@router.get("")
def read(office: TheOffice, caller: Caller, station_id: str) -> RegulationOut:
    return RegulationOut.of(look(office.ctx, caller, station_id))


@router.post("/preview")
def ahead(office: TheOffice, caller: Caller, station_id: str, told: RulesIn) -> list[MisfitOut]:
    """What these rules would take off the plans. Nothing is changed."""
    return [MisfitOut.of(each) for each in weigh(office.ctx, caller, station_id, told.rules(), told.sites)]


@router.put("")
def write(office: TheOffice, caller: Caller, station_id: str, told: ChangeIn) -> list[MisfitOut]:
    """What it took off the plans."""
    found = change(office.ctx, caller, station_id, told.rules(), told.revision, told.sites)
    return [MisfitOut.of(each) for each in found]
