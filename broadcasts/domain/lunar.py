"""The lunar calendar of Viet Nam: from the sky, for the meridian of UTC+7, so that no table ever runs out.

Its rules, in force since 1968 (decision 121-CP of 8 August 1967): a month begins on the day of the new moon; the
month with the winter solstice is the eleventh; where thirteen months lie between two such months, the first in which
the sun enters no twelfth of its path is a leap month. The day is the day at UTC+7, which is why Tết was on 17 February
2007 here and on the 18th in China, and a month earlier than there in 1985. New moons after Meeus, Astronomical
Algorithms, chapter 49; the sun's longitude after chapter 25. Every day from 1968 to 2053 is that of the tables in use
(Hồ Ngọc Đức's). Later a new moon may fall within a minute of midnight (7 May 2054 is the first), and nobody can know
today on which side: the length of the day is not known so far ahead.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from math import floor, radians, sin

_HERE = 7 / 24
"""Days by which the clock here is ahead of the one at Greenwich."""
_EPOCH = 2451545.0
"""1 January 2000, noon, as a Julian day: where the series begin."""
_ORDINAL = 1721424.5
"""What a Julian day is more than the day number of Python's `date` at midnight."""
_SYNODIC = 29.530588861
FIRST_YEAR, LAST_YEAR = 1968, 2199
"""Before it other calendars were in use; after it the length of the day is not known well enough."""


@dataclass(frozen=True, order=True)
class LunarDay:
    """`year` is the Gregorian year in which that lunar year began. A leap month follows the one of the same number."""

    year: int
    month: int
    leap: bool
    day: int


@dataclass(frozen=True)
class _Month:
    first: date
    year: int
    month: int
    leap: bool


def lunar_day(day: date) -> LunarDay:
    """The lunar date of a day. Raises ValueError outside of FIRST_YEAR to LAST_YEAR."""
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise ValueError(f"no lunar calendar for {day.year}")
    months = _months(day.year) if day >= _months(day.year)[0].first else _months(day.year - 1)
    if day >= (following := _months(day.year + 1))[0].first:
        months = following
    month = [each for each in months if each.first <= day][-1]
    return LunarDay(month.year, month.month, month.leap, (day - month.first).days + 1)


def new_year(year: int) -> date:
    """Tết: the first day of the lunar year that begins in this one."""
    return next(each.first for each in _months(year - 1) if each.month == 1)


@lru_cache(maxsize=300)
def _months(year: int) -> tuple[_Month, ...]:
    """From the eleventh month of `year` up to the one before the next eleventh: twelve, or thirteen."""
    first, last = _eleventh(year), _eleventh(year + 1)
    begins = [_new_moon_day(number) for number in range(first, last + 1)]
    leap = _leap(begins) if len(begins) == 14 else None
    months: list[_Month] = []
    number, is_in = 11, year
    for index, begin in enumerate(begins[:-1]):
        if index and index != leap:
            number = number % 12 + 1
            is_in += number == 1
        months.append(_Month(begin, is_in, number, index == leap))
    return tuple(months)


def _leap(begins: list[date]) -> int:
    """The first month at whose end the sun is still in the twelfth where it was at the beginning."""
    sectors = [_sector(begin) for begin in begins]
    return next(index for index in range(1, 13) if sectors[index] == sectors[index + 1])


def _eleventh(year: int) -> int:
    """The number of the new moon (0 is that of 6 January 2000) that begins the month of the winter solstice."""
    number = round((date(year, 12, 31).toordinal() + _ORDINAL - _EPOCH) / _SYNODIC) + 1
    while _new_moon_day(number) > date(year, 12, 31) or _sector(_new_moon_day(number)) > 8:
        number -= 1
    return number


def _sector(day: date) -> int:
    """In which twelfth of its path the sun is as the day begins here: 0 from the spring equinox, 9 from the winter
    solstice."""
    return floor(_sun(day.toordinal() + _ORDINAL - _HERE) / 30)


@lru_cache(maxsize=4096)
def _new_moon_day(number: int) -> date:
    return date.fromordinal(floor(_new_moon(number) + _HERE - _ORDINAL))


