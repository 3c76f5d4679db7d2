"""The life of a delivery as data: which move is legal, and who may make it (design, section 5)."""

from __future__ import annotations

from enum import StrEnum

from broadcasts.errors import Conflict


class State(StrEnum):
    PLANNED = "planned"
    PUBLISHED = "published"
    READY = "ready"
    PLAYING = "playing"
    PLAYED = "played"
    PREEMPTED = "preempted"
    MISSED = "missed"
    FAILED = "failed"
    WITHDRAWN = "withdrawn"


class Actor(StrEnum):
    CONTROLLER = "controller"
    UNIT = "unit"


_BEFORE = (State.PLANNED, State.PUBLISHED, State.READY)
_AFTER = (State.PLAYED, State.PREEMPTED, State.MISSED, State.FAILED)

MOVES: dict[tuple[State, State], Actor] = {
    (State.PLANNED, State.PUBLISHED): Actor.CONTROLLER,
    (State.PUBLISHED, State.READY): Actor.UNIT,
    # The unit told before the broker told us that the plan had left; or it lost the file or the plan again.
    (State.PLANNED, State.READY): Actor.UNIT,
    (State.READY, State.PUBLISHED): Actor.UNIT,
    **{(state, State.PLAYING): Actor.UNIT for state in _BEFORE},
    **{(state, after): Actor.UNIT for state in (*_BEFORE, State.PLAYING) for after in _AFTER},
    # Displaced, then resumed.
    (State.PREEMPTED, State.PLAYING): Actor.UNIT,
    (State.PREEMPTED, State.PLAYED): Actor.UNIT,
    (State.PREEMPTED, State.MISSED): Actor.UNIT,
    (State.PREEMPTED, State.FAILED): Actor.UNIT,
    **{(state, State.WITHDRAWN): Actor.CONTROLLER for state in (*_BEFORE, State.PLAYING, State.PREEMPTED)},
    # A rule took it off and no longer says so; a person's word is not taken back like that.
    (State.WITHDRAWN, State.PLANNED): Actor.CONTROLLER,
    # The withdrawal did not reach the unit in time: what sounded is told as it was.
    **{(State.WITHDRAWN, state): Actor.UNIT for state in (State.PLAYING, *_AFTER)},
}
"""(from, to) and who may make the move. Anything else is refused."""

OPEN = frozenset((*_BEFORE, State.PLAYING, State.PREEMPTED))


def check_move(before: State, after: State, actor: Actor) -> None:
    """Raises Conflict("illegal_move") when the table does not have it."""
    if MOVES.get((before, after)) is not actor:
        raise Conflict("illegal_move", before=before, after=after, actor=actor)
