"""A day as two strips of quarter hours."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from broadcasts.clock import VIETNAM
from broadcasts.domain.day_strip import (
    EMPTY,
    QUARTER,
    QUARTERS,
    Mark,
    Stretch,
    halves,
    link,
    place_of,
    power,
    put,
    quarter_of,
    stretches,
)

BEGIN = datetime(2026, 3, 3, 12, 15, tzinfo=VIETNAM)
STALE = timedelta(minutes=65)


@pytest.mark.parametrize(
    ("connected", "changed", "mark"),
    [
        (None, None, Mark.NOBODY_KNOWS),
        (True, None, Mark.CONNECTED),
        (True, BEGIN - timedelta(hours=1), Mark.CONNECTED),
        (True, BEGIN + timedelta(minutes=1), Mark.PARTLY),
        (False, BEGIN + timedelta(minutes=14), Mark.PARTLY),
        (False, BEGIN - timedelta(minutes=1), Mark.AWAY),
    ],
)
def test_a_quarter_in_which_it_came_or_went_is_neither(
    connected: bool | None, changed: datetime | None, mark: Mark
) -> None:
    assert link(connected, changed, BEGIN) is mark


@pytest.mark.parametrize(
    ("connected", "said", "minutes", "mark"),
    [
        (True, "mains", 10, Mark.MAINS),
        (True, "battery", 10, Mark.BATTERY),
        (True, "mains", 70, Mark.NOBODY_KNOWS),
        (False, "battery", 600, Mark.POWER_LOST),
        (False, "mains", 10, Mark.NOBODY_KNOWS),
        (True, None, 10, Mark.NOBODY_KNOWS),
    ],
)
def test_power_is_what_was_said_lately_and_lost_only_after_battery(
    connected: bool, said: str | None, minutes: int, mark: Mark
) -> None:
    assert power(connected, said, BEGIN - timedelta(minutes=minutes), BEGIN, STALE) is mark


def test_the_day_is_that_of_viet_nam() -> None:
    at = datetime(2026, 3, 2, 17, 7, tzinfo=UTC).astimezone(VIETNAM)
    assert quarter_of(at) == datetime(2026, 3, 3, 0, 0, tzinfo=VIETNAM)
    assert place_of(at) == 0
    assert place_of(at - QUARTER) == QUARTERS - 1


def test_neighbours_of_one_kind_are_one_stretch_across_midnight_and_gaps_stay_gaps() -> None:
    first = datetime(2026, 3, 2, tzinfo=VIETNAM)
    late = put(put(EMPTY, 94, Mark.AWAY), 95, Mark.CONNECTED)
    early = put(put(EMPTY, 0, Mark.CONNECTED), 2, Mark.CONNECTED)
    second = first + timedelta(days=1)
    found = stretches([(first, late), (second, early)], first, second + timedelta(minutes=40))
    assert found == [
        Stretch(second - 2 * QUARTER, second - QUARTER, Mark.AWAY),
        Stretch(second - QUARTER, second + QUARTER, Mark.CONNECTED),
        Stretch(second + 2 * QUARTER, second + timedelta(minutes=40), Mark.CONNECTED),
    ]


def test_half_a_quarter_counts_where_it_came_or_went() -> None:
    assert [halves(mark) for mark in (Mark.CONNECTED, Mark.PARTLY, Mark.AWAY, Mark.NOBODY_KNOWS)] == [
        (2, 2), (2, 1), (2, 0), (0, 0),
    ]  # fmt: skip
