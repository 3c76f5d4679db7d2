"""/api/v1: the same use cases as the pages, for programs."""

from __future__ import annotations

import os
import tempfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import AwareDatetime

from broadcasts.audio.store import told_as_faults
from broadcasts.errors import Refused
from controller.api.deps import Caller, TheOffice
from controller.api.models import (
    AssetOut,
    BroadcastOut,
    ClusterOut,
    CommandIn,
    CommandOut,
    DecisionIn,
    DeliveryOut,
    DraftIn,
    EditIn,
    HoldersOut,
    PreviewOut,
    RejectionIn,
    SlipOut,
)
from controller.services.approving import approve, as_it_stands, reject, withdraw
from controller.services.commanding import issue
from controller.services.composing import preview, submit
from controller.services.library import add_recording
from controller.services.office import Office
from controller.services.rescheduling import Extent, change
from controller.services.rights import Actor, Right
from controller.services.valid_approvals import end_of
from controller.services.views.broadcast import proof, whole
from controller.services.views.clusters import health, lines
from controller.services.views.commands import history
from controller.services.views.holders import holders
from controller.services.views.today import slips

router = APIRouter(prefix="/api/v1")


@router.post("/recordings", status_code=201)
async def add(request: Request, office: TheOffice, caller: Caller, name: str = "") -> AssetOut:
    """The file is the body; it goes to the disk as it comes, up to the limit."""
    caller.need(Right.COMPOSE)
    path = await run_in_threadpool(empty_file, office.upload_folder)
    try:
        await store_body(request, path, office.max_upload_bytes)
        return AssetOut.of(await run_in_threadpool(add_recording, office.ctx, caller, path, name[:120]))
    finally:
        await run_in_threadpool(path.unlink, True)


def empty_file(folder: Path) -> Path:
    with told_as_faults():
        folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix="upload-", dir=folder)
    os.close(handle)
    return Path(name)


async def store_body(request: Request, path: Path, limit: int) -> None:
    size = 0
    with path.open("wb", buffering=0) as file:
        async for chunk in request.stream():
            size += len(chunk)
            if size > limit:
                raise Refused(
                    "audio.too_large", size_mb=f"> {limit / 1_000_000:g}", limit_mb=round(limit / 1_000_000, 1)
                )
            with told_as_faults():
                await run_in_threadpool(file.write, chunk)


@router.get("/broadcasts")
def every(office: TheOffice, caller: Caller, status: Annotated[list[str] | None, Query()] = None) -> list[SlipOut]:
    caller.need(Right.LOOK)
    with office.ctx.db.read() as session:
        found = slips(session, caller, *(status or ("submitted", "approved", "rejected", "withdrawn")))
    return [SlipOut.of(slip) for slip in found]


@router.post("/broadcasts", status_code=201)
def create(office: TheOffice, caller: Caller, draft: DraftIn) -> BroadcastOut:
    return outcome(office, caller, submit(office.ctx, caller, draft.draft()))


@router.post("/broadcasts/preview")
def look_ahead(office: TheOffice, caller: Caller, draft: DraftIn) -> PreviewOut:
    return PreviewOut.of(preview(office.ctx, caller, draft.draft()))


@router.get("/broadcasts/{broadcast_id}")
def one(office: TheOffice, caller: Caller, broadcast_id: str) -> BroadcastOut:
    caller.need(Right.LOOK)
    return outcome(office, caller, broadcast_id)


@router.put("/broadcasts/{broadcast_id}")
def edit(office: TheOffice, caller: Caller, broadcast_id: str, draft: EditIn) -> BroadcastOut:
    """Answers with the broadcast that waits for approval now: a new one where something of it has sounded already."""
    told = DraftIn(**draft.model_dump(exclude={"revision"})).draft()
    return outcome(office, caller, change(office.ctx, caller, broadcast_id, told, Extent.ALL, revision=draft.revision))


