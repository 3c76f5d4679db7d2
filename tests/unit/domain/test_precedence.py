"""Decisions of a commune about its priority broadcasts become ranks."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broadcasts.domain.model import Priority, Slot
from broadcasts.domain.precedence import Precedence, ranks, standing
from broadcasts.domain.priority import order
from broadcasts.ids import AssetId, BroadcastId, ClusterId, DeliveryId

NAMES = [BroadcastId(name) for name in "abcde"]
NOON = datetime(2026, 3, 3, 5, 0, tzinfo=UTC)
one_decision = st.builds(Precedence, st.sampled_from(NAMES), st.sampled_from(NAMES))
several = st.lists(one_decision, max_size=12)


def over(first: str, second: str) -> Precedence:
    return Precedence(BroadcastId(first), BroadcastId(second))


def test_without_a_decision_nobody_has_a_rank() -> None:
    assert ranks([]) == {}


def test_who_goes_first_has_the_higher_rank() -> None:
    assert ranks([over("a", "b")]) == {"a": 1, "b": 0}


def test_a_second_decision_leaves_the_first_as_it_was_decided() -> None:
    found = ranks([over("a", "b"), over("b", "c")])
    assert found["a"] > found["b"] > found["c"]


def test_the_same_two_decided_anew_go_the_new_way() -> None:
    assert ranks([over("a", "b"), over("b", "a")]) == {"b": 1, "a": 0}


def test_of_a_circle_the_oldest_decision_falls() -> None:
    oldest, newer, newest = over("a", "b"), over("b", "c"), over("c", "a")
    assert standing([oldest, newer, newest]) == [newest, newer]


def test_a_broadcast_does_not_go_before_itself() -> None:
    assert ranks([over("a", "a")]) == {}


@given(several)
def test_every_decision_that_stands_is_honoured(decisions: list[Precedence]) -> None:
    found = ranks(decisions)
    assert all(found[each.first] > found[each.second] >= 0 for each in standing(decisions))


@given(several, one_decision)
def test_the_newest_decision_always_stands(decisions: list[Precedence], newest: Precedence) -> None:
    if newest.first != newest.second:
        assert standing([*decisions, newest])[0] == newest


@given(several)
def test_what_fell_contradicts_what_was_decided_after_it(decisions: list[Precedence]) -> None:
    kept = standing(decisions)
    for number, each in enumerate(decisions):
        if each not in kept and each.first != each.second:
            newer = ranks(decisions[number + 1 :])
            assert newer.get(each.second, 0) > newer.get(each.first, 0)


@pytest.mark.requirement("R-016")
@given(several, st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from([1, 2, 3])), min_size=1, max_size=6))
def test_no_decision_lifts_a_broadcast_over_a_more_urgent_class(
    decisions: list[Precedence], wanting: list[tuple[BroadcastId, int]]
) -> None:
    slots = [
        Slot(DeliveryId(str(number)), name, ClusterId("cl"), AssetId("0"), NOON, timedelta(minutes=1), Priority(level))
        for number, (name, level) in enumerate(wanting)
    ]
    found = ranks(decisions)
    ranked = [replace(slot, rank=found.get(slot.broadcast, 0)) for slot in slots]
    assert min(ranked, key=order).priority == min(slot.priority for slot in slots)
