"""The life of a command as data: which move is legal, who may make it, and for how long each kind is waited for
(R-079). *Timed out* is what we know when a unit was told and said nothing: it may have done it, and is believed when
it says so late."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum


class State(StrEnum):
    ASKED = "asked"
    """Not said yet: no link, an older one is on its way, or its turn in an order has not come."""
    SENT = "sent"
    """It left, perhaps several times, and nobody knows whether it arrived."""
    ACCEPTED = "accepted"
    """The unit has it, and is at it."""
    DONE = "done"
    FAILED = "failed"
    """The unit tried, and could not."""
    REFUSED = "refused"
    """The unit would not, for a reason that the contract has."""
    EXPIRED = "expired"
    """It never left."""
    TIMED_OUT = "timed_out"
    """It left, and no result came in time. That is not a failure."""
    CANCELLED = "cancelled"
    """Taken back by a person before it left."""
    DONE_LATE = "done_late"
    FAILED_LATE = "failed_late"


class Event(StrEnum):
    SEND = "send"
    ACCEPT = "accept"
    DONE = "done"
    FAIL = "fail"
    REFUSE = "refuse"
    TIME_OVER = "time_over"
    CANCEL = "cancel"


class Who(StrEnum):
    PERSON = "person"
    """Who may command there; nobody else's word moves anything."""
    UNIT = "unit"
    """The one that was asked."""
    LINK = "link"
    CLOCK = "clock"


WHO: dict[Event, Who] = {
    Event.SEND: Who.LINK,
    Event.ACCEPT: Who.UNIT,
    Event.DONE: Who.UNIT,
    Event.FAIL: Who.UNIT,
    Event.REFUSE: Who.UNIT,
    Event.TIME_OVER: Who.CLOCK,
    Event.CANCEL: Who.PERSON,
}

OPEN = (State.ASKED, State.SENT, State.ACCEPTED)
_GIVEN_UP = (State.EXPIRED, State.TIMED_OUT, State.CANCELLED)
"""Yet a unit may have got it: we died between saying it and noting that, or its answer was long on the way."""
_ANSWERS = {Event.DONE: State.DONE, Event.FAIL: State.FAILED, Event.REFUSE: State.REFUSED}

MOVES: dict[tuple[State, Event], State] = {
    (State.ASKED, Event.SEND): State.SENT,
    (State.SENT, Event.SEND): State.SENT,
    (State.ACCEPTED, Event.SEND): State.ACCEPTED,
    (State.ASKED, Event.ACCEPT): State.ACCEPTED,
    (State.SENT, Event.ACCEPT): State.ACCEPTED,
    **{(state, event): after for state in OPEN for event, after in _ANSWERS.items()},
    (State.ASKED, Event.TIME_OVER): State.EXPIRED,
    (State.SENT, Event.TIME_OVER): State.TIMED_OUT,
    (State.ACCEPTED, Event.TIME_OVER): State.TIMED_OUT,
    (State.ASKED, Event.CANCEL): State.CANCELLED,
    **{(state, Event.DONE): State.DONE_LATE for state in _GIVEN_UP},
    **{(state, event): State.FAILED_LATE for state in _GIVEN_UP for event in (Event.FAIL, Event.REFUSE)},
}
"""(state, event) and what it becomes. Anything else changes nothing."""

TROUBLE = frozenset({State.FAILED, State.REFUSED, State.EXPIRED, State.TIMED_OUT, State.FAILED_LATE})
"""What a person has to look at."""

REFUSALS = frozenset({"alert", "playing", "busy", "bad args", "not supported", "not wanted"})
"""The unit's word when it would not (CONTRACT.md, section 10); any other word of one that is not done is a failure."""

LASTS: dict[str, timedelta] = {
    "quiet_test": timedelta(minutes=15),
    "capture": timedelta(minutes=15),
    "reboot": timedelta(minutes=30),
    "amplifier": timedelta(minutes=10),
    "volume": timedelta(minutes=10),
    "upload_log": timedelta(hours=1),
    "refetch": timedelta(hours=2),
}
"""How long each kind is waited for unless told: a volume that comes an hour late surprises people, a log does not."""


def move(state: State, event: Event, who: Who) -> State | None:
    """What it becomes; None when this changes nothing: not legal, or not theirs to say."""
    return MOVES.get((state, event)) if WHO[event] is who else None


def answer(done: bool, detail: str) -> Event:
    """Which event a unit's result is."""
    if done:
        return Event.DONE
    return Event.REFUSE if detail in REFUSALS else Event.FAIL


def is_late(state: State) -> bool:
    return state in (State.DONE_LATE, State.FAILED_LATE)
