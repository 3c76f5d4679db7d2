"""Partly, everywhere or nowhere, or in line: where a priority bulletin goes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broadcasts.domain.model import Priority, Slot
from broadcasts.domain.routing import Routing, Unreached, Want, route
from broadcasts.ids import AssetId, BroadcastId, ClusterId, DeliveryId

NOON = datetime(2026, 3, 3, 5, 0, tzinfo=UTC)


def slot(name: str, cluster: int, begin: int, seconds: int = 60, level: int = 2, rank: int = 0) -> Slot:
    return Slot(
        DeliveryId(name), BroadcastId(name), ClusterId(f"cl-{cluster}"), AssetId("0" * 64),
        NOON + timedelta(seconds=begin), timedelta(seconds=seconds), Priority(level), rank,
    )  # fmt: skip


def wants(*clusters: int, shut: int = 0) -> list[Want]:
    return [Want(slot(f"w{each}", each, 100), NOON, each == shut) for each in clusters]


TAKEN = slot("other", 1, 80)
"""Began earlier at the first cluster, and sounds until 40 s after the wanted start."""


def test_partly_goes_where_the_horn_is_free_and_says_where_it_is_not() -> None:
    assert route(Routing.PARTIAL, wants(1, 2, 3), [TAKEN]) == {"w1": Unreached.BUSY}


def test_all_or_none_goes_nowhere_when_one_cluster_is_taken_or_shut() -> None:
    none = {"w1": Unreached.BUSY, "w2": Unreached.NOT_ALL, "w3": Unreached.NOT_ALL}
    assert route(Routing.ALL_OR_NONE, wants(1, 2, 3), [TAKEN]) == none
    assert route(Routing.ALL_OR_NONE, wants(1, 2, shut=2), []) == {"w1": Unreached.NOT_ALL}
    assert route(Routing.ALL_OR_NONE, wants(2, 3), [TAKEN]) == {}


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        (Routing.PARTIAL, Unreached.BUSY),
        (Routing.ALL_OR_NONE, Unreached.BUSY),
        (Routing.STACKED, Unreached.BUSY_TOO_LONG),
    ],
)
def test_two_languages_or_the_parts_of_a_programme_go_together_or_not_at_all(kind: Routing, why: Unreached) -> None:
    """Nobody hears the chime and not the bulletin."""
    chime = [Want(slot(f"c{each}", each, 10), NOON) for each in (1, 2)]
    found = route(kind, [*chime, *wants(1, 2)], [TAKEN])
    assert (found["c1"], found["w1"]) == (why, why)
    assert ("c2" in found) == (kind is Routing.ALL_OR_NONE)


def test_another_day_is_another_decision() -> None:
    tomorrow = [replace(each, occurrence=NOON + timedelta(days=1)) for each in wants(4)]
    assert route(Routing.ALL_OR_NONE, [*wants(1, 2), *tomorrow], [TAKEN]).keys() == {"w1", "w2"}


def test_in_line_it_waits_no_longer_than_it_may() -> None:
    assert route(Routing.STACKED, wants(1, 2), [TAKEN], timedelta(seconds=40)) == {}
    late = {"w1": Unreached.BUSY_TOO_LONG}
    assert route(Routing.STACKED, wants(1, 2), [TAKEN], timedelta(seconds=39)) == late
    behind = slot("next", 1, 150, rank=1)
    assert route(Routing.STACKED, wants(1), [TAKEN, behind], timedelta(seconds=109)) == late
    assert route(Routing.STACKED, wants(1), [TAKEN, behind], timedelta(seconds=110)) == {}


def test_what_goes_after_it_is_not_in_its_way() -> None:
    lower = [slot("lower", 1, 80, level=3), slot("later", 1, 120)]
    for kind in Routing:
        assert route(kind, wants(1, 2), lower) == {}


others = st.lists(
    st.builds(slot, st.sampled_from("abcdef"), st.integers(1, 4), st.integers(0, 200), st.integers(1, 90),
              st.sampled_from([1, 2, 3]), st.integers(0, 2)), max_size=8
)  # fmt: skip


@given(others, st.integers(0, 4))
def test_all_or_none_is_all_or_none(there: list[Slot], shut: int) -> None:
    found = route(Routing.ALL_OR_NONE, wants(1, 2, 3, 4, shut=shut), there)
    assert len(found) in (0, 4 - (shut > 0))


@given(others)
def test_in_line_reaches_no_fewer_than_partly_and_more_patience_never_fewer(there: list[Slot]) -> None:
    reached = [
        set(route(Routing.STACKED, wants(1, 2, 3, 4), there, timedelta(seconds=most))) for most in (0, 30, 60, 600)
    ]
    assert set(route(Routing.PARTIAL, wants(1, 2, 3, 4), there)) == reached[0]
    assert all(later <= earlier for earlier, later in pairwise(reached))
    assert not reached[-1]


@given(others, st.builds(slot, st.just("z"), st.integers(1, 4), st.integers(0, 200), level=st.just(3)))
def test_adding_something_of_a_lower_class_changes_nothing(there: list[Slot], lower: Slot) -> None:
    for kind in Routing:
        assert route(kind, wants(1, 2, 3, 4), [*there, lower]) == route(kind, wants(1, 2, 3, 4), there)


@pytest.mark.parametrize("kind", [Routing.PARTIAL, Routing.STACKED])
def test_what_is_shut_already_is_not_counted_twice(kind: Routing) -> None:
    assert route(kind, wants(1, shut=1), [TAKEN]) == {}
