"""Hours of the day: 7h, 7h30, 7g30, 07:30, 07 giờ 00, 19h–20h."""

from __future__ import annotations

import re

from broadcasts.domain.reading.numerals import Style, cardinal
from broadcasts.domain.reading.source import Source
from broadcasts.domain.reading.tokens import Category, Token

_END = r"(?![^\W_]|[.,:]?[0-9])"
_MINUTES = r"(?:\s?(?:phút|ph|p|'|’|′)(?![^\W_]))?"
_CLOCK = re.compile(
    rf"(?P<h>[0-9]{{1,2}})(?:"
    rf"\s?(?:h|H|g|giờ|G)\s?(?P<m>[0-9]{{2}}){_MINUTES}{_END}"
    rf"|\s?(?:h|H|giờ){_END}"
    rf"|(?::)(?P<colon>[0-9]{{2}})(?::(?P<s>[0-9]{{2}}))?\s?(?:h|giờ)?{_END})"
)
_BARE = re.compile(r"([0-9]{1,2})g(?!\s?/)" + _END)
_TRUNCATED = re.compile(r"([0-9]{1,2})[hHg]([0-9])" + _END)
_POINT = re.compile(r"([0-9]{1,2})\.([0-9]{2})\s?(?:h|giờ)" + _END)
_DUTY = re.compile(r"(?<!\w)(?:trực|trực ban|hoạt động|phục vụ|mở cửa|tiếp nhận|liên tục|hỗ trợ)\s+$", re.IGNORECASE)
_DASH = re.compile(r"\s?(?:-|–|—|÷)\s?")
_HOUR_FIRST = re.compile(r"([0-9]{1,2})\s?[-–—]\s?(?=(?P<to>[0-9]{1,2})\s?(?:h|H|g[0-9]|giờ))")
_HOUR_LAST = re.compile(r"\s?[-–]\s?([0-9]{1,2})(?![^\W_]|[.,:/-]?[0-9]|\s?[^\W\d_%°])")
_THEN = re.compile(r"[\s,]+(?:sáng|trưa|chiều|tối|đêm|khuya|ngày|hôm|thứ|chủ nhật)(?!\w)", re.IGNORECASE)
_AT = re.compile(r"(?<!\w)(?:lúc|từ|đến|vào|trước|sau|khoảng|tới|hồi|[0-9]g?\s?[-–])\s*$", re.IGNORECASE)
_SCORE = re.compile(r"(?<!\w)(?:tỷ lệ|tỉ lệ|tỷ số|tỉ số|tỷ lệ bản đồ|mức)\s*$", re.IGNORECASE)
_ROUND = re.compile(r"24/24\s?(?:giờ|h)?(?![^\W_/])|24h/24h?(?![^\W_/])|24/7(?![^\W_/])")


def clock(source: Source, at: int) -> Token | None:
    """A time, or a stretch of two."""
    first = _one(source, at)
    if first is None and (opening := source.match(_HOUR_FIRST, at)):
        last = _one(source, opening.end())
        if last and int(opening[1]) < int(opening["to"]) <= 24:
            words = f"{cardinal(int(opening[1]), source.style)} giờ đến {last[1]}"
            return source.token(at, last[0], words, Category.TIME)
    if first is None and (odd := source.match(_POINT, at)) and int(odd[1]) <= 24 and int(odd[2]) < 60:
        words = spoken(int(odd[1]), int(odd[2]), 0, source.style)
        return source.token(at, odd.end(), words, Category.TIME, doubtful=True)
    if first is None:
        return _short(source, at) or _grams_or_hours(source, at)
    end, words = first
    if (dash := source.match(_DASH, end)) and (second := _one(source, dash.end())):
        return source.token(at, second[0], f"{words} đến {second[1]}", Category.TIME)
    bare = source.match(_HOUR_LAST, end)
    if bare and int(bare[1]) <= 24:
        words += f" đến {cardinal(int(bare[1]), source.style)} giờ"
        return source.token(at, bare.end(), words, Category.TIME, doubtful=True)
    return source.token(at, end, words, Category.TIME)


def round_the_clock(source: Source, at: int) -> Token | None:
    """24/24 at any place; 24/7 where somebody is on duty, else it is the 24th of July."""
    found = source.match(_ROUND, at)
    if found is None:
        return None
    if found[0] == "24/7":
        sure = source.follows(_DUTY, at)
        return source.token(at, found.end(), "hai mươi tư trên bảy", Category.TIME) if sure else None
    hours = " giờ" if "h" in found[0] or "giờ" in found[0] else ""
    return source.token(at, found.end(), f"hai mươi tư trên hai mươi tư{hours}", Category.TIME)


def _short(source: Source, at: int) -> Token | None:
    """7h5 is five past or ten to eight."""
    found = source.match(_TRUNCATED, at)
    if found is None or int(found[1]) > 24:
        return None
    hour, minute = int(found[1]), int(found[2])
    words = [spoken(hour, minutes, 0, source.style) for minutes in (minute, minute * 10) if minutes < 60]
    return source.token(at, found.end(), words[0], Category.TIME, *words[1:], doubtful=True)


def _one(source: Source, at: int) -> tuple[int, str] | None:
    found = source.match(_CLOCK, at)
    if found is None:
        return None
    minute = found["m"] or found["colon"]
    hour, minutes, seconds = int(found["h"]), int(minute or 0), int(found["s"] or 0)
    if minutes > 59 or seconds > 59 or (minute is not None and hour > 24):
        return None
    if found["colon"] and source.follows(_SCORE, at):
        return None
    return found.end(), spoken(hour, minutes, seconds, source.style)


def spoken(hour: int, minutes: int, seconds: int, style: Style) -> str:
    """07:00 is "bảy giờ": what is nought is not said."""
    words = f"{cardinal(hour, style)} giờ"
    if minutes or seconds:
        words += f" {cardinal(minutes, style)} phút"
    return words + (f" {cardinal(seconds, style)} giây" if seconds else "")


def _grams_or_hours(source: Source, at: int) -> Token | None:
    """ "7g" is seven o'clock or seven grams."""
    found = source.match(_BARE, at)
    if found is None or int(found[1]) > 24:
        return None
    number = cardinal(int(found[1]), source.style)
    hours, grams = f"{number} giờ", f"{number} gam"
    if _THEN.match(source.after(found.end())):
        return source.token(at, found.end(), hours, Category.TIME)
    if source.follows(_AT, at):
        return source.token(at, found.end(), hours, Category.TIME, grams)
    return source.token(at, found.end(), grams, Category.UNIT, hours)
