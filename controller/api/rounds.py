"""/api/v1/rounds: work lists by route, and what a phone sends of them when it has a signal again."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, ConfigDict, Field

from broadcasts.clock import VIETNAM
from broadcasts.errors import LoaError, Refused
from controller.api.broadcasts import empty_file
from controller.api.deps import Caller, TheOffice
from controller.services import photos, round_entries, rounds
from controller.services.office import Office
from controller.services.rights import Actor, Right
from controller.services.round_entries import Result, Told
from controller.services.views import rounds as views
from controller.services.views.rounds import RoundLine, RoundPage

router = APIRouter(prefix="/api/v1")
MOST_ENTRIES = 100
Milliseconds = Annotated[int, Field(ge=-(2**53), le=2**53)]


class RoundOut(BaseModel):
    id: str
    area: str
    day: date
    state: str
    technician: str
    stops: int
    left: int

    @classmethod
    def of(cls, line: RoundLine) -> RoundOut:
        row = line.row
        return cls(
            id=row.id, area=row.area_id, day=row.day, state=row.state, technician=line.who, stops=line.stops,
            left=line.left,
        )  # fmt: skip


class StopOut(BaseModel):
    id: str
    place: int
    cluster: str
    name: str
    latitude: float | None
    longitude: float | None
    leg_m: int | None
    state: str
    faults: list[str]
    bring: dict[str, int]
    finished_at: datetime | None


class WholeRoundOut(RoundOut):
    bring: dict[str, int]
    route: list[StopOut]


class RoundIn(BaseModel):
    """Nothing is required, so that who has no right to ask hears that first."""

    model_config = ConfigDict(extra="forbid")
    key: str = Field("", max_length=40)
    """Made by whoever asks, 8 to 40 letters, digits and hyphens: the same again gives the same round."""
    area: str = Field("", max_length=32)
    day: date | None = None
    routine: bool = True


class EntryIn(BaseModel):
    """Any JSON value where one is expected is taken in here and judged by itself, so that one broken entry stops no
    other."""

    model_config = ConfigDict(extra="ignore")
    id: Any = ""
    stop: Any = ""
    kind: Any = ""
    body: Any = None
    at_ms: Any = None

    def told(self) -> Told:
        """JSON can say halves of characters, which no database keeps: what has some is refused like what is not there,
        and answered under its own name where that is whole."""
        if not _whole(self.model_dump()):
            return Told(self.id if isinstance(self.id, str) and _whole(self.id) else "", "", "")
        at = self.at_ms if isinstance(self.at_ms, int) and not isinstance(self.at_ms, bool) else None
        texts = [each if isinstance(each, str) else "" for each in (self.id, self.stop, self.kind)]
        return Told(texts[0], texts[1], texts[2], self.body if isinstance(self.body, dict) else {}, at)


def _whole(value: object) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


class EntriesIn(BaseModel):
    model_config = ConfigDict(extra="forbid")
    entries: list[EntryIn] = Field(default_factory=list, max_length=MOST_ENTRIES)
    sent_ms: Milliseconds | None = None
    """The phone's clock when they left it."""


class ProblemOut(BaseModel):
    key: str
    detail: str
    fault: str | None


class ResultOut(BaseModel):
    id: str
    outcome: str
    """taken, known, conflict, refused"""
    problems: list[ProblemOut]

    @classmethod
    def of(cls, result: Result, say: Callable[[LoaError], str]) -> ResultOut:
        problems = [
            ProblemOut(key=error.key, detail=say(error), fault=fault or None) for fault, error in result.problems
        ]
        return cls(id=result.id, outcome=result.outcome, problems=problems)


@router.get("/rounds")
def every(office: TheOffice, caller: Caller, show: str = "mine") -> list[RoundOut]:
    """`show`: mine, all (of the areas that one looks after)."""
    if show not in ("mine", "all"):
        raise Refused("choice.unknown", name="show", value=show[:20])
    with office.ctx.db.read() as session:
        return [RoundOut.of(line) for line in views.lines(session, caller, every=show == "all")]


