"""Whether a unit is there; versions that never go back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broadcasts.domain.presence import Presence, newer, presence
from broadcasts.domain.versions import next_version

NOON = datetime(2026, 3, 3, 5, 0, tzinfo=UTC)
ALLOWED = timedelta(minutes=30)


@pytest.mark.requirement("R-077")
@pytest.mark.parametrize(
    ("connected", "ago", "expected"),
    [
        (None, None, Presence.NEVER),
        (None, timedelta(0), Presence.NEVER),
        (False, timedelta(0), Presence.OFFLINE),
        (False, None, Presence.OFFLINE),
        (True, None, Presence.SILENT),
        (True, timedelta(0), Presence.ONLINE),
        (True, ALLOWED, Presence.ONLINE),
        (True, ALLOWED + timedelta(microseconds=1), Presence.SILENT),
    ],
)
def test_a_last_will_makes_offline_and_silence_makes_silent(
    connected: bool | None, ago: timedelta | None, expected: Presence
) -> None:
    last = None if ago is None else NOON - ago
    assert presence(connected, last, NOON, ALLOWED) is expected


pairs = st.tuples(st.integers(0, 5), st.integers(0, 5))


@given(st.lists(pairs, min_size=1))
def test_of_any_messages_in_any_order_the_newest_pair_is_believed(said: list[tuple[int, int]]) -> None:
    believed: tuple[int, int] | None = None
    for pair in said:
        if newer(believed, pair):
            believed = pair
    assert believed == max(said)


def test_the_death_of_a_connection_counts_after_its_birth() -> None:
    assert newer(None, (0, 0))
    assert newer((3, 1), (3, 1))
    assert not newer((3, 2), (3, 1))
    assert not newer((3, 0), (2, 9))


numbers = st.integers(0, 9_999_999_999_998)


@given(numbers, numbers, numbers)
def test_a_version_outranks_all_that_was_issued_or_seen_and_tells_its_time(issued: int, seen: int, now: int) -> None:
    version = next_version(issued, seen, now)
    assert version > max(issued, seen, now)
    assert version == max(issued, seen, now) + 1
