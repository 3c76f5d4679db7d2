"""Who holds the horn when several want it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from broadcasts.domain.model import Field, Priority, Slot
from broadcasts.domain.priority import clashes, order
from broadcasts.ids import AssetId, BroadcastId, ClusterId, DeliveryId
from broadcasts.wire.base import Level

NOON = datetime(2026, 3, 3, 5, 0, tzinfo=UTC)


def slot(name: str, begin: int = 0, seconds: int = 60, *, level: int = 3, rank: int = 0, cluster: str = "cl-1") -> Slot:
    return Slot(
        DeliveryId(name), BroadcastId(f"b-{name}"), ClusterId(cluster), AssetId("0" * 64),
        NOON + timedelta(seconds=begin), timedelta(seconds=seconds), Priority(level), rank,
    )  # fmt: skip


slots = st.builds(
    slot,
    st.text("abc", min_size=1, max_size=3),
    st.integers(0, 200),
    st.integers(1, 120),
    level=st.sampled_from([1, 2, 3]),
    rank=st.integers(-2, 2),
    cluster=st.sampled_from(["cl-1", "cl-2"]),
)


@pytest.mark.requirement("R-014", "R-022")
def test_there_are_exactly_three_priorities_and_the_lower_number_is_the_more_urgent() -> None:
    assert [(each.name, int(each)) for each in Priority] == [("EMERGENCY", 1), ("PRIORITY", 2), ("ORDINARY", 3)]
    assert min(slot("c", level=3), slot("b", level=2), slot("a", level=1), key=order).priority is Priority.EMERGENCY
    assert order(slot("z", begin=99, level=1)) < order(slot("a", level=2, rank=9)) < order(slot("a", level=3, rank=9))


@pytest.mark.requirement("R-014")
def test_the_wire_knows_the_same_three_and_no_fourth() -> None:
    level = TypeAdapter(Level)
    assert [level.validate_python(int(each)) for each in Priority] == [1, 2, 3]
    for none in (0, 4):
        with pytest.raises(ValidationError):
            level.validate_python(none)


@pytest.mark.requirement("R-021")
def test_a_field_is_one_of_six_numbers() -> None:
    assert [int(each) for each in Field] == [1, 2, 3, 4, 5, 6]


def test_inside_a_class_the_higher_rank_wins_then_the_earlier_start_then_the_smaller_name() -> None:
    in_order = [
        slot("z", begin=9, rank=2),
        slot("y", begin=1, rank=1),
        slot("x", begin=2, rank=1),
        slot("a", begin=3),
        slot("b", begin=3),
    ]
    mixed = [in_order[number] for number in (3, 0, 4, 2, 1)]
    assert sorted(mixed, key=order) == in_order


@given(slots, slots)
def test_of_two_exactly_one_goes_first(one: Slot, two: Slot) -> None:
    if one.delivery != two.delivery:
        assert (order(one) < order(two)) != (order(two) < order(one))


@given(slots, slots, slots)
def test_who_beats_the_beater_beats_the_beaten(one: Slot, two: Slot, three: Slot) -> None:
    if order(one) < order(two) < order(three):
        assert order(one) < order(three)


@given(st.lists(slots, min_size=1, unique_by=lambda each: each.delivery), slots)
def test_adding_a_lower_one_never_changes_the_winner(several: list[Slot], late: Slot) -> None:
    winner = min(several, key=order)
    if order(late) > order(winner):
        assert min([*several, late], key=order) == winner


@given(st.lists(slots, max_size=6, unique_by=lambda each: each.delivery))
def test_a_clash_is_every_overlap_at_one_cluster_and_nothing_else(several: list[Slot]) -> None:
    expected = {
        frozenset((one.delivery, two.delivery))
        for one in several
        for two in several
        if one.delivery != two.delivery and one.cluster == two.cluster and one.start < two.end and two.start < one.end
    }
    found = clashes(several)
    assert {frozenset((each.winner.delivery, each.loser.delivery)) for each in found} == expected
    assert len(found) == len(expected)
    for each in found:
        assert order(each.winner) < order(each.loser)
        assert each.since == max(each.winner.start, each.loser.start)
    assert [each.since for each in found] == sorted(each.since for each in found)


def test_what_ends_as_the_next_begins_clashes_with_nobody() -> None:
    assert list(clashes([slot("a", 0, 60), slot("b", 60, 60), slot("c", 0, 60, cluster="cl-2")])) == []
