"""The life of a command: every way through the table, and who may make each move."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broadcasts.domain.command_life import LASTS, MOVES, OPEN, REFUSALS, WHO, Event, State, Who, answer, is_late, move
from broadcasts.wire.status import CommandKind

ANSWERS = (Event.DONE, Event.FAIL, Event.REFUSE)
FINAL = {State.DONE, State.FAILED, State.REFUSED, State.DONE_LATE, State.FAILED_LATE}
TOLD = st.lists(st.tuples(st.sampled_from(Event), st.sampled_from(Who)), max_size=12)


def walk(told: list[tuple[Event, Who]]) -> list[State]:
    states = [State.ASKED]
    for event, who in told:
        states.append(move(states[-1], event, who) or states[-1])
    return states


@given(TOLD)
def test_whatever_is_told_in_whatever_order_the_first_answer_stands(told: list[tuple[Event, Who]]) -> None:
    states = walk(told)
    settled = [state for state in states if state in FINAL]
    assert len(set(settled)) <= 1
    assert not settled or states[-1] is settled[0]


@given(TOLD)
def test_without_a_word_of_the_unit_nothing_is_ever_accepted_done_or_failed(told: list[tuple[Event, Who]]) -> None:
    states = walk([(event, who) for event, who in told if who is not Who.UNIT])
    assert set(states) <= {State.ASKED, State.SENT, State.EXPIRED, State.TIMED_OUT, State.CANCELLED}


@given(TOLD)
def test_what_has_left_is_never_cancelled_and_what_has_not_never_times_out(told: list[tuple[Event, Who]]) -> None:
    states = walk(told)
    assert not (State.CANCELLED in states and {State.SENT, State.ACCEPTED} & set(states))
    assert State.TIMED_OUT not in states or {State.SENT, State.ACCEPTED} & set(states)


@given(TOLD, st.sampled_from(ANSWERS))
def test_an_answer_after_the_end_is_late_and_one_before_it_is_not(told: list[tuple[Event, Who]], last: Event) -> None:
    states = walk([each for each in told if each[0] not in ANSWERS])
    after = move(states[-1], last, Who.UNIT)
    assert after is not None, "an answer is never lost"
    assert is_late(after) is (states[-1] not in OPEN)


@given(st.sampled_from(State), st.sampled_from(Event), st.sampled_from(Who))
def test_only_whose_it_is_to_say_moves_anything(state: State, event: Event, who: Who) -> None:
    after = move(state, event, who)
    assert (after is None) is (WHO[event] is not who or (state, event) not in MOVES)


def test_every_state_can_be_reached_and_every_event_has_somebody() -> None:
    reached = {State.ASKED}
    while more := {after for (state, _), after in MOVES.items() if state in reached} - reached:
        reached |= more
    assert reached == set(State)
    assert set(WHO) == set(Event)


@pytest.mark.parametrize(
    ("done", "detail", "event"),
    [
        (True, "line closed", Event.DONE),
        (True, "alert", Event.DONE),
        (False, "alert", Event.REFUSE),
        (False, "not supported", Event.REFUSE),
        (False, "cut", Event.FAIL),
        (False, "a word of a newer unit", Event.FAIL),
        (False, "", Event.FAIL),
    ],
)
def test_a_refusal_is_told_from_a_failure_by_the_word(done: bool, detail: str, event: Event) -> None:
    assert answer(done, detail) is event
    assert "" not in REFUSALS


def test_every_kind_that_can_be_asked_has_its_own_time() -> None:
    assert set(LASTS) == set(CommandKind) - {CommandKind.OTHER}
