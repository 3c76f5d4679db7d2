"""Results of commands out of the journal: the first one stands, also when it comes after the end."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import update
from sqlalchemy.orm import Session

from broadcasts.wire.journal import CommandResult
from controller.db.tables import Command
from controller.services import audit
from controller.services.heard import printable


def settle(session: Session, unit: str, results: Iterable[CommandResult], at: datetime, signed: bool) -> int:
    """How many commands of this unit got their answer; what nobody asked for, or was answered before, changes
    nothing. `at`: when it was taken in."""
    settled = 0
    for result in results:
        values = {
            "answered_at": at,
            "done": result.done,
            "signed": signed,
            "detail": printable(result.detail),
            "text": printable(result.text),
        }
        mine = (Command.id == result.command, Command.unit_id == unit, Command.answered_at.is_(None))
        name = session.scalar(update(Command).where(*mine).values(**values).returning(Command.id))
        if name is None:
            continue
        settled += 1
        about = {"done": result.done, "signed": signed, "detail": printable(result.detail), "journal": result.seq}
        audit.record(session, at, unit, "command.answer", name, about)
    return settled
