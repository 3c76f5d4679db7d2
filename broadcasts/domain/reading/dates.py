"""Days, months and years: 20/11/2026, 5-12, từ 5-10/12, tháng 11/2026, quý III; and what only looks like a day."""

from __future__ import annotations

import re

from broadcasts.domain.reading.calendar_words import (
    DAY_CUE,
    HOLIDAYS,
    HOUSE,
    LUNAR,
    is_day,
    prefix_of,
    strokes,
    words,
)
from broadcasts.domain.reading.numerals import cardinal, month
from broadcasts.domain.reading.source import Source
from broadcasts.domain.reading.strokes import two_figures
from broadcasts.domain.reading.tokens import Category, Token

_END = r"(?![^\W_]|[/][0-9]|[.,-]?[0-9])"
_YEAR = r"(?:19|20)[0-9]{2}"
_D = r"[0-9]{1,2}"
_FULL = re.compile(rf"({_D})(?P<s>[/.-])({_D})(?P=s)({_YEAR})(?![^\W_]|/[0-9A-ZĐ])")
_ISO = re.compile(rf"({_YEAR})-([0-9]{{2}})-([0-9]{{2}})(?![^\W_]|-)")
_SHORT_YEAR = re.compile(rf"({_D})(?P<s>[/-])({_D})(?P=s)([0-9]{{2}}){_END}")
_DAY = re.compile(rf"({_D})/({_D})(?![^\W_]|/|[.,]?[0-9])")
_DAYS = re.compile(rf"({_D})\s?[-–—]\s?(?={_D}[/.-]{_D})")
_MONTH = re.compile(rf"({_D})[/-]({_YEAR})(?![^\W_]|[-/])")
_MONTHS = re.compile(rf"({_D})\s?[-–—]\s?(?={_D}[/-]{_YEAR}(?![^\W_]|[-/]))")
_DASH = re.compile(r"\s?[-–—]\s?")
_AFTER_MONTH = re.compile(r"(?<!\w)tháng\s+$", re.IGNORECASE)
_MONTH_CUE = re.compile(r"(?<!\w)tháng\s+(?:[0-9]{1,2}\s?(?:,|và|-|–|đến|hoặc)\s?)*$", re.IGNORECASE)
_QUARTER = re.compile(r"(?<!\w)(?:quý|đợt|kỳ|kì|lần|vụ|khóa|học kỳ|phiên|tuần)\s+$", re.IGNORECASE)


def date(source: Source, at: int) -> Token | None:
    """What is written with strokes or dashes and may be a day or a month; and what is read otherwise then."""
    return _stretch(source, at) or _single(source, at) or _months(source, at) or two_figures(source, at)


def _parse(source: Source, at: int) -> tuple[int, int, int, int | None] | None:
    """A day with its year, or day/month: end, day, month, year."""
    if found := source.match(_FULL, at):
        day, of, year = int(found[1]), int(found[3]), int(found[4])
        return (found.end(), day, of, year) if is_day(day, of, year) else None
    if found := source.match(_ISO, at):
        year, of, day = (int(part) for part in found.groups())
        return (found.end(), day, of, year) if is_day(day, of, year) else None
    if found := source.match(_DAY, at):
        day, of = int(found[1]), int(found[2])
        return (found.end(), day, of, None) if is_day(day, of) else None
    return None


def _single(source: Source, at: int) -> Token | None:
    found = _parse(source, at)
    if found and found[3] is not None:
        end, day, of, year = found
        return source.token(at, end, words(source, day, of, year, prefix_of(source, at)), Category.DATE)
    if short := source.match(_SHORT_YEAR, at):
        day, of, year = int(short[1]), int(short[3]), 2000 + int(short[4])
        is_meant = short["s"] == "/" or source.follows(DAY_CUE, at)
        if is_meant and is_day(day, of, year):
            spoken = words(source, day, of, year, prefix_of(source, at))
            return source.token(at, short.end(), spoken, Category.DATE, strokes(source, short[0]))
    return None


def _stretch(source: Source, at: int) -> Token | None:
    """5-10/12, 5/10-7/10, 5/10/2026 - 7/10/2026."""
    prefix = prefix_of(source, at)
    if (few := source.match(_DAYS, at)) and (last := _parse(source, few.end())):
        first, (end, day, of, year) = int(few[1]), last
        if 1 <= first < day:
            lunar = source.match(LUNAR, end) is not None
            spoken = f"{prefix}{cardinal(first, source.style)} đến {words(source, day, of, year, 'ngày ', lunar)}"
            return source.token(at, end, spoken, Category.DATE)
    opening = _parse(source, at)
    if opening is None:
        return None
    dash = source.match(_DASH, opening[0])
    last = _parse(source, dash.end()) if dash else None
    if last is None:
        return None
    lunar = source.match(LUNAR, last[0]) is not None
    (_, day, of, year), (end, to_day, to_month, to_year) = opening, last
    first_words, last_words = (
        words(source, day, of, year, prefix, lunar),
        words(source, to_day, to_month, to_year, "ngày ", lunar),
    )
    spoken = f"{first_words} đến {last_words}"
    if year is None and {(day, of), (to_day, to_month)} <= HOLIDAYS:
        return source.token(at, end, spoken, Category.DATE, f"{first_words} và {last_words}")
    return source.token(at, end, spoken, Category.DATE)


def _months(source: Source, at: int) -> Token | None:
    """11/2026; 10-12/2026."""
    prefix = "" if source.follows(_AFTER_MONTH, at) else "tháng "
    if (few := source.match(_MONTHS, at)) and (last := source.match(_MONTH, few.end())):
        first, of = int(few[1]), int(last[1])
        if 1 <= first < of <= 12:
            year = cardinal(int(last[2]), source.style)
            return source.token(
                at, last.end(), f"{prefix}{month(first)} đến tháng {month(of)} năm {year}", Category.DATE
            )
    found = source.match(_MONTH, at)
    if found is None or not 1 <= int(found[1]) <= 12:
        return None
    year_words = f"năm {cardinal(int(found[2]), source.style)}"
    if source.follows(_QUARTER, at) and int(found[1]) <= 4:
        return source.token(at, found.end(), f"{cardinal(int(found[1]), source.style)} {year_words}", Category.DATE)
    spoken = f"{prefix}{month(int(found[1]))} {year_words}"
    dash = source.match(_DASH, found.end())
    last = source.match(_MONTH, dash.end()) if dash else None
    if last and 1 <= int(last[1]) <= 12:
        spoken += f" đến tháng {month(int(last[1]))} năm {cardinal(int(last[2]), source.style)}"
        return source.token(at, last.end(), spoken, Category.DATE)
    if source.follows(HOUSE, at):
        return source.token(at, found.end(), strokes(source, found[0]), Category.FRACTION, spoken)
    return source.token(at, found.end(), spoken, Category.DATE)


def month_or_weekday(source: Source, at: int, value: int, end: int) -> str | None:
    """The figure after "tháng", also in a list of such; none where it is an ordinary one."""
    if source.follows(_MONTH_CUE, at) and 1 <= value <= 12:
        return month(value, source.match(LUNAR, end) is not None)
    return None
