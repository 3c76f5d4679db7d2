"""/api/v1/feedback: what citizens said, and what they were answered (R-028)."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter, Response
from pydantic import BaseModel

from controller.api.deps import Caller, TheOffice
from controller.services import feedback
from controller.services.feedback import Line, Said

router = APIRouter(prefix="/api/v1/feedback")


class FeedbackOut(BaseModel):
    """`contact` only for who may answer. `broadcast`, `cluster`: what it is about; `on_air`: the broadcast that answers
    it."""

    id: str
    area: str
    channel: str
    text: str
    broadcast: str | None
    cluster: str | None
    contact: str
    contact_erased_at: datetime | None
    received_at: datetime
    taken_by: str
    answer: str
    answered_at: datetime | None
    answered_by: str
    on_air: str | None

    @classmethod
    def of(cls, line: Line) -> FeedbackOut:
        row = line.row
        return cls(
            id=row.id,
            area=row.area_id,
            channel=row.channel,
            text=row.text,
            broadcast=row.broadcast_id,
            cluster=row.cluster_id,
            contact=line.contact,
            contact_erased_at=row.contact_erased_at,
            received_at=row.received_at,
            taken_by=row.taken_by,
            answer=row.answer,
            answered_at=row.answered_at,
            answered_by=row.answered_by,
            on_air=row.answer_broadcast_id,
        )


class FeedbackIn(BaseModel):
    """Nothing is required here, so that who has no right to write hears that first. `channel`: person, phone, paper,
    online, other. `contact`: only where he wants to be told."""

    text: str = ""
    channel: str = "person"
    area: str = ""
    broadcast: str = ""
    cluster: str = ""
    contact: str = ""


class AnswerIn(BaseModel):
    """`broadcast`: the one that says it on air."""

    text: str = ""
    broadcast: str = ""


class LinkIn(BaseModel):
    broadcast: str = ""


@router.get("")
def every(office: TheOffice, caller: Caller, state: str = "") -> list[FeedbackOut]:
    """`state`: open, answered; without it all. The newest first."""
    with office.ctx.db.read() as session:
        return [FeedbackOut.of(line) for line in feedback.every(session, caller, state)]


@router.post("", status_code=201)
def take(office: TheOffice, caller: Caller, told: FeedbackIn) -> FeedbackOut:
    said = Said(told.text, told.channel, told.area, told.broadcast, told.cluster, told.contact)
    return _one(office, caller, feedback.take(office.ctx, caller, said))


@router.get("/{feedback_id}")
def one(office: TheOffice, caller: Caller, feedback_id: str) -> FeedbackOut:
    return _one(office, caller, feedback_id)


@router.post("/{feedback_id}/answer")
def answer(office: TheOffice, caller: Caller, feedback_id: str, told: AnswerIn) -> FeedbackOut:
    feedback.answer(office.ctx, caller, feedback_id, told.text, told.broadcast)
    return _one(office, caller, feedback_id)


@router.post("/{feedback_id}/link")
def link(office: TheOffice, caller: Caller, feedback_id: str, told: LinkIn) -> FeedbackOut:
    feedback.link(office.ctx, caller, feedback_id, told.broadcast)
    return _one(office, caller, feedback_id)


@router.post("/{feedback_id}/erase-contact", status_code=204)
def erase_contact(office: TheOffice, caller: Caller, feedback_id: str) -> Response:
    feedback.erase_contact(office.ctx, caller, feedback_id)
    return Response(status_code=204)


def _one(office: TheOffice, caller: Caller, feedback_id: str) -> FeedbackOut:
    with office.ctx.db.read() as session:
        return FeedbackOut.of(feedback.one(session, caller, feedback_id))
