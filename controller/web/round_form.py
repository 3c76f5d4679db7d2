"""What a technician writes down on the page of a stop, as a browser without script sends it; and large forms with a
photo, for those who go on rounds."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import Depends

from broadcasts.domain.round_rules import Kind
from controller.services.rights import Right
from controller.services.round_entries import Told
from controller.services.views.rounds import StopPage
from controller.web.desk import Desk, large_form, person
from controller.web.upload import Posted


def technician(desk: Annotated[Desk, Depends(person)]) -> Desk:
    """Raises Refused("no_right") before anything of a large body is read."""
    desk.actor.need(Right.COMMAND)
    return desk


async def technician_form(desk: Annotated[Desk, Depends(technician)]) -> AsyncIterator[Desk]:
    async for read in large_form(desk):
        yield read


TechnicianForm = Annotated[Desk, Depends(technician_form)]


def entries(posted: Posted, it: StopPage) -> list[Told]:
    """Only what is new. `base` is the form's own name: sent twice, its entries are the same."""
    base, stop = posted.get("base"), it.line.stop.id
    found: list[Told] = []

    def add(kind: Kind, what: str, body: dict[str, Any]) -> None:
        found.append(Told(f"{base}-{what.replace('_', '-')}"[:40], stop, kind, body))

    for item in it.checklist:
        seen = posted.get(f"check.{item}")
        if seen and seen != it.seen.get(item):
            add(Kind.CHECK, f"c-{item}", {"item": item, "seen": seen})
    for name, value in posted.fields:
        part = name.removeprefix("part.")
        if part != name and value.strip() and value.strip() != str(it.parts.get(part, 0)):
            count = int(value) if value.strip().isascii() and value.strip().isdigit() and len(value) < 6 else -1
            add(Kind.PART, f"p-{part}", {"part": part, "count": count})
    outcome, note = posted.get("outcome"), posted.get("note")
    if outcome:
        add(Kind.FINISH, "finish", {"outcome": outcome, "note": note, "faults": _faults(posted)})
    elif note.strip():
        add(Kind.NOTE, "note", {"note": note})
    return found


def _faults(posted: Posted) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in posted.fields:
        fault = name.removeprefix("fault.")
        if fault != name and value:
            told = posted.get(f"revision.{fault}")
            seen = int(told) if told.isascii() and told.isdigit() and len(told) < 9 else None
            found[fault] = {"state": value, "revision": seen}
    return found
