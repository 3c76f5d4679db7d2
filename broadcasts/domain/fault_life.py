"""The life of a fault as data: which move is legal, and who may make it. A latched one ends only by proof of sound."""

from __future__ import annotations

from enum import StrEnum

from broadcasts.errors import Conflict


class State(StrEnum):
    NEW = "new"
    ACKNOWLEDGED = "acknowledged"
    IN_REPAIR = "in_repair"
    RESOLVED = "resolved"
    """Repaired, or gone by itself. What comes back is a new fault that names this one."""
    RESET = "reset"
    """Checked and closed."""


class Mover(StrEnum):
    CONTROLLER = "controller"
    PERSON = "person"


OPEN = (State.NEW, State.ACKNOWLEDGED, State.IN_REPAIR)
_BOTH = frozenset(Mover)
_PERSON = frozenset({Mover.PERSON})
MOVES: dict[tuple[State, State], frozenset[Mover]] = {
    (State.NEW, State.ACKNOWLEDGED): _PERSON,
    (State.NEW, State.IN_REPAIR): _PERSON,
    (State.ACKNOWLEDGED, State.IN_REPAIR): _PERSON,
    # Handed back: somebody else has to go.
    (State.ACKNOWLEDGED, State.NEW): _PERSON,
    (State.IN_REPAIR, State.ACKNOWLEDGED): _PERSON,
    # The controller, when the symptom is gone; a person, who repaired it: the controller checks that.
    **{(state, State.RESOLVED): _BOTH for state in OPEN},
    (State.RESOLVED, State.RESET): _BOTH,
}
"""(from, to) and who may make the move. Anything else is refused."""
NOTED = frozenset({State.RESOLVED})
"""Moves by a person into these say what was done."""


def check_move(before: State, after: State, mover: Mover) -> None:
    """Raises Conflict("illegal_move") when the table does not have it."""
    if mover not in MOVES.get((before, after), frozenset()):
        raise Conflict("illegal_move", before=before, after=after, actor=mover)


def moves_from(state: State) -> list[State]:
    """What a person may do next."""
    return [after for (before, after), movers in MOVES.items() if before is state and Mover.PERSON in movers]
