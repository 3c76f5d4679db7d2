"""Addresses of pages and mail boxes."""

from __future__ import annotations

import re

from broadcasts.domain.reading.letters import is_syllable, spell
from broadcasts.domain.reading.numerals import digits
from broadcasts.domain.reading.source import Source
from broadcasts.domain.reading.tokens import Category, Token

_W = r"[A-Za-z0-9]"
_MAIL = re.compile(rf"{_W}[A-Za-z0-9._+-]{{0,60}}@{_W}[A-Za-z0-9.-]{{0,60}}\.[A-Za-z]{{2,10}}(?![^\W_]|-)")
_TOP = r"(?:vn|com|net|org|info|edu|gov|me|asia|io)"
_PAGE = re.compile(
    rf"(?:https?://|www\.)[^\s,;<>\"“”()]{{1,300}}|{_W}[A-Za-z0-9-]{{0,40}}(?:\.[A-Za-z0-9-]{{1,40}}){{0,3}}\.{_TOP}"
    rf"(?:/[^\s,;<>\"“”()]{{0,200}})?(?![^\W_]|\.[A-Za-z0-9])",
    re.IGNORECASE,
)
_START = re.compile(r"(?:https?://|www\.)", re.IGNORECASE)
_SIGNS = {
    ".": "chấm", "@": "a còng", "/": "xuyệt", "-": "gạch ngang", "_": "gạch dưới", "?": "hỏi", "=": "bằng", "&": "và",
    "%": "phần trăm", "#": "thăng", ":": "hai chấm", "+": "cộng", "~": "ngã",
}  # fmt: skip
_KNOWN = {"com": "com", "net": "nét", "vn": "vê en-nờ", "gov": "gờ o vê", "edu": "e-đu", "org": "o-rờ-gờ"}
_LONGEST = 400


def address(source: Source, at: int) -> Token | None:
    """Always doubtful: nobody remembers one that was heard, so the operator should say it in other words."""
    found = _MAIL.match(source.text, at, at + 160) or _PAGE.match(source.text, at, at + _LONGEST)
    if found is None:
        return None
    written = found[0].rstrip(".:?!'")
    start = _START.match(written)
    words = ["địa chỉ mạng"] if start else []
    rest = written[start.end() :] if start else written
    words += [_say(part) for part in re.findall(r"[^\W\d_]+|[0-9]+|[^\s]", rest)]
    spoken = " ".join(word for word in words if word)
    return source.token(at, at + len(written), spoken, Category.ADDRESS, doubtful=True)


def _say(part: str) -> str:
    if part in _SIGNS:
        return _SIGNS[part]
    if part.isascii() and part.isdigit():
        return digits(part)
    if not part.isalpha():
        return ""
    low = part.lower()
    if low in _KNOWN:
        return _KNOWN[low]
    return low if len(low) > 4 or is_syllable(low) else spell(part)
