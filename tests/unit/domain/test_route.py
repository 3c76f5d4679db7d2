"""The order of a round: every pole once, always the same, and no longer than it came."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broadcasts.domain.route import Stop, distance_m, length_m, order

DEGREES = st.tuples(st.floats(8.5, 10.5), st.floats(103.0, 106.0))
STOPS = st.lists(DEGREES, max_size=14, unique=True).map(
    lambda found: [Stop(f"p{number:02}", *where) for number, where in enumerate(found)]
)


@given(STOPS, st.randoms(use_true_random=False))
def test_each_pole_is_visited_once_and_the_order_asked_in_changes_nothing(stops: list[Stop], chance: object) -> None:
    way = order(stops)
    assert sorted(stop.name for stop in way) == sorted(stop.name for stop in stops)
    turned = list(stops)
    chance.shuffle(turned)  # type: ignore[attr-defined]
    assert order(turned) == way


@given(STOPS)
def test_no_stretch_turned_round_would_make_the_way_shorter(stops: list[Stop]) -> None:
    way = order(stops)
    for begin in range(1, len(way)):
        for end in range(begin + 1, len(way)):
            turned = way[:begin] + way[begin : end + 1][::-1] + way[end + 1 :]
            assert length_m(way) <= length_m(turned) + 1e-3


@given(STOPS, DEGREES)
def test_from_where_he_begins_the_nearest_way_is_still_every_pole_once(
    stops: list[Stop], where: tuple[float, float]
) -> None:
    way = order(stops, Stop("home", *where))
    assert sorted(stop.name for stop in way) == sorted(stop.name for stop in stops)


@given(DEGREES, DEGREES)
def test_it_is_as_far_there_as_back_and_never_negative(one: tuple[float, float], other: tuple[float, float]) -> None:
    there, back = distance_m(Stop("a", *one), Stop("b", *other)), distance_m(Stop("b", *other), Stop("a", *one))
    assert there is not None
    assert there == pytest.approx(back)
    assert there >= 0


def test_a_degree_along_a_meridian_is_111_km() -> None:
    assert distance_m(Stop("a", 9.0, 105.0), Stop("b", 10.0, 105.0)) == pytest.approx(111_195, abs=1)


def test_poles_on_a_line_are_visited_along_the_line_and_those_nowhere_come_last() -> None:
    line = [Stop(f"p{place}", 10.0, 105.0 + place / 100) for place in (3, 0, 4, 1, 2)]
    way = order([*line, Stop("b", None, 105.0), Stop("a", None, None)])
    names = [stop.name for stop in way]
    assert names in ([f"p{n}" for n in range(5)] + ["a", "b"], [f"p{n}" for n in range(4, -1, -1)] + ["a", "b"])
    assert all((distance_m(one, other) or 0) < 1_200 for one, other in pairwise(way[:5]))
    assert order([]) == []
