"""Map pictures from a tile server: which addresses are one, and which pictures lie below a piece of land."""

from __future__ import annotations

import pytest

from broadcasts.domain import tiles
from broadcasts.errors import Refused

TEMPLATE = "https://tiles.example.vn:8443/v1/{z}/{x}/{y}.png?key=k"


def test_only_the_origin_is_opened() -> None:
    found = tiles.read(TEMPLATE, " © Ai đó ")
    assert found is not None
    assert (found.origin, found.attribution) == ("https://tiles.example.vn:8443", "© Ai đó")
    assert tiles.read("", "") is None
    assert tiles.read("http://127.0.0.1:9/{z}/{x}/{y}", "x") is not None


@pytest.mark.parametrize(
    ("template", "why"),
    [
        ("http://tiles.example.vn/{z}/{x}/{y}.png", "scheme"),
        ("ftp://tiles.example.vn/{z}/{x}/{y}.png", "scheme"),
        ("https://a:b@tiles.example.vn/{z}/{x}/{y}.png", "letters"),
        ("https://{x}.example.vn/{z}/{y}.png", "host"),
        ("https:///{z}/{x}/{y}.png", "host"),
        ("https://tiles.example.vn:99999/{z}/{x}/{y}.png", "host"),
        ("https://tiles.example.vn/{z}/{x}.png", "gaps"),
        ("https://tiles.example.vn/{z}/{z}/{x}/{y}.png", "gaps"),
        ("https://{s}.tiles.example.vn/{z}/{x}/{y}.png", "host"),
        ("https://tiles.example.vn/{s}/{z}/{x}/{y}.png", "gaps"),
        ("https://tiles.example.vn;script-src *//{z}/{x}/{y}.png", "letters"),
        ("https://tiles.example.vn/{z}/{x}/{y}.png\n", "letters"),
    ],
)
def test_what_is_no_address_of_a_tile_server_is_refused_with_why(template: str, why: str) -> None:
    with pytest.raises(Refused) as refused:
        tiles.read(template, "© Ai đó")
    assert (refused.value.key, refused.value.fields["why"]) == ("settings.tiles", why)


def test_without_saying_whose_they_are_none_are_shown() -> None:
    with pytest.raises(Refused) as refused:
        tiles.read(TEMPLATE, " ")
    assert refused.value.fields["why"] == "attribution"


@pytest.mark.parametrize(
    ("west", "south", "east", "north"),
    [(106.3, 9.5, 106.5, 9.7), (102.1, 8.4, 109.5, 23.4), (106.1, 9.60, 106.12, 9.62)],
)
def test_the_land_is_covered_without_a_gap_by_a_few_pictures(
    west: float, south: float, east: float, north: float
) -> None:
    reader = tiles.read(TEMPLATE, "x")
    assert reader is not None
    found = reader.below(west, south, east, north)
    assert 2 <= len(found) <= tiles.MOST
    assert min(each.west for each in found) <= west < east <= max(each.east for each in found)
    assert min(each.south for each in found) <= south < north <= max(each.north for each in found)
    assert len({each.address for each in found}) == len(found)
    for one in found:
        inner = [each for each in found if (each.south, each.west) == (one.south, one.east)]
        assert inner or one.east >= east


def test_a_known_tile_is_where_the_world_has_it() -> None:
    """Hoan Kiem lake in Ha Noi at zoom 16, reckoned beforehand by the other form of the formula: ln(tan + sec)."""
    assert tiles._spot(105.8525, 21.0287, 16) == (52037, 28850)
