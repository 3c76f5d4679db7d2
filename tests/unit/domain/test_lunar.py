"""The lunar calendar of Viet Nam against published tables."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broadcasts.domain.lunar import FIRST_YEAR, LAST_YEAR, LunarDay, lunar_day, new_year

TABLE = """
1990-01-27 1991-02-15 1992-02-04 1993-01-23 1994-02-10 1995-01-31 1996-02-19 1997-02-07 1998-01-28 1999-02-16
2000-02-05 2001-01-24 2002-02-12 2003-02-01 2004-01-22 2005-02-09 2006-01-29 2007-02-17 2008-02-07 2009-01-26
2010-02-14 2011-02-03 2012-01-23 2013-02-10 2014-01-31 2015-02-19 2016-02-08 2017-01-28 2018-02-16 2019-02-05
2020-01-25 2021-02-12 2022-02-01 2023-01-22 2024-02-10 2025-01-29 2026-02-17 2027-02-06 2028-01-26 2029-02-13
2030-02-02 2031-01-23 2032-02-11 2033-01-31 2034-02-19 2035-02-08 2036-01-28 2037-02-15 2038-02-04 2039-01-24
2040-02-12 2041-02-01 2042-01-22 2043-02-10 2044-01-30 2045-02-17 2046-02-06 2047-01-26 2048-02-14 2049-02-02
2050-01-23
"""
"""As the `holidays` project lists them (its Chinese table with the Vietnamese years of its own: 1968, 1969, 1985, 2007,
2030, 2053), which is also what Hồ Ngọc Đức's tables say."""
LEAP = {
    1968: 7, 1971: 5, 1974: 4, 1976: 8, 1979: 6, 1982: 4, 1985: 2, 1987: 7, 1990: 5, 1993: 3, 1995: 8, 1998: 5,
    2001: 4, 2004: 2, 2006: 7, 2009: 5, 2012: 4, 2014: 9, 2017: 6, 2020: 4, 2023: 2, 2025: 6, 2028: 5, 2031: 3,
    2033: 11, 2036: 6, 2039: 5, 2042: 2, 2044: 7, 2047: 5, 2050: 3,
}  # fmt: skip
"""Year -> the month that comes twice, by the same tables."""
days = st.dates(date(FIRST_YEAR, 1, 1), date(LAST_YEAR, 12, 30))


@pytest.mark.parametrize("told", TABLE.split())
def test_tet_is_on_the_day_that_the_published_table_says(told: str) -> None:
    day = date.fromisoformat(told)
    assert new_year(day.year) == day
    assert lunar_day(day) == LunarDay(day.year, 1, False, 1)


@pytest.mark.parametrize(
    ("ours", "chinese"),
    [("1968-01-29", "1968-01-30"), ("1985-01-21", "1985-02-20"), ("2007-02-17", "2007-02-18"),
     ("2030-02-02", "2030-02-03"), ("2053-02-18", "2053-02-19")],
)  # fmt: skip
def test_where_the_two_calendars_differ_it_is_the_one_of_viet_nam(ours: str, chinese: str) -> None:
    assert new_year(int(ours[:4])) == date.fromisoformat(ours) != date.fromisoformat(chinese)


def test_the_leap_months_are_those_of_the_tables() -> None:
    found = {}
    for year in range(1968, 2051):
        day = new_year(year)
        while day < new_year(year + 1):
            lunar = lunar_day(day)
            if lunar.leap:
                found[year] = lunar.month
            day += timedelta(days=29)
    assert found == LEAP


@pytest.mark.parametrize(
    ("told", "lunar"),
    [
        ("2025-07-25", (2025, 6, True, 1)),  # the leap sixth month of Ất Tỵ
        ("2025-10-06", (2025, 8, False, 15)),  # Trung thu
        ("2026-04-26", (2026, 3, False, 10)),  # Giỗ Tổ Hùng Vương
        ("2027-04-16", (2027, 3, False, 10)),
        ("2026-08-27", (2026, 7, False, 15)),  # Vu lan
        ("2026-02-16", (2025, 12, False, 29)),  # Giao thừa: that year the old year has no thirtieth
        ("2024-02-09", (2023, 12, False, 30)),
        ("2033-12-22", (2033, 11, True, 1)),  # the year that many a calendar gets wrong
    ],
)
def test_days_that_everybody_knows(told: str, lunar: tuple[int, int, bool, int]) -> None:
    assert lunar_day(date.fromisoformat(told)) == LunarDay(*lunar)


@given(days)
def test_the_lunar_date_of_tomorrow_follows_that_of_today(day: date) -> None:
    today, tomorrow = lunar_day(day), lunar_day(day + timedelta(days=1))
    if tomorrow.day != 1:
        assert tomorrow == LunarDay(today.year, today.month, today.leap, today.day + 1)
        return
    assert today.day in (29, 30)
    if tomorrow.leap:
        assert (tomorrow.year, tomorrow.month) == (today.year, today.month)
        assert not today.leap
    else:
        assert (tomorrow.year, tomorrow.month) == (
            (today.year + 1, 1) if today.month == 12 else (today.year, today.month + 1)
        )


@given(st.integers(FIRST_YEAR + 1, LAST_YEAR - 1))
def test_tet_falls_between_20_january_and_21_february(year: int) -> None:
    """1985 is the year nearest to the edge."""
    assert date(year, 1, 20) <= new_year(year) <= date(year, 2, 22)
    assert 353 <= (new_year(year + 1) - new_year(year)).days <= 385


@pytest.mark.parametrize("year", [FIRST_YEAR - 1, LAST_YEAR + 1])
def test_beyond_the_years_it_is_made_for_it_says_so(year: int) -> None:
    with pytest.raises(ValueError, match=str(year)):
        lunar_day(date(year, 6, 1))
