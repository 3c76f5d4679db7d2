"""Which poles a CAP message means."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broadcasts.domain.cap import Circle, Place
from broadcasts.domain.cap_places import Found, Pole, find, kilometres

SQUARE = ((105.0, 9.0), (107.0, 9.0), (107.0, 11.0), (105.0, 11.0))
POLES = (
    Pole("in", 10.0, 106.0, frozenset({"1", "10"})),
    Pole("out", 20.0, 106.0, frozenset({"1", "11"})),
    Pole("nowhere", None, None, frozenset({"1", "12"})),
)
HERE = frozenset({"1", "10", "11", "12"})


def _find(*places: Place) -> Found:
    return find(places, POLES, ["VN"], HERE)


def test_a_polygon_means_what_stands_in_it_whichever_way_it_turns() -> None:
    for ring in (SQUARE, SQUARE[::-1]):
        assert _find(Place("x", polygons=(ring,))) == Found(("in",), (), 1)
    assert _find(Place("x", polygons=(SQUARE, SQUARE[::-1]))).poles == ("in",)


def test_a_code_means_all_below_it_also_without_a_position() -> None:
    assert _find(Place("x", geocodes=(("VN", "12"),))) == Found(("nowhere",), (), 0)
    assert _find(Place("x", geocodes=(("VN", "1"),))).poles == ("in", "out", "nowhere")
    assert _find(Place("x", polygons=(SQUARE,), geocodes=(("VN", "11"),))).poles == ("in", "out")


def test_of_a_place_that_says_nothing_here_a_person_has_to_choose() -> None:
    for place in (Place("x"), Place("x", geocodes=(("UGC", "10"),)), Place("x", geocodes=(("VN", "99"),))):
        assert _find(place) == Found((), ("x",), 0)
    assert _find(Place("x"), Place("y", polygons=(SQUARE,))) == Found(("in",), ("x",), 1)


def test_a_circle_is_measured_along_the_earth() -> None:
    degree = kilometres(0.0, 1.0, Circle(0.0, 0.0, 0.0))
    assert degree == pytest.approx(111.195, abs=0.01)
    assert kilometres(60.0, 1.0, Circle(60.0, 0.0, 0.0)) == pytest.approx(degree / 2, rel=0.001)
    near, far = Circle(10.0, 106.5, 54.0), Circle(10.0, 106.5, 55.0)
    assert _find(Place("x", circles=(near,))).poles == ()
    assert _find(Place("x", circles=(far,))).poles == ("in",)
    assert _find(Place("x", circles=(Circle(10.0, 106.0, 0.0),))).poles == ("in",)


@given(st.floats(-90, 90), st.floats(-180, 180), st.floats(-90, 90), st.floats(-180, 180))
def test_no_distance_is_more_than_half_round(a: float, b: float, c: float, d: float) -> None:
    there, back = kilometres(a, b, Circle(c, d, 0.0)), kilometres(c, d, Circle(a, b, 0.0))
    assert 0 <= there <= 20_016
    assert there == pytest.approx(back, abs=0.001)