def _new_moon(number: int) -> float:
    """The Julian day (of clocks, not of dynamics) of a new moon; Meeus, (49.1) and the table for new moons."""
    t = number / 1236.85
    mean = 2451550.09766 + _SYNODIC * number + t * t * (0.00015437 + t * (-0.000000150 + 0.00000000073 * t))
    e = 1 - t * (0.002516 + 0.0000074 * t)
    sun = radians(2.5534 + 29.10535670 * number - t * t * (0.0000014 + 0.00000011 * t))
    moon = radians(201.5643 + 385.81693528 * number + t * t * (0.0107582 + t * (0.00001238 - 0.000000058 * t)))
    node = radians(160.7108 + 390.67050284 * number - t * t * (0.0016118 + t * (0.00000227 - 0.000000011 * t)))
    ascending = radians(124.7746 - 1.56375588 * number + t * t * (0.0020672 + 0.00000215 * t))
    periodic = sum(size * sin(angle) for size, angle in _terms(e, sun, moon, node, ascending))
    planets = sum(
        size * 1e-6 * sin(radians(start + rate * number - (0.009173 * t * t if index == 0 else 0)))
        for index, (size, start, rate) in enumerate(_PLANETS)
    )
    return mean + periodic + planets - _clock_lag(number)


def _terms(e: float, sun: float, moon: float, node: float, ascending: float) -> tuple[tuple[float, float], ...]:
    return (
        (-0.40720, moon),
        (0.17241 * e, sun),
        (0.01608, 2 * moon),
        (0.01039, 2 * node),
        (0.00739 * e, moon - sun),
        (-0.00514 * e, moon + sun),
        (0.00208 * e * e, 2 * sun),
        (-0.00111, moon - 2 * node),
        (-0.00057, moon + 2 * node),
        (0.00056 * e, 2 * moon + sun),
        (-0.00042, 3 * moon),
        (0.00042 * e, sun + 2 * node),
        (0.00038 * e, sun - 2 * node),
        (-0.00024 * e, 2 * moon - sun),
        (-0.00017, ascending),
        (-0.00007, moon + 2 * sun),
        (0.00004, 2 * moon - 2 * node),
        (0.00004, 3 * sun),
        (0.00003, moon + sun - 2 * node),
        (0.00003, 2 * moon + 2 * node),
        (-0.00003, moon + sun + 2 * node),
        (0.00003, moon - sun + 2 * node),
        (-0.00002, moon - sun - 2 * node),
        (-0.00002, 3 * moon + sun),
        (0.00002, 4 * moon),
    )


_PLANETS = (
    (325, 299.77, 0.107408),
    (165, 251.88, 0.016321),
    (164, 251.83, 26.651886),
    (126, 349.42, 36.412478),
    (110, 84.66, 18.206239),
    (62, 141.74, 53.303771),
    (60, 207.14, 2.453732),
    (56, 154.84, 7.306860),
    (47, 34.52, 27.261239),
    (42, 207.19, 0.121824),
    (40, 291.34, 1.844379),
    (37, 161.72, 24.198154),
    (35, 239.56, 25.513099),
    (23, 331.55, 3.592518),
)
"""Millionths of a day, degrees, degrees for each new moon."""


def _clock_lag(number: float) -> float:
    """Days by which clocks are behind the even time of the formulas: a minute or so, enough for the centuries here."""
    years = number / 12.3685
    return (62.92 + 0.32217 * years + 0.005589 * years * years) / 86400


def _sun(julian_day: float) -> float:
    """The sun's apparent longitude in degrees, 0 to 360."""
    t = (julian_day + _clock_lag((julian_day - _EPOCH) / _SYNODIC) - _EPOCH) / 36525
    mean = 280.46646 + t * (36000.76983 + 0.0003032 * t)
    anomaly = radians(357.52911 + t * (35999.05029 - 0.0001537 * t))
    centre = (
        (1.914602 - t * (0.004817 + 0.000014 * t)) * sin(anomaly)
        + (0.019993 - 0.000101 * t) * sin(2 * anomaly)
        + 0.000289 * sin(3 * anomaly)
    )
    return (mean + centre - 0.00569 - 0.00478 * sin(radians(125.04 - 1934.136 * t))) % 360
