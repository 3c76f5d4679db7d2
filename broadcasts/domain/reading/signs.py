"""Everything that is neither a letter nor a figure: pauses, bullets, signs with a word, and what is left out."""

from __future__ import annotations

import re
import unicodedata

from broadcasts.domain.reading.letters import is_latin
from broadcasts.domain.reading.source import Source
from broadcasts.domain.reading.tokens import Category, Token

_SPACE = re.compile(r"\s+")
_COUNTED = re.compile(r"[0-9]\s?[^\W\d_]{1,12}[²³23]?$")
_CODES = re.compile(r"[-–](?=[A-Z]{0,2}[0-9])")
"""7A1-7A3, T2-T6."""
_COUNTED_BEFORE = re.compile(r"[0-9]\s([^\W\d_]{1,12})(?:\sđồng)?\s?$")
_COUNTED_AFTER = re.compile(r".\s?[0-9]{1,9}(?:[.,][0-9]{1,6})*\s([^\W\d_]{1,12})(?![^\W_])")
_KEPT = frozenset(".,;:!?…\"'“”‘’()[]«»")
_BULLETS = frozenset("-–—•*+·●○■□▪▫➢►▶✓✔→⇒‣◦")
_DASHES = frozenset("-–—")
_WORDS = {"&": "và", "%": "phần trăm", "‰": "phần ngàn", "=": "bằng", "+": "cộng", ">": "lớn hơn", "<": "nhỏ hơn",
          "≥": "từ", "≤": "không quá", "°": "độ", "~": "khoảng", "@": "a còng", "±": "cộng trừ", "×": "nhân",
          "½": "một phần hai", "¼": "một phần tư", "¾": "ba phần tư",
          "€": "ơ-rô", "$": "đô-la", "₫": "đồng"}  # fmt: skip
_SURE = frozenset("&%‰½¼¾₫~")


def space(source: Source, at: int) -> Token | None:
    found = _SPACE.match(source.text, at)
    return source.token(at, found.end(), found[0], Category.PLAIN) if found else None


def sign(source: Source, at: int) -> Token:
    """One character or a run of the same kind; never nothing."""
    text, here = source.text, source.text[at]
    if here in _BULLETS and source.begins_line(at):
        return source.token(at, at + 1, "", Category.SIGN)
    if here in _DASHES and at and text[at - 1].isdigit() and source.match(_CODES, at):
        return source.token(at, at + 1, " đến ", Category.RANGE, ", ")
    if here in _DASHES and _goes_on(source, at):
        return source.token(at, at + 1, " đến ", Category.RANGE)
    if here in _DASHES:
        return source.token(at, at + 1, _dash(source, at), Category.SIGN)
    if here == "/":
        counted = at + 1 < len(text) and text[at + 1].isdigit() and source.follows(_COUNTED, at)
        if counted:
            return source.token(at, at + 1, " trên ", Category.SIGN, ", ")
        return source.token(at, at + 1, ", ", Category.SIGN)
    if here in _KEPT:
        return source.token(at, at + 1, here, Category.PLAIN)
    if here in _WORDS:
        word = _WORDS[here].replace("ngàn", source.style.thousand)
        return source.token(at, at + 1, f" {word} ", Category.SIGN, doubtful=here not in _SURE)
    end = at + 1
    other = _is_other_letter(here)
    while (
        end < len(text) and not text[end].isspace() and _is_silent(text[end]) and _is_other_letter(text[end]) == other
    ):
        end += 1
    return source.token(at, end, "", Category.OTHER_SCRIPT if other else Category.LEFT_OUT, doubtful=other)


def _goes_on(source: Source, at: int) -> bool:
    """1 triệu - 2 triệu: the same is counted on both sides."""
    before, after = _COUNTED_BEFORE.search(source.before(at)), source.match(_COUNTED_AFTER, at)
    return before is not None and after is not None and before[1] == after[1]


def _dash(source: Source, at: int) -> str:
    """Between the parts of one word it stays, elsewhere it is a pause."""
    text = source.text
    inside = 0 < at < len(text) - 1 and text[at - 1].isalpha() and text[at + 1].isalpha()
    if inside:
        return "-" if text[at + 1].islower() else ", "
    return ", "


def _is_other_letter(character: str) -> bool:
    """A letter, a mark or a figure of a script that is not ours."""
    return unicodedata.category(character)[0] in "LMN" and not is_latin(character)


def _is_silent(character: str) -> bool:
    if is_latin(character) or (character.isascii() and character.isalnum()):
        return False
    return character not in _KEPT and character not in _WORDS and character not in _BULLETS and character != "/"
