"""Terms in working days."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broadcasts.domain.working_days import after, is_working_day


@pytest.mark.requirement("R-038")
@pytest.mark.parametrize(
    ("decided", "last"),
    [
        (date(2026, 3, 2), date(2026, 3, 9)),  # Monday to Monday
        (date(2026, 3, 7), date(2026, 3, 13)),  # decided on a Saturday
        (date(2026, 4, 28), date(2026, 5, 7)),  # 30 April and 1 May between
        (date(2026, 2, 13), date(2026, 2, 27)),  # Tết: Monday 16 to Friday 20 February
        (date(2026, 8, 31), date(2026, 9, 9)),  # 1 and 2 September
    ],
)
def test_five_working_days_know_weekends_and_public_holidays(decided: date, last: date) -> None:
    assert after(decided, 5) == last


@given(st.dates(date(2025, 1, 1), date(2030, 12, 31)), st.integers(1, 30))
def test_a_term_ends_on_a_working_day_and_holds_exactly_so_many(day: date, count: int) -> None:
    last = after(day, count)
    between = [day + timedelta(days=n) for n in range(1, (last - day).days + 1)]
    assert is_working_day(last)
    assert sum(map(is_working_day, between)) == count
