"""/api/v1/sounds: chimes, openings and closings that are kept, and the chime that a station's form begins with."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel

from controller.api.deps import Caller, TheOffice
from controller.services import sounds
from controller.services.sounds import Known

router = APIRouter(prefix="/api/v1")


class SoundIn(BaseModel):
    """Nothing is required here, so that who has no right to ask hears that first. `kind`: chime, intro, outro; without
    an area: the widest in which the caller writes."""

    kind: str = "chime"
    name: str = ""
    asset: str = ""
    area: str = ""


class SoundOut(BaseModel):
    """`mine`: the caller may give it up."""

    id: str
    kind: str
    name: str
    asset: str
    duration_ms: int
    mine: bool

    @classmethod
    def of(cls, it: Known) -> SoundOut:
        asset = it.asset
        told = {"kind": it.kind, "name": it.title, "asset": asset.sha256, "mine": it.mine}
        return cls(id=it.id, duration_ms=asset.duration_ms, **told)


class ChimeIn(BaseModel):
    asset: str = ""
    """Empty: none."""


@router.get("/sounds")
def every(office: TheOffice, caller: Caller) -> list[SoundOut]:
    """Of the caller's area and of all above it."""
    with office.ctx.db.read() as session:
        return [SoundOut.of(each) for each in sounds.offered(session, caller)]


@router.post("/sounds", status_code=201)
def add(office: TheOffice, caller: Caller, told: SoundIn) -> SoundOut:
    name = sounds.keep(office.ctx, caller, told.kind, told.name, told.asset, told.area)
    return next(each for each in every(office, caller) if each.id == name)


@router.post("/sounds/{sound_id}/drop", status_code=204)
def drop(office: TheOffice, caller: Caller, sound_id: str) -> None:
    sounds.drop(office.ctx, caller, sound_id)


@router.post("/stations/{station_id}/chime", status_code=204)
def choose(office: TheOffice, caller: Caller, station_id: str, told: ChimeIn) -> None:
    sounds.choose_chime(office.ctx, caller, station_id, told.asset)
