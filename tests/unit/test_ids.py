"""Names of things."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broadcasts.ids import NAME, SHA256, BroadcastId, ClusterId, CountingIds, RandomIds, delivery_id


def test_random_names_are_long_lower_case_and_never_the_same() -> None:
    ids = RandomIds()
    made = {ids.new("lp") for _ in range(1000)}
    assert len(made) == 1000
    assert all(re.fullmatch(r"lp-[a-z2-7]{16}", name) for name in made)
    assert all(NAME.fullmatch(name) for name in made)


def test_counted_names_repeat_from_run_to_run() -> None:
    one, two = CountingIds(), CountingIds()
    assert [one.new("a"), one.new("b")] == [two.new("a"), two.new("b")] == ["a-1", "b-2"]


def name_of(broadcast: str, revision: int, start: int, cluster: str) -> str:
    return delivery_id(BroadcastId(broadcast), revision, start, ClusterId(cluster))


@given(st.lists(st.text("lp-0123", min_size=1, max_size=8), min_size=2, max_size=2, unique=True), st.integers(1, 30))
def test_of_two_that_begin_at_once_the_same_broadcast_goes_first_at_every_pole(two: list[str], revision: int) -> None:
    """Where all else is the same the id decides."""

    def first_at(cluster: str) -> str:
        return min(two, key=lambda broadcast: name_of(broadcast, revision, 1_772_521_200_000, cluster))

    assert len({first_at(f"cl-31615-{number}") for number in range(20)}) == 1
    assert first_at("cl-1") == min(two, key=lambda broadcast: name_of(broadcast, 1, 1_772_600_000_000, "cl-1"))


def test_a_delivery_has_one_name_for_ever() -> None:
    """Written down: another name for what is planned already would sound it twice."""
    assert name_of("lp-1", 1, 1_772_521_200_000, "cl-31615-1") == "d-asrh7fjpamoz6wgnqhnuw5we"


Parts = tuple[str, int, int, str]
parts = st.tuples(
    st.text("lp-0123", min_size=1, max_size=8), st.integers(1, 30), st.integers(0, 10**13),
    st.text("cl-0123", min_size=1, max_size=8),
)  # fmt: skip


@given(parts, parts)
def test_two_deliveries_have_two_names_and_one_has_one(
    one: tuple[str, int, int, str], two: tuple[str, int, int, str]
) -> None:
    assert (name_of(*one) == name_of(*two)) is (one == two)
    assert NAME.fullmatch(name_of(*one))


@pytest.mark.parametrize("good", ["a", "u-31615-1", "0", "a" * 32])
def test_what_may_stand_in_a_topic(good: str) -> None:
    assert NAME.fullmatch(good)


@pytest.mark.parametrize("bad", ["", "-a", "a-", "A", "a/b", "a+", "#", "a" * 33, "a\n", "ă", "a b", "a_b"])
def test_what_may_not(bad: str) -> None:
    assert not NAME.match(bad)


@pytest.mark.parametrize("bad", ["", "0" * 63, "0" * 65, "G" * 64, "A" * 64, "0" * 64 + "\n"])
def test_a_hash_is_64_small_hexadecimal_digits(bad: str) -> None:
    assert SHA256.match("0af9" * 16)
    assert not SHA256.match(bad)
