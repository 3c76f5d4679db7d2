"""What units say of commands, out of the journal: accepted, then the result. The first result stands, also when it
comes after the end; it is late then, and written down as that."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from broadcasts.clock import from_unix_ms
from broadcasts.domain.command_life import MOVES, OPEN, Event, State, Who, answer, move
from broadcasts.wire.journal import CommandAccepted, CommandResult
from controller.db.tables import Command
from controller.services import audit
from controller.services.heard import Tally, printable

AHEAD = timedelta(hours=24)
"""A clock that is further off than the contract allows: the result counts, its time does not."""


def settle(
    session: Session,
    unit: str,
    told: Iterable[CommandAccepted | CommandResult],
    at: datetime,
    signed: bool,
    tally: Tally | None = None,
) -> int:
    """How many commands of this unit got their answer; what nobody asked for, what was asked of another unit, and what
    was answered before change nothing, and are counted. `at`: when it was taken in."""
    settled, odd = 0, tally.put_aside if tally is not None else []
    for entry in told:
        if isinstance(entry, CommandResult) and from_unix_ms(entry.at) > at + AHEAD:
            odd.append("command_future")
        row = session.get(Command, entry.command)
        if row is None or row.unit_id != unit:
            odd.append("command_unasked" if row is None else "command_foreign")
            continue
        before = State(row.state)
        if before in OPEN and row.expires_at <= at:
            # Nobody has looked since: the clock was first.
            before = MOVES[before, Event.TIME_OVER]
        event = answer(entry.done, entry.detail) if isinstance(entry, CommandResult) else Event.ACCEPT
        after = move(before, event, Who.UNIT)
        if after is None:
            if isinstance(entry, CommandResult):
                odd.append("command_repeated")
            continue
        row.state = after
        if isinstance(entry, CommandAccepted):
            row.accepted_at = at
            continue
        row.answered_at, row.done, row.signed = at, entry.done, signed
        row.detail, row.text = printable(entry.detail), printable(entry.text)
        settled += 1
        about = {"done": entry.done, "state": after, "signed": signed, "detail": row.detail, "journal": entry.seq}
        audit.record(session, at, unit, "command.answer", row.id, about)
    session.flush()
    return settled
