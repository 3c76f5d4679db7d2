"""Roman numerals, only where a word before them says that they count."""

from __future__ import annotations

import re

from broadcasts.domain.reading.letters import spell
from broadcasts.domain.reading.numerals import cardinal, ordinal
from broadcasts.domain.reading.source import Source
from broadcasts.domain.reading.tokens import Category, Token

_ROMAN = re.compile(r"(X{0,3})(IX|IV|V?I{0,3})(?![^\W_])")
_CUE = re.compile(
    r"(?<!\w)(?:quý|HK|thế kỷ|thế kỉ|khóa|khoá|lần thứ|thứ|lần|kỳ|khu vực|vùng|hạng|loại|bậc|chương|mục|phần|cấp|"
    r"cấp độ|giai đoạn|học kỳ|học kì|đợt|đại hội|đại hội đảng|báo động|nhóm|type|típ|độ|tập|bảng|kỳ họp thứ|phụ lục)\s+"
    r"(?:[IVX]+\s?(?:,|và|-|–|hoặc|đến)\s?)*$",
    re.IGNORECASE,
)
_RANK = re.compile(r"(?<!\w)thứ\s+(?:[IVX]+\s?(?:,|và|-|–|hoặc|đến)\s?)*$", re.IGNORECASE)
_HEADING = re.compile(r"\s?[.)/:-]\s")
_DASH = re.compile(r"\s?[-–]\s?(?=[IVX])")
_YEAR = re.compile(r"\s?[/-]\s?((?:19|20)[0-9]{2})(?![^\W_]|[/-])")
_VALUES = {"": 0, "I": 1, "II": 2, "III": 3, "IV": 4, "V": 5, "VI": 6, "VII": 7, "VIII": 8, "IX": 9}


def roman(source: Source, at: int) -> Token | None:
    """Sure after a word such as "quý" or at the head of a line ("II. "); of several letters elsewhere doubtful."""
    found = source.match(_ROMAN, at)
    if found is None or not found[0]:
        return None
    end, value = found.end(), _value(found)
    if source.follows(_CUE, at):
        rank = source.follows(_RANK, at)
        words = ordinal(value, source.style) if rank else cardinal(value, source.style)
        dash = source.match(_DASH, end)
        second = source.match(_ROMAN, dash.end()) if dash else None
        if second and second[0]:
            words += f" đến {cardinal(_value(second), source.style)}"
            end = second.end()
        if year := source.match(_YEAR, end):
            words += f" năm {cardinal(int(year[1]), source.style)}"
            end = year.end()
        return source.token(at, end, words, Category.ROMAN)
    words = cardinal(value, source.style)
    if source.begins_line(at) and _HEADING.match(source.text, end):
        return source.token(at, end, words, Category.ROMAN)
    return source.token(at, end, words, Category.ROMAN, spell(found[0])) if len(found[0]) > 1 else None


def _value(found: re.Match[str]) -> int:
    return 10 * len(found[1]) + _VALUES[found[2]]
