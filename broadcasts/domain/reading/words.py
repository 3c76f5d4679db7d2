"""What is written in letters: abbreviations, names of places in short, capitals, codes, ordinary words."""

from __future__ import annotations

import re

from broadcasts.domain.reading import units
from broadcasts.domain.reading.letters import is_latin, is_syllable, spell
from broadcasts.domain.reading.numerals import cardinal, digits
from broadcasts.domain.reading.source import Source
from broadcasts.domain.reading.tokens import Category, Token
from broadcasts.domain.reading.values import RUN

_PLACES = {
    "TP": "thành phố", "Tp": "thành phố", "TX": "thị xã", "Tx": "thị xã", "TT": "thị trấn", "P": "phường", "Q": "quận",
    "H": "huyện", "X": "xã", "T": "tỉnh", "Đ": "đường", "KV": "khu vực", "KP": "khu phố",
}  # fmt: skip
_PLACE = re.compile(r"(TP|Tp|TX|Tx|TT|KV|KP|[PQHXTĐ])\.\s?(?=([A-ZÀ-ỸĐ][a-zà-ỹđ]|[0-9]{1,2}(?![0-9/]|[.,][0-9])))")
_NUMBERED = re.compile(r"([PQ])([0-9]{1,2})(?![^\W_]|[.,/]?[0-9])")
_CODE = re.compile(r"(?=[A-Za-zĐđ]*[0-9])(?=[0-9]*[A-Za-zĐđ])[A-Za-zĐđ0-9]{2,24}(?![^\W_])")
_SPLIT_UNIT = re.compile(r"[0-9]+(?:m|tr|tỷ|[xX])[0-9]{1,2}(?![^\W_])")
"""1m65, 2tr5, 3x4: figures on both sides of a unit."""
_MEASURE = re.compile(r"[0-9]\s?[^\W\d_]{0,3}[²³]?\s$")
_VOWEL = re.compile("[aeiou]")
_NAME = re.compile(r"[a-zà-ỹ]{2}")
"""YouTube: a name from abroad, which no letters would help."""
_HEADLINE = re.compile(r"[^\W\d_]{2,}")
_MOST_SPELLED = 24


def place(source: Source, at: int) -> Token | None:
    """TP. Cần Thơ, P.5, Q. Ninh Kiều. "H." or "T." before a name may be a person's initial: doubtful."""
    if found := source.match(_PLACE, at):
        word = _PLACES[found[1]]
        sure = found[1] in {"TP", "Tp", "TX", "Tx", "P", "Q", "KV", "KP"} or found[2].isdigit()
        return source.token(
            at, found.end(), f"{word} ", Category.ABBREVIATION, *([] if sure else [f"{spell(found[1])} "])
        )
    if found := source.match(_NUMBERED, at):
        spoken = f"{_PLACES[found[1]]} {cardinal(int(found[2]), source.style)}"
        return source.token(at, found.end(), spoken, Category.ABBREVIATION, f"{found[1]} {digits(found[2])}")
    return None


def code(source: Source, at: int) -> Token | None:
    """Letters and figures in one: H5N1, 4G, A80. One letter keeps its form, more are spelled; long: doubtful."""
    found = source.match(_CODE, at)
    if found is None:
        return None
    figures = RUN.match(source.text, at, found.end())
    if figures and (units.unit(source, figures.end()) or source.match(_SPLIT_UNIT, at)):
        return None
    if figures and is_syllable(source.text[figures.end() : found.end()]) and found.end() - figures.end() > 1:
        return None
    parts = re.findall(r"[0-9]+|[^\W\d_]+", found[0])
    said = []
    for part in parts:
        if part.isdigit():
            said.append(cardinal(int(part), source.style) if len(part) <= 2 and part[0] != "0" else digits(part))
        else:
            said.append(part.upper() if len(part) == 1 else spell(part))
    doubtful = len(found[0]) > 3 or not found[0].isupper()
    return source.token(at, found.end(), " ".join(said), Category.SPELLED, doubtful=doubtful)


def run_of_letters(text: str, at: int) -> int:
    """The end of the letters (with their marks) that begin at `at`."""
    end = at
    while end < len(text) and (is_latin(text[end]) or (end > at and "\u0300" <= text[end] <= "\u036f")):
        end += 1
    return end


def word(source: Source, at: int) -> Token | None:
    """Ordinary letters. Capitals that are no syllable, or that could be one but stand alone among small letters, are
    spelled and doubtful; headlines are words."""
    end = run_of_letters(source.text, at)
    if end == at:
        return None
    if end == at + 1 and source.text[at] in "xX" and source.follows(_MEASURE, at):
        return source.token(at, end, "nhân", Category.SIGN)
    written = source.text[at:end]
    if len(written) < 2 or not written.isupper():
        if _is_mixed(written) and _NAME.search(written):
            return source.token(at, end, written, Category.SPELLED, spell(written))
        if _is_mixed(written):
            return source.token(at, end, spell(written), Category.SPELLED, written, doubtful=True)
        return source.token(at, end, written, Category.PLAIN)
    if is_syllable(written) and (_headline(source, at, end) or not written.isascii()):
        return source.token(at, end, written.lower(), Category.PLAIN)
    if len(written) > _MOST_SPELLED:
        return source.token(at, end, written, Category.PLAIN, doubtful=True)
    letters, word_of_it = spell(written), written.lower()
    if is_syllable(written) or (len(written) > 4 and _VOWEL.search(word_of_it)):
        # Capitals for stress are commoner than an abbreviation that sounds like a word.
        return source.token(at, end, word_of_it, Category.SPELLED, letters, doubtful=True)
    return source.token(at, end, letters, Category.SPELLED, doubtful=True)


def _is_mixed(written: str) -> bool:
    """Small letters before several capitals, or one after capitals without a vowel: "GCNq"."""
    return sum(each.isupper() for each in written) > 1 and not written.isupper() and len(written) <= _MOST_SPELLED


def _headline(source: Source, at: int, end: int) -> bool:
    """The words beside it are in capitals too, and could be said."""
    after = _HEADLINE.search(source.after(end))
    before = _HEADLINE.findall(source.before(at))
    beside = [each for each in (before[-1] if before else "", after[0] if after else "") if each]
    return any(each.isupper() and is_syllable(each) for each in beside)
