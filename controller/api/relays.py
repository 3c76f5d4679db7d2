"""/api/v1/relay-sources: which stations may be relayed, and where units receive them."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from broadcasts.domain.relay import USUAL_SILENCE, Relay
from broadcasts.errors import Refused
from controller.api.deps import Caller, TheOffice
from controller.services import relay_sources
from controller.services.office import Office
from controller.services.relay_sources import Entry, Told
from controller.services.rights import Actor, Right

router = APIRouter(prefix="/api/v1/relay-sources")


class RelayIn(BaseModel):
    """What makes a broadcast of origin "relay" one: its `asset` is the fallback."""

    model_config = ConfigDict(extra="forbid")
    source: str = Field(max_length=40)
    minutes: int
    silence_s: int = USUAL_SILENCE

    def relay(self) -> Relay:
        return Relay(self.source, self.minutes, self.silence_s)


class SourceIn(BaseModel):
    """Nothing is required, so that who has no right to ask hears that first."""

    model_config = ConfigDict(extra="forbid")
    name: str = Field("", max_length=200)
    kind: str = Field("", max_length=20)
    """vov, province, lower, other"""
    url: str = Field("", max_length=500)
    frequency_khz: int | None = None
    """This or `url`, one of both."""
    area: str = Field("", max_length=32)
    """Only stations in it may relay this one; empty: all of them."""

    def told(self) -> Told:
        return Told(self.name, self.kind, self.url, self.frequency_khz, self.area)


class SourceChangeIn(SourceIn):
    revision: int = -1

    def told(self) -> Told:
        return SourceIn(**self.model_dump(exclude={"revision"})).told()


class SourceOut(BaseModel):
    id: str
    name: str
    kind: str
    url: str
    frequency_khz: int | None
    area: str | None
    revision: int
    changed_at: datetime
    changed_by: str
    retired_at: datetime | None
    used: int
    """Relays of it that are approved or wait for a decision."""

    @classmethod
    def of(cls, it: Entry) -> SourceOut:
        row = it.source
        same = ("id", "name", "kind", "url", "frequency_khz", "revision", "changed_at", "changed_by", "retired_at")
        return cls(area=row.area_id, used=it.used, **{name: getattr(row, name) for name in same})


@router.get("")
def every(office: TheOffice, caller: Caller) -> list[SourceOut]:
    with office.ctx.db.read() as session:
        return [SourceOut.of(it) for it in relay_sources.entries(session, caller, office.ctx.clock.now())]


@router.post("", status_code=201)
def add(office: TheOffice, caller: Caller, told: SourceIn) -> SourceOut:
    return _one(office, caller, relay_sources.add(office.ctx, caller, told.told()))


@router.put("/{source_id}")
def change(office: TheOffice, caller: Caller, source_id: str, told: SourceChangeIn) -> SourceOut:
    """Where the address is another, everything that relays it waits for a new decision."""
    relay_sources.change(office.ctx, caller, source_id, told.told(), told.revision)
    return _one(office, caller, source_id)


@router.post("/{source_id}/retire")
def retire(office: TheOffice, caller: Caller, source_id: str) -> SourceOut:
    """What relays it leaves the air."""
    relay_sources.retire(office.ctx, caller, source_id)
    return _one(office, caller, source_id)


def _one(office: Office, caller: Actor, source_id: str) -> SourceOut:
    caller.need(Right.LOOK)
    with office.ctx.db.read() as session:
        for it in relay_sources.entries(session, caller, office.ctx.clock.now()):
            if it.source.id == source_id:
                return SourceOut.of(it)
    raise Refused("not_yours")