@router.post("/broadcasts/{broadcast_id}/approve")
def say_yes(office: TheOffice, caller: Caller, broadcast_id: str, decision: DecisionIn) -> BroadcastOut:
    approve(office.ctx, caller, broadcast_id, decision.seen, decision.unusual, decision.until)
    return outcome(office, caller, broadcast_id)


@router.post("/broadcasts/{broadcast_id}/reject")
def say_no(office: TheOffice, caller: Caller, broadcast_id: str, decision: RejectionIn) -> BroadcastOut:
    reject(office.ctx, caller, broadcast_id, decision.seen, decision.reason)
    return outcome(office, caller, broadcast_id)


@router.post("/broadcasts/{broadcast_id}/withdraw")
def take_off(office: TheOffice, caller: Caller, broadcast_id: str) -> BroadcastOut:
    withdraw(office.ctx, caller, broadcast_id)
    return outcome(office, caller, broadcast_id)


@router.get("/broadcasts/{broadcast_id}/deliveries")
def deliveries(
    office: TheOffice, caller: Caller, broadcast_id: str, start: AwareDatetime | None = None
) -> list[DeliveryOut]:
    """Of the occurrence that starts at `start`; without it of the current one."""
    caller.need(Right.LOOK)
    with office.ctx.db.read() as session:
        whole(session, caller, broadcast_id)
        chosen: datetime | None = start
        found = proof(session, caller, broadcast_id, chosen, office.ctx.clock.now())
    return [DeliveryOut.of(row) for row in found.rows]


@router.get("/broadcasts/{broadcast_id}/holders")
def who_holds(office: TheOffice, caller: Caller, broadcast_id: str) -> HoldersOut:
    """Who may still play what was taken off the air."""
    caller.need(Right.LOOK)
    with office.ctx.db.read() as session:
        whole(session, caller, broadcast_id)
        return HoldersOut.of(holders(session, caller, broadcast_id, office.ctx.clock.now()))


@router.get("/clusters")
def clusters(office: TheOffice, caller: Caller) -> list[ClusterOut]:
    caller.need(Right.HEALTH)
    with office.ctx.db.read() as session:
        return [ClusterOut.of(line) for line in lines(session, caller, office.ctx.clock.now())]


@router.get("/clusters/{cluster_id}")
def cluster(office: TheOffice, caller: Caller, cluster_id: str) -> ClusterOut:
    with office.ctx.db.read() as session:
        return ClusterOut.of(health(session, caller, cluster_id, office.ctx.clock.now()).line)


@router.get("/clusters/{cluster_id}/commands")
def commands(office: TheOffice, caller: Caller, cluster_id: str) -> list[CommandOut]:
    with office.ctx.db.read() as session:
        return [CommandOut.of(line) for line in history(session, caller, cluster_id, office.ctx.clock.now())]


@router.post("/clusters/{cluster_id}/commands", status_code=201)
def command(office: TheOffice, caller: Caller, cluster_id: str, asked: CommandIn) -> CommandOut:
    """Taken down, which is not done: look at the list for what came of it."""
    lasts = None if asked.minutes is None else timedelta(minutes=asked.minutes)
    name = issue(office.ctx, caller, cluster_id, asked.kind, asked.args, lasts=lasts, sure=asked.sure)
    with office.ctx.db.read() as session:
        lines = history(session, caller, cluster_id, office.ctx.clock.now())
    return CommandOut.of(next(line for line in lines if line.command.id == name))


def outcome(office: Office, caller: Actor, broadcast_id: str) -> BroadcastOut:
    """The broadcast as it stands after something was done to it."""
    broadcast, seen = as_it_stands(office.ctx, caller, broadcast_id)
    with office.ctx.db.read() as session:
        it, until = whole(session, caller, broadcast_id), end_of(session, broadcast)
    return BroadcastOut.of(broadcast, it.bulletin.title, it.rendition.asset_sha256, seen, until)
