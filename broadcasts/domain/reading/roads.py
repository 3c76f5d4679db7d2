"""Roads and plates: QL1A, ĐT.934, TL 8, Km2127+500; 83A-123.45."""

from __future__ import annotations

import re

from broadcasts.domain.reading.letters import spell
from broadcasts.domain.reading.numerals import cardinal, digits
from broadcasts.domain.reading.source import Source
from broadcasts.domain.reading.tokens import Category, Token

_NAMES = {
    "QL": "Quốc lộ",
    "ĐT": "Đường tỉnh",
    "TL": "Tỉnh lộ",
    "ĐH": "Đường huyện",
    "HL": "Hương lộ",
    "LTL": "Liên tỉnh lộ",
}
_ROAD = re.compile(
    r"(QL|ĐT|TL|ĐH|HL|LTL)(?:\s?\.\s?|\s?-\s?|\s)?([1-9][0-9]{0,3})([A-ZĐa-eđ](?![^\W_]))?(?![^\W_]|[.,]?[0-9])"
)
_STONE = re.compile(r"[Kk][Mm]\.?\s?([0-9]{1,4})(?:\s?\+\s?([0-9]{1,3}))?(?![^\W_]|[.,/]?[0-9])")
_WORDED = re.compile(r"(?<!\w)(?:đường tỉnh|tỉnh lộ|đường huyện|hương lộ)\s+(?:số\s+)?$", re.IGNORECASE)
_NUMBER = re.compile(r"([1-9][0-9]{2})([A-ZĐ](?![^\W_]))?(?![^\W_]|[.,]?[0-9])")
_BOAT = re.compile(r"([A-Z]{2})\s?-\s?([0-9]{4,5})\s?-?\s?(TS|BTS)(?![^\W_])")
_PLATE = re.compile(r"([0-9]{2})([A-Z][A-Z0-9]?)\s?-\s?([0-9]{3})\.?([0-9]{1,2})(?![^\W_])")


def road(source: Source, at: int) -> Token | None:
    if stone := source.match(_STONE, at):
        spoken = f"ki-lô-mét {cardinal(int(stone[1]), source.style)}"
        spoken += f" cộng {cardinal(int(stone[2]), source.style)}" if stone[2] else ""
        return source.token(at, stone.end(), spoken, Category.ROAD)
    found = source.match(_ROAD, at)
    if found is None:
        return None
    spoken = f"{_NAMES[found[1]]} {_number(source, found[2], found[3])}"
    return source.token(at, found.end(), spoken, Category.ROAD)


def road_number(source: Source, at: int) -> Token | None:
    """Of a road whose kind is written out: "tỉnh lộ 934"."""
    found = source.match(_NUMBER, at)
    if found is None or not source.follows(_WORDED, at):
        return None
    return source.token(at, found.end(), _number(source, found[1], found[2]), Category.ROAD)


def boat(source: Source, at: int) -> Token | None:
    """The number of a fishing boat: ST-90123-TS."""
    found = source.match(_BOAT, at)
    if found is None:
        return None
    spoken = f"{spell(found[1])}, {digits(found[2])}, {spell(found[3])}"
    return source.token(at, found.end(), spoken, Category.PLATE)


def plate(source: Source, at: int) -> Token | None:
    found = source.match(_PLATE, at)
    if found is None:
        return None
    series = " ".join(digits(each) if each.isdigit() else each for each in found[2])
    spoken = f"{digits(found[1])} {series}, {digits(found[3] + found[4])}"
    return source.token(at, found.end(), spoken, Category.PLATE)


def _number(source: Source, number: str, letter: str | None) -> str:
    """Three digits and more are said one by one: "chín ba bốn"."""
    words = digits(number) if len(number) > 2 else cardinal(int(number), source.style)
    return f"{words} {letter.upper()}" if letter else words
