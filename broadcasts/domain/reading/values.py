"""A written figure: digits with dots and commas, and what it says."""

from __future__ import annotations

import re
from dataclasses import dataclass

from broadcasts.domain.reading.numerals import Style, cardinal, decimals, digits

FIGURE = r"[0-9]+(?:[.,][0-9]+)*"
RUN = re.compile(FIGURE)
_WHOLE = re.compile(r"[0-9]{1,15}")
_DOTTED = re.compile(r"([1-9][0-9]{0,2})((?:\.[0-9]{3}){1,4})")
_COMMA = re.compile(r"([1-9][0-9]{0,2}(?:\.[0-9]{3}){1,4}|[0-9]{1,12}),([0-9]{1,6})")
_POINT = re.compile(r"([0-9]{1,9})\.([0-9]{1,6})")
_ENGLISH = re.compile(r"[1-9][0-9]{0,2}(?:,[0-9]{3}){2,4}(?:\.[0-9]{1,2})?")
_LONG = 7
"""A bare number of so many digits is as often an account as an amount."""


@dataclass(frozen=True)
class Figure:
    """`value`: where it is a whole number. `others`: further readings; it is doubtful then."""

    spoken: str
    value: int | None = None
    others: tuple[str, ...] = ()


def figure(written: str, style: Style, counted: bool = False) -> Figure:
    """`counted`: a unit or a sum follows, so it is an amount. Dots part thousands and a comma the decimals, as is
    written here; what breaks that is read in the likeliest way and is doubtful."""
    if _WHOLE.fullmatch(written):
        return _whole(written, style, counted)
    if _DOTTED.fullmatch(written):
        value = int(written.replace(".", ""))
        return Figure(cardinal(value, style), value)
    if found := _COMMA.fullmatch(written):
        return _decimal(found, style, counted)
    if found := _POINT.fullmatch(written):
        whole, part = cardinal(int(found[1]), style), found[2]
        comma, point = (f"{whole} {sign} {decimals(part, style)}" for sign in ("phẩy", "chấm"))
        return Figure(comma, None, (point,)) if counted else Figure(point, None, (comma,))
    if _ENGLISH.fullmatch(written):
        whole, _, part = written.replace(",", "").partition(".")
        words = cardinal(int(whole), style) + (f" phẩy {decimals(part, style)}" if part else "")
        return Figure(words, None if part else int(whole), (in_parts(written, style),))
    return Figure(in_parts(written, style), None, (digits(written),))


def _whole(written: str, style: Style, counted: bool) -> Figure:
    value = int(written)
    if len(written) > 2 and written.startswith("0"):
        return Figure(digits(written))
    if len(written) >= _LONG and not counted:
        return Figure(cardinal(value, style), value, (digits(written),))
    return Figure(cardinal(value, style), value)


def _decimal(found: re.Match[str], style: Style, counted: bool) -> Figure:
    whole, part = found[1].replace(".", ""), found[2]
    words = f"{cardinal(int(whole), style)} phẩy {decimals(part, style)}"
    if part == "00" and (counted or "." in found[1]):
        return Figure(cardinal(int(whole), style), int(whole))
    could_be_english = len(part) == 3 and "." not in found[1] and len(whole) <= 3 and not whole.startswith("0")
    thousands = cardinal(int(whole + part), style)
    if could_be_english and part == "000":
        return Figure(thousands, int(whole + part), (words,))
    return Figure(words, None, (thousands,) if could_be_english else ())


def in_parts(written: str, style: Style) -> str:
    """Each stretch of digits on its own, with its signs: 1.2.3 -> "một chấm hai chấm ba"."""
    words: list[str] = []
    for part in re.findall(r"[0-9]+|[.,]", written):
        if part in ".,":
            words.append("chấm" if part == "." else "phẩy")
        else:
            words.append(cardinal(int(part), style) if len(part) < 4 and part[0] != "0" else digits(part))
    return " ".join(words)
