"""The first password for programs: what the page asks of a person at the first log-in."""

from __future__ import annotations

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from broadcasts.errors import Refused
from controller.api.deps import TheOffice, basic
from controller.services.accounts import change_password as change
from controller.services.accounts import log_in, log_out, who

router = APIRouter(prefix="/api/v1")


class PasswordIn(BaseModel):
    model_config = ConfigDict(extra="forbid")
    new: str = Field(max_length=200)


@router.post("/password")
def change_password(request: Request, office: TheOffice, told: PasswordIn) -> dict[str, str]:
    """With the old password as HTTP Basic. Raises Refused as the page does."""
    credential = basic(request)
    if credential is None:
        raise Refused("login.first")
    token = log_in(office.ctx, *credential)
    actor = who(office.ctx, token)
    if actor is None:
        raise Refused("login.first")
    change(office.ctx, actor, credential[1], told.new)
    log_out(office.ctx, token)
    return {"name": actor.name}
