"""The life of a delivery as a table."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broadcasts.domain.delivery import MOVES, OPEN, Actor, State, check_move
from broadcasts.errors import Conflict

LEGAL = {
    "planned": "published ready playing played preempted missed failed withdrawn",
    "published": "ready playing played preempted missed failed withdrawn",
    "ready": "published playing played preempted missed failed withdrawn",
    "playing": "played preempted missed failed withdrawn",
    "preempted": "playing played missed failed withdrawn",
    "withdrawn": "planned playing played preempted missed failed",
    "played": "",
    "missed": "",
    "failed": "",
}
"""Written out by hand: from, and where it may go."""
CONTROLLERS = {("planned", "published"), ("withdrawn", "planned")} | {
    (state, "withdrawn") for state in ("planned", "published", "ready", "playing", "preempted")
}


@pytest.mark.parametrize("before", State)
@pytest.mark.parametrize("after", State)
def test_every_move_is_legal_for_one_side_or_refused(before: State, after: State) -> None:
    for actor in Actor:
        mine = (str(before), str(after)) in CONTROLLERS
        if str(after) in LEGAL[before].split() and mine is (actor is Actor.CONTROLLER):
            check_move(before, after, actor)
        else:
            with pytest.raises(Conflict) as caught:
                check_move(before, after, actor)
            assert (caught.value.key, caught.value.fields["before"]) == ("illegal_move", before)


def test_every_state_is_reached_from_the_first_and_every_open_one_can_end() -> None:
    reached = {State.PLANNED}
    while more := {after for before, after in MOVES if before in reached} - reached:
        reached |= more
    assert reached == set(State)
    ends = {State.PLAYED, State.MISSED, State.FAILED}
    assert all(any((state, end) in MOVES for end in ends) for state in OPEN)
    assert OPEN.isdisjoint(ends | {State.WITHDRAWN})


@given(st.randoms(use_true_random=False), st.integers(1, 40))
def test_a_life_of_legal_moves_only_ends_where_nothing_follows(chance: random.Random, length: int) -> None:
    state, lived = State.PLANNED, [State.PLANNED]
    for _ in range(length):
        onward = [(after, actor) for (before, after), actor in MOVES.items() if before is state]
        if not onward:
            break
        state, actor = chance.choice(onward)
        check_move(lived[-1], state, actor)
        lived.append(state)
    for final in (State.PLAYED, State.MISSED, State.FAILED):
        assert final not in lived[:-1]
    # The controller takes things away, and never makes anything sound.
    assert all(
        MOVES[before, after] is Actor.UNIT
        for before, after in pairwise(lived)
        if after in (State.PLAYING, State.PLAYED)
    )
