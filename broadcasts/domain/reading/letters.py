"""Letters: their names, which belong to a Vietnamese text, and whether a word could be said as a syllable."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

_NAMES = {
    "A": "a", "Ă": "á", "Â": "ớ", "B": "bê", "C": "xê", "D": "dê", "Đ": "đê", "E": "e", "Ê": "ê", "F": "ép-phờ",
    "G": "giê", "H": "hát", "I": "i", "J": "gi", "K": "ca", "L": "e-lờ", "M": "em-mờ", "N": "en-nờ", "O": "o",
    "Ô": "ô", "Ơ": "ơ", "P": "pê", "Q": "quy", "R": "e-rờ", "S": "ét-sì", "T": "tê", "U": "u", "Ư": "ư", "V": "vê",
    "W": "vê kép", "X": "ích-xì", "Y": "i dài", "Z": "dét",
}  # fmt: skip
_ONSET = "ngh|ng|nh|gh|gi|kh|ph|th|tr|ch|qu|[bcdđghklmnprstvx]"
_SYLLABLE = re.compile(rf"(?:{_ONSET})?[aăâeêioôơuưy]{{1,3}}(?:ch|ng|nh|[cmnpt])?")
_TONES = dict.fromkeys(map(ord, "\u0300\u0301\u0303\u0309\u0323"))


def spell(text: str) -> str:
    """Letter by letter; what has no name of its own (é) keeps its form. Digits are said as digits elsewhere."""
    return " ".join(_NAMES.get(_bare(letter).upper(), letter) for letter in text if letter.isalpha())


def is_syllable(word: str) -> bool:
    """Whether a Vietnamese could say it as one: "BÃO" yes, "UBND" no."""
    return _SYLLABLE.fullmatch(_bare(word.lower())) is not None


@lru_cache(maxsize=4096)
def is_latin(character: str) -> bool:
    """A letter that a Vietnamese voice may be given."""
    return character.isalpha() and unicodedata.name(character, "").startswith("LATIN ") and not _is_wide(character)


def _is_wide(character: str) -> bool:
    return unicodedata.east_asian_width(character) == "F"


def _bare(text: str) -> str:
    """Without tones; the marks that make another letter (ă, ơ) stay."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", text).translate(_TONES))
