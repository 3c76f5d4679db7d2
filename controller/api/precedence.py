"""/api/v1/priority-clashes: two priority broadcasts that want the same horn, and which of them goes first."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from controller.api.deps import Caller, TheOffice
from controller.services.precedence import LONGEST_REASON, PriorityClash, decide, priority_clashes

router = APIRouter(prefix="/api/v1/priority-clashes")


class SideOut(BaseModel):
    """`above`: it comes from another station than the one whose horns these are."""

    broadcast: str
    title: str
    station: str
    above: bool


class DecidedOut(BaseModel):
    first: str
    by: str
    at: datetime
    reason: str


class ClashOut(BaseModel):
    """`winner` goes first as things stand; `times`: at how many instants of the next 7 days they meet."""

    station: str
    station_name: str
    winner: SideOut
    loser: SideOut
    since: datetime
    times: int
    clusters: list[str]
    decided: DecidedOut | None

    @classmethod
    def of(cls, it: PriorityClash) -> ClashOut:
        return cls(
            station=it.station,
            station_name=it.station_name,
            winner=SideOut(**vars(it.winner)),
            loser=SideOut(**vars(it.loser)),
            since=it.since,
            times=it.times,
            clusters=list(it.clusters),
            decided=DecidedOut(**vars(it.decided)) if it.decided else None,
        )


class PrecedenceIn(BaseModel):
    """`first` goes before `second` at the horns of `station`."""

    model_config = ConfigDict(extra="forbid")
    station: str = Field(max_length=40)
    first: str = Field(max_length=40)
    second: str = Field(max_length=40)
    reason: str = Field(max_length=LONGEST_REASON)
    push_now: bool = False


@router.get("")
def every(office: TheOffice, caller: Caller) -> list[ClashOut]:
    return [ClashOut.of(it) for it in priority_clashes(office.ctx, caller)]


@router.post("")
def say_who(office: TheOffice, caller: Caller, told: PrecedenceIn) -> list[ClashOut]:
    """The clashes as they stand afterwards."""
    decide(office.ctx, caller, told.station, told.first, told.second, told.reason, told.push_now)
    return every(office, caller)
