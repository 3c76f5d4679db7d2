"""A shape on the map: how it is read, and who stands in it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broadcasts.domain.polygon import inside, read, told
from broadcasts.errors import Refused

SQUARE = ((0.0, 0.0), (10.0, 0.0), (10.0, 10.0), (0.0, 10.0))
HOLE = ((4.0, 4.0), (4.0, 6.0), (6.0, 6.0), (6.0, 4.0))
STEPS = st.integers(-3, 13).map(float)


@given(STEPS, STEPS)
def test_a_point_is_in_a_square_when_both_its_coordinates_are(x: float, y: float) -> None:
    assert inside(x, y, (SQUARE,)) == (0 <= x <= 10 and 0 <= y <= 10)


@given(STEPS, STEPS, st.integers(0, 3), st.booleans())
def test_neither_the_first_corner_nor_the_direction_of_an_outline_matters(
    x: float, y: float, first: int, back: bool
) -> None:
    slanted = ((0.0, 1.0), (9.0, 0.0), (12.0, 7.0), (3.0, 11.0))
    other = slanted[first:] + slanted[:first]
    assert inside(x, y, (other[::-1] if back else other,)) == inside(x, y, (slanted,))


def test_a_hole_is_outside_and_its_edge_is_not() -> None:
    polygon = (SQUARE, HOLE)
    assert [inside(5, 5, polygon), inside(4, 5, polygon), inside(3, 5, polygon)] == [False, True, True]


def test_where_two_shapes_overlap_or_one_crosses_itself_people_are_not_left_out() -> None:
    """A hamlet that was drawn twice hears it, too."""
    beside = [[x + 5, y] for x, y in SQUARE]
    both = read(geojson([SQUARE], [beside[::-1]], kind="MultiPolygon"))
    assert [inside(x, 5, both) for x in (2, 7, 12, 16)] == [True, True, True, False]
    star = read(geojson([[0, 10], [6, -8], [-9.5, 3], [9.5, 3], [-6, -8]]))
    assert [inside(0, 0, star), inside(0, 8, star), inside(7, -4, star)] == [True, True, False]
    loops = read(geojson([[0, 0], [4, 4], [4, 0], [0, 4]]))
    assert [inside(1, 2, loops), inside(3, 2, loops), inside(2, 1, loops)] == [True, True, False]


def geojson(*rings: Any, kind: str = "Polygon") -> str:
    return json.dumps({"type": kind, "coordinates": list(rings)})


def test_what_is_pasted_may_be_wrapped_as_programs_wrap_it() -> None:
    polygon = json.loads(geojson([*SQUARE, SQUARE[0]]))
    feature = {"type": "Feature", "geometry": polygon}
    for text in (polygon, feature, {"type": "FeatureCollection", "features": [feature]}):
        assert read(json.dumps(text)) == (SQUARE,)
    assert read(geojson([SQUARE], [SQUARE, HOLE], kind="MultiPolygon")) == (SQUARE, SQUARE, HOLE)
    assert read(geojson(SQUARE[::-1], HOLE[::-1])) == (SQUARE, HOLE)
    for shape in ((SQUARE,), (SQUARE, HOLE), (SQUARE, HOLE, SQUARE)):
        assert read(told(shape)) == shape
    assert (read("  "), told(())) == ((), "")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "json"),
        ("[" * 100_000, "json"),
        ("[1]", "kind"),
        ('{"type": "Point", "coordinates": [1, 2]}', "kind"),
        ('{"type": "Polygon", "coordinates": 7}', "kind"),
        ('{"type": "Polygon", "coordinates": [[[1], [2], [3]]]}', "points"),
        (geojson(SQUARE[:2]), "points"),
        (geojson(), "points"),
        (geojson([[0, 0], [181, 0], [0, 1]]), "degrees"),
        (geojson([[0, 0], ["1", 0], [0, 1]]), "degrees"),
        (geojson([[0, 0], [True, 0], [0, 1]]), "degrees"),
        (geojson([[0, 0], [10**400, 0], [0, 1]]), "degrees"),
        (geojson([[0, 0], [0, 1e999], [0, 1]]), "degrees"),
        ('{"type": "Polygon", "coordinates": [[[0, 0], [1, NaN], [1, 1]]]}', "degrees"),
        (geojson([[i / 100, i % 7] for i in range(2_001)]), "many"),
        (" " * 1 + "x" * 200_001, "many"),
    ],
)
def test_what_is_no_shape_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(Refused) as caught:
        read(text)
    assert (caught.value.key, caught.value.fields["why"]) == ("target.polygon", why)
