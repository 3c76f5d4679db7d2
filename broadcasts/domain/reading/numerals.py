"""Vietnamese numbers in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

_DIGITS = ("không", "một", "hai", "ba", "bốn", "năm", "sáu", "bảy", "tám", "chín")
MOST_DIGITS = 15
"""Longer ones nobody says as a number: they are read digit by digit."""


@dataclass(frozen=True)
class Style:
    """Words that differ between north and south."""

    thousand: str
    odd: str
    """Before the last digit where the ten is missing: 105."""


SOUTH = Style("ngàn", "lẻ")
NORTH = Style("nghìn", "linh")
STYLES: Mapping[str, Style] = {"south": SOUTH, "north": NORTH}


def digits(text: str) -> str:
    """Digit by digit: "115" -> "một một năm". Other characters are dropped."""
    return " ".join(_DIGITS[int(each)] for each in text if each.isascii() and each.isdigit())


def cardinal(number: int, style: Style = SOUTH) -> str:
    """0 and above; more than 15 digits are said one by one."""
    if number < 0:
        raise ValueError("a sign is a word of its own")
    if number < 10:
        return _DIGITS[number]
    if len(str(number)) > MOST_DIGITS:
        return digits(str(number))
    billions, rest = divmod(number, 10**9)
    words = [cardinal(billions, style), "tỷ"] if billions else []
    for size, name in ((10**6, "triệu"), (10**3, style.thousand), (1, "")):
        group, rest = divmod(rest, size)
        if group:
            words += [*_below_thousand(group, bool(words), style), *([name] if name else [])]
    return " ".join(words)


def ordinal(number: int, style: Style = SOUTH) -> str:
    """After "thứ": nhất and tư, the others as they count. Also the months and the days of the week."""
    return {1: "nhất", 4: "tư"}.get(number, cardinal(number, style))


def month(number: int, lunar: bool = False) -> str:
    """1 to 12. By the lunar calendar "tháng một" would be the eleventh for many: giêng and chạp are not."""
    if lunar and number in (1, 12):
        return "giêng" if number == 1 else "chạp"
    return "tư" if number == 4 else cardinal(number)


def decimals(part: str, style: Style = SOUTH) -> str:
    """What follows the comma: two digits as a number, with a zero in front or more of them one by one."""
    if len(part) <= 2 and not part.startswith("0"):
        return cardinal(int(part), style)
    return digits(part)


def _below_thousand(number: int, inside: bool, style: Style) -> list[str]:
    """`inside`: greater words came before, so the hundred is said even where it is none."""
    hundreds, rest = divmod(number, 100)
    tens, ones = divmod(rest, 10)
    words = [_DIGITS[hundreds], "trăm"] if hundreds or inside else []
    if not tens:
        if ones:
            words += [style.odd, _DIGITS[ones]] if words else [_DIGITS[ones]]
        return words
    words += ["mười"] if tens == 1 else [_DIGITS[tens], "mươi"]
    if ones:
        words.append(_after_ten(tens, ones))
    return words


def _after_ten(tens: int, ones: int) -> str:
    if ones == 5:
        return "lăm"
    if tens > 1 and ones in (1, 4):
        return "mốt" if ones == 1 else "tư"
    return _DIGITS[ones]
