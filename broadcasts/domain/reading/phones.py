"""Numbers that are dialled, digit by digit in the groups they are written in."""

from __future__ import annotations

import re

from broadcasts.domain.reading.numerals import cardinal, digits
from broadcasts.domain.reading.source import Source
from broadcasts.domain.reading.tokens import Category, Token

_G = r"[\s.-]?"
_END = r"(?![^\W_]|/?[0-9])"
_PHONE = re.compile(
    rf"(?:\+84|\(\+84\))(?:{_G}[0-9x]){{9,10}}{_END}"
    rf"|\(0[0-9]{{2,4}}\)(?:{_G}[0-9x]){{5,8}}{_END}"
    rf"|0[0-9]{{2,3}}(?:{_G}[0-9x]){{6,8}}{_END}"
    rf"|1[89]00(?:{_G}[0-9x]){{2,6}}{_END}"
)
_HOTLINE = re.compile(r"(?:11[1-9]|1022|18[0-9]{3}|19[0-9]{3})(?![^\W_]|[.,/-]?[0-9])")
_NOTHING_COUNTED = re.compile(r"\s*(?:[.,;:!?)]|$|(?:và|hoặc|hay)\s)")
_SHORT = re.compile(r"[1-9][0-9]{2,4}(?![^\W_]|[.,/-]?[0-9]|\s[^\W\d_])")
_SERVICE = re.compile(
    r"(?<!\w)(?:hotline|tổng đài|đường dây nóng)(?:\s[^\W\d_]+){0,5}[\s:(]+"
    r"(?:[0-9][0-9. ]{2,14}\s?(?:,|-|–|/|và|hoặc|hay)\s?(?:số )?)*$",
    re.IGNORECASE,
)
_CUE = re.compile(
    r"(?<!\w)(?:gọi|gọi số|tổng đài|điện thoại|hotline|đường dây nóng|bấm số|quay số|số máy|báo ngay|cấp cứu|cứu hỏa|"
    r"chữa cháy|cứu nạn|công an|liên hệ|sđt|đt|trẻ em|số điện thoại|zalo|qua số|các số|theo số|đến số|về số|"
    r"số khẩn cấp|alo)"
    r"(?:\s(?:số|ngay|là|khẩn cấp|theo|qua|máy|nóng))*[\s:.,(]+"
    r"(?:[0-9][0-9. ]{2,14}\s?(?:,|-|–|/|và|hoặc|hay)\s?(?:số )?)*$",
    re.IGNORECASE,
)


def phone(source: Source, at: int) -> Token | None:
    found = source.match(_PHONE, at)
    if found and _is_whole(found[0]):
        return source.token(at, found.end(), _groups(found[0]), Category.PHONE, doubtful="x" in found[0])
    return _service(source, at) or _hotline(source, at)


def _is_whole(written: str) -> bool:
    """As many digits as numbers here have: ten or eleven from the nought on, six to ten of a service."""
    count = sum(each.isdigit() or each == "x" for each in written)
    if written[0] == "1":
        return 6 <= count <= 10
    return count in (11, 12) if "+" in written else count in (10, 11)


def _service(source: Source, at: int) -> Token | None:
    """Any short number after "tổng đài" or "hotline" and a few words."""
    found = source.match(_SHORT, at)
    if found is None or not source.follows(_SERVICE, at):
        return None
    return source.token(at, found.end(), digits(found[0]), Category.PHONE)


def _hotline(source: Source, at: int) -> Token | None:
    """113 is a number to call where something says so; before a noun it counts; else it is doubtful."""
    found = source.match(_HOTLINE, at)
    if found is None:
        return None
    if source.follows(_CUE, at):
        return source.token(at, found.end(), digits(found[0]), Category.PHONE)
    if len(found[0]) == 3 and _NOTHING_COUNTED.match(source.after(found.end())):
        words = cardinal(int(found[0]), source.style)
        return source.token(at, found.end(), words, Category.NUMBER, digits(found[0]))
    return None


def _groups(written: str) -> str:
    parts = [part for part in re.split(r"[\s.()-]+", written) if part]
    if len(parts) == 1:
        parts = _usual(written)
    return ", ".join(_group(part) for part in parts)


def _usual(written: str) -> list[str]:
    """How a number without spaces is told: 4-3-3 a mobile, 4-4-3 a fixed line, 4-4 a service."""
    if written.startswith("+84"):
        return ["+84", written[3:6], written[6:9], written[9:]]
    middle = 8 if len(written) == 11 or written[0] == "1" else 7
    return [part for part in (written[:4], written[4:middle], written[middle:]) if part]


def _group(part: str) -> str:
    words = [("cộng" if each == "+" else "ích" if each == "x" else digits(each)) for each in part]
    return " ".join(words)
