"""When a series is over."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time
from typing import Any

import pytest
from hypothesis import given
from support.schedules import schedules

from broadcasts.clock import VIETNAM
from broadcasts.domain import schedule_check
from broadcasts.domain.model import Pattern, Repeat, Schedule
from broadcasts.domain.recurrence import starts
from broadcasts.domain.schedule_check import last_start

LONG = Schedule(Repeat.DAILY, date(2026, 3, 4), time(5, 0), date(2034, 1, 1), Pattern(minutes=5, last_at=time(20, 0)))
"""About half a million starts."""


@given(schedules())
def test_the_last_start_is_the_last_of_all(schedule: Schedule) -> None:
    """Within what it looks at."""
    ended = replace(schedule, until=min(schedule.until or date(2028, 1, 1), date(2028, 1, 1)))
    every = starts(ended, datetime(2025, 1, 1, tzinfo=UTC), datetime(2029, 1, 1, tzinfo=UTC), VIETNAM)
    assert last_start(ended, VIETNAM) == max(every, default=None)


@pytest.mark.parametrize(
    ("schedule", "last"),
    [
        (LONG, datetime(2034, 1, 1, 20, 0, tzinfo=VIETNAM)),
        (
            replace(LONG, until=None, pattern=replace(LONG.pattern, before=datetime(2033, 5, 1, tzinfo=VIETNAM))),
            datetime(2033, 4, 30, 20, 0, tzinfo=VIETNAM),
        ),
    ],
)
def test_the_last_of_half_a_million_is_not_found_by_counting(
    schedule: Schedule, last: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody waits for it, and nobody else can write meanwhile."""
    seen: list[datetime] = []

    def counted(*asked: Any) -> Iterator[datetime]:
        for each in starts(*asked):
            seen.append(each)
            yield each

    monkeypatch.setattr(schedule_check, "starts", counted)
    assert last_start(schedule, VIETNAM) == last
    assert len(seen) < 1_000
