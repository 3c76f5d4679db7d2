"""Days in words, shared by the rules that find them."""

from __future__ import annotations

import re

from broadcasts.domain.reading.numerals import cardinal, month
from broadcasts.domain.reading.source import Source

AFTER_DAY = re.compile(r"(?<!\w)(?:ngày|mùng|mồng|rằm)\s+$", re.IGNORECASE)
DAY_CUE = re.compile(
    r"(?<!\w)(?:(?:ngày|mùng|mồng|hôm|sáng|trưa|chiều|tối|đêm|khuya|hôm nay|hôm qua|ngày mai|lễ|dịp|kỷ niệm|mừng|tết|"
    r"hạn|hạn nộp|hạn chót|hạn cuối|chủ nhật|thứ (?:hai|ba|tư|năm|sáu|bảy|[2-7]))"
    r"(?:\s+(?:nay|mai|qua|mốt|kia|rằm))?[\s,(:]+"
    r"(?:[0-9]{1,2}(?:[/-][0-9]{1,2})?\s?(?:,|và|-|–|đến|hoặc)\s?)*)$",
    re.IGNORECASE,
)
"""A day follows, also in a list of days."""
HOUSE = re.compile(
    r"(?<!\w)(?:số nhà|nhà số|số|hẻm|kiệt|ngõ|địa chỉ|thửa|lô|tờ|thửa đất|lớp|phòng|căn|tổ|ấp|khóm|bậc|hạng|"
    r"huyết áp|tỷ lệ|tỉ lệ|tỷ số)[\s:]+$",
    re.IGNORECASE,
)
"""A number of a house, a class, a plot follows."""
LUNAR = re.compile(r"\s*\(?(?:âm lịch|ÂL|âl)(?!\w)")
HOLIDAYS = frozenset({(3, 2), (8, 3), (26, 3), (30, 4), (1, 5), (19, 5), (1, 6), (27, 7), (19, 8), (2, 9), (20, 10),
                      (20, 11), (22, 12)})  # fmt: skip
"""Days that are named by their figures, as streets are too."""
_LONGEST = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def is_day(day: int, of: int, year: int | None = None) -> bool:
    if not (1 <= of <= 12 and 1 <= day <= _LONGEST[of - 1]):
        return False
    leap = year is None or (year % 4 == 0 and (year % 100 != 0 or year % 400 == 0))
    return leap or (day, of) != (29, 2)


def words(source: Source, day: int, of: int, year: int | None, prefix: str, lunar: bool = False) -> str:
    """ "ngày" stands in front unless it was written already (`prefix`)."""
    text = f"{prefix}{cardinal(day, source.style)} tháng {month(of, lunar)}"
    return text if year is None else f"{text} năm {cardinal(year, source.style)}"


def prefix_of(source: Source, at: int) -> str:
    return "" if source.follows(AFTER_DAY, at) else "ngày "


def strokes(source: Source, written: str) -> str:
    """Figures with a stroke between: "mười hai trên bốn"."""
    parts = [re.fullmatch("([0-9]+)([^0-9]?)", part) for part in re.split("[/.-]", written)]
    return " trên ".join(f"{cardinal(int(part[1]), source.style)} {part[2]}".strip() for part in parts if part)
