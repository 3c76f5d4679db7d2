"""/api/v1/live: who speaks live where, what each pole heard of it, and cutting it off.

A session is asked for, approved and begun at its page: whoever speaks needs the microphone of a browser. Ending one
needs none, so a program can, with the right that the page asks for.
"""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter
from fastapi.responses import Response
from pydantic import BaseModel

from controller.api.deps import Caller, TheOffice
from controller.services import live_sessions
from controller.services.rights import Right
from controller.services.views import voices
from controller.services.views.voices import Line

router = APIRouter(prefix="/api/v1")


class VoiceOut(BaseModel):
    id: str
    state: str
    """asked, approved, rejected, on_air, ended; over: the window passed unused."""
    emergency: bool
    priority: int
    kind: str
    reason: str
    speaker: str
    areas: list[str]
    clusters: int
    asked_at: datetime
    begins_at: datetime
    hard_end: datetime
    begun_at: datetime | None
    ended_at: datetime | None
    end_why: str
    ended_by: str
    may_stop: bool

    @classmethod
    def of(cls, line: Line) -> VoiceOut:
        row = line.row
        same = ("id", "priority", "kind", "reason", "asked_at", "begins_at", "hard_end", "begun_at", "ended_at")
        return cls(
            state=line.state, emergency=line.emergency, speaker=line.speaker, areas=list(line.places),
            clusters=len(row.clusters), end_why=row.end_why, ended_by=row.ended_by, may_stop=line.may_stop,
            **{name: getattr(row, name) for name in same},
        )  # fmt: skip


class PoleOut(BaseModel):
    cluster: str
    state: str
    """heard, played, silent, sounding, refused, no_word, away, no_unit."""
    begun_at: datetime | None
    played_ms: int
    lost_ms: int
    why: str


class WholeVoiceOut(VoiceOut):
    decided_by: str
    confirmed_by: str
    recording: str | None
    """The asset, once it is kept."""
    packets: int
    late: int
    first_heard_s: float | None
    """From the begin until the first pole said that it sounds."""
    poles: list[PoleOut]


@router.get("/live")
def every(office: TheOffice, caller: Caller) -> list[VoiceOut]:
    """Of the caller's area and 90 days: on air, then what waits, then the newest."""
    caller.need(Right.LOOK)
    with office.ctx.db.read() as session:
        return [VoiceOut.of(line) for line in voices.lines(session, caller, office.ctx.clock.now())]


@router.get("/live/{voice_id}")
def one(office: TheOffice, caller: Caller, voice_id: str) -> WholeVoiceOut:
    caller.need(Right.LOOK)
    with office.ctx.db.read() as session:
        found = voices.full(session, caller, voice_id, office.ctx.clock.now())
        return WholeVoiceOut(
            **VoiceOut.of(found.line).model_dump(),
            decided_by=found.decided_by,
            confirmed_by=found.confirmed_by,
            recording=found.asset.sha256 if found.asset else None,
            packets=found.line.row.packets,
            late=found.line.row.late,
            first_heard_s=found.after_s,
            poles=[
                PoleOut(
                    cluster=pole.cluster.id, state=pole.state, begun_at=pole.from_, played_ms=pole.played_ms,
                    lost_ms=pole.lost_ms, why=pole.why,
                )
                for pole in found.poles
            ],
        )  # fmt: skip


@router.post("/live/{voice_id}/stop", status_code=204)
def stop(office: TheOffice, caller: Caller, voice_id: str) -> Response:
    """As the button of its page: the speaker ends it with the chime, anybody else with a right over these poles cuts
    it off, and what has not begun is withdrawn."""
    live_sessions.stop(office.ctx, caller, voice_id, office.room)
    return Response(status_code=204)
