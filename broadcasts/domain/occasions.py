"""Days that have a name: public holidays, the lunar calendar, the festivals of the Khmer. Each for "only on", "not on".

How sure each is, and from where, stands beside it. Days in lieu of a weekend (Labour Code 2019, art. 111) are no
occasion: nobody broadcasts differently on them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, timedelta

from broadcasts.domain.lunar import LunarDay, lunar_day, new_year

_DAY = timedelta(days=1)
_FIXED = frozenset({(1, 1), (4, 30), (5, 1), (9, 2)})
"""Labour Code 2019 (45/2019/QH14), art. 112 (1) a, c, d, đ."""
_CULTURE_DAY, _CULTURE_SINCE = (11, 24), 2026
"""Ngày Văn hóa Việt Nam: a paid holiday by Resolution 80-NQ/TW of January 2026; it is not in the text of art. 112."""
_BESIDE_SECOND_OF_SEPTEMBER = {2021: 3, 2022: 1, 2023: 1, 2024: 3, 2025: 1, 2026: 1}
"""The second day of the National Day, as announced each year (art. 112 (3))."""
_AFTER = frozenset({0, 3, 6})
"""Where it is not announced yet: the day after when 2 September is a Monday, a Thursday or a Sunday, as so far; else
the day before. An estimate."""

_NEW_YEAR = {2025: (4, 14), 2026: (4, 14), 2027: (4, 14), 2028: (4, 13), 2029: (4, 14), 2030: (4, 14)}
"""First of the three days of Chôl Chnăm Thmây."""
_SENE_DOLTA = {2025: (9, 21), 2026: (10, 10), 2027: (9, 29), 2028: (9, 17), 2029: (10, 6), 2030: (9, 25)}
"""First of the three days of Sene Đôn Ta (Pchum Ben)."""
_OK_OM_BOK = {2025: (11, 5), 2026: (11, 24), 2027: (11, 13), 2028: (11, 1), 2029: (11, 20), 2030: (11, 9)}
"""The full moon of Kadeuk. Not always the 15th of the tenth month here: leap months differ."""
KHMER_YEARS = range(min(_NEW_YEAR), max(_NEW_YEAR) + 1)
"""The public holidays of Cambodia (New Year, Pchum Ben, the middle day of the Water Festival), as the open `holidays`
project collects them. 2025 is sure: provinces here kept 21 to 23 September and 4 to 5 November. 2026 is by decree in
Cambodia; 2027 to 2030 are computed by the same calendar and the pagodas confirm them each year: a day may differ."""


def is_tet(day: date) -> bool:
    """The last day of the old year and the first four of the new: the five of art. 112 (1) b, in the commoner of the
    two divisions that the ministry announces."""
    return any(new_year(year) - _DAY <= day <= new_year(year) + 3 * _DAY for year in (day.year, day.year + 1))


def is_public_holiday(day: date) -> bool:
    if (day.month, day.day) in _FIXED or day == _second_of_national(day.year) or is_tet(day):
        return True
    if day.year >= _CULTURE_SINCE and (day.month, day.day) == _CULTURE_DAY:
        return True
    lunar = lunar_day(day)
    return (lunar.month, lunar.leap, lunar.day) == (3, False, 10)  # Giỗ Tổ Hùng Vương, art. 112 (1) e


def _second_of_national(year: int) -> date:
    usual = 3 if date(year, 9, 2).weekday() in _AFTER else 1
    return date(year, 9, _BESIDE_SECOND_OF_SEPTEMBER.get(year, usual))


def _within(table: Mapping[int, tuple[int, int]], days: int) -> Callable[[date], bool]:
    def ask(day: date) -> bool:
        first = table.get(day.year)
        return first is not None and timedelta(0) <= day - date(day.year, *first) < days * _DAY

    return ask


def _lunar(ask: Callable[[LunarDay], bool]) -> Callable[[date], bool]:
    return lambda day: ask(lunar_day(day))


OCCASIONS: Mapping[str, Callable[[date], bool]] = {
    "lunar_first": _lunar(lambda day: day.day == 1),
    "lunar_full": _lunar(lambda day: day.day == 15),
    "tet": is_tet,
    "public_holiday": is_public_holiday,
    "khmer_new_year": _within(_NEW_YEAR, 3),
    "sene_dolta": _within(_SENE_DOLTA, 3),
    "ok_om_bok": _within(_OK_OM_BOK, 1),
}
"""By the name that a schedule uses."""
_KHMER = frozenset({"khmer_new_year", "sene_dolta", "ok_om_bok"})


def is_known(name: str, year: int) -> bool:
    """Whether there is data for that occasion in that year; where there is none, no day has the name."""
    return name not in _KHMER or year in KHMER_YEARS