@router.post("/rounds", status_code=201)
def make(office: TheOffice, caller: Caller, told: RoundIn) -> WholeRoundOut:
    day = told.day or office.ctx.clock.now().astimezone(VIETNAM).date()
    name = rounds.make(office.ctx, caller, told.area, day, told.key, told.routine)
    return _one(office, caller, name)


@router.get("/rounds/{round_id}")
def one(office: TheOffice, caller: Caller, round_id: str) -> WholeRoundOut:
    return _one(office, caller, round_id)


@router.post("/rounds/{round_id}/start")
def start(office: TheOffice, caller: Caller, round_id: str) -> WholeRoundOut:
    rounds.start(office.ctx, caller, round_id)
    return _one(office, caller, round_id)


@router.post("/rounds/{round_id}/finish")
def finish(office: TheOffice, caller: Caller, round_id: str) -> WholeRoundOut:
    rounds.finish(office.ctx, caller, round_id)
    return _one(office, caller, round_id)


@router.post("/rounds/{round_id}/entries")
def entries(request: Request, office: TheOffice, caller: Caller, round_id: str, told: EntriesIn) -> list[ResultOut]:
    """One result for each, in order. What was taken, known or refused need not be sent again."""
    results = round_entries.take(office.ctx, caller, round_id, [each.told() for each in told.entries], told.sent_ms)
    say = _sayer(request, office, caller)
    return [ResultOut.of(result, say) for result in results]


@router.put("/rounds/{round_id}/photos/{entry_id}")
async def put_photo(
    request: Request, office: TheOffice, caller: Caller, round_id: str, entry_id: str,
    stop: str = "", which: str = "", at_ms: Milliseconds | None = None, sent_ms: Milliseconds | None = None,
) -> ResultOut:  # fmt: skip
    """The picture as it is, at most 12 MB; `entry_id` is made by the phone. The same again changes nothing."""
    caller.need(Right.COMMAND)
    path = await run_in_threadpool(empty_file, office.upload_folder)
    try:
        size = 0
        with path.open("wb", buffering=0) as file:
            async for chunk in request.stream():
                size += len(chunk)
                if size > photos.MOST_BYTES:
                    raise Refused("photo.large", most_mb=photos.MOST_BYTES // 1_000_000)
                await run_in_threadpool(file.write, chunk)
        told = Told(entry_id, stop, "photo", {"which": which}, at_ms)
        folder = office.upload_folder
        result = await run_in_threadpool(
            round_entries.take_photo, office.ctx, caller, round_id, told, path, folder, sent_ms
        )
    finally:
        await run_in_threadpool(path.unlink, True)
    return ResultOut.of(result, _sayer(request, office, caller))


def _sayer(request: Request, office: Office, caller: Actor) -> Callable[[LoaError], str]:
    """Failures as sentences in the language of whoever sent them."""
    sentence: Callable[[str, Office, LoaError], str] = request.app.state.sentence
    return lambda error: sentence(caller.language, office, error)


def _one(office: Office, caller: Actor, name: str) -> WholeRoundOut:
    with office.ctx.db.read() as session:
        it: RoundPage = views.one(session, caller, name)
    route = [
        StopOut(
            id=each.stop.id, place=each.stop.place, cluster=each.cluster.id, name=each.cluster.name,
            latitude=each.cluster.latitude, longitude=each.cluster.longitude, leg_m=each.stop.leg_m,
            state=each.stop.state, faults=list(each.stop.faults), bring=dict(each.bring),
            finished_at=each.stop.finished_at,
        )
        for each in it.stops
    ]  # fmt: skip
    return WholeRoundOut(**RoundOut.of(it.line).model_dump(), bring=dict(it.bring), route=route)
