"""Working days, for terms that a law counts in them (R-038)."""

from __future__ import annotations

from datetime import date, timedelta

from broadcasts.domain.occasions import is_public_holiday

_DAY = timedelta(days=1)
_SATURDAY = 5


def is_working_day(day: date) -> bool:
    """Monday to Friday and no public holiday. Days in lieu and Saturdays that are worked in exchange are announced
    year by year and not known here."""
    return day.weekday() < _SATURDAY and not is_public_holiday(day)


def after(day: date, count: int) -> date:
    """The last day of a term of so many working days; the day from which it runs is not counted."""
    while count > 0:
        day += _DAY
        count -= is_working_day(day)
    return day
