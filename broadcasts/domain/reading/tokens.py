"""What reading a text gives: every stretch of it with the words that are spoken for it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

_SPACES = re.compile(r"[^\S\n]+")
_LINES = re.compile(r"\s*\n\s*")
_STRAY = re.compile(r"[^\S\n]+([,.;:!?…])")
_AFTER_STOP = re.compile(r"([.…])(?:[^\S\n]+,)+")
_TWICE = re.compile(r"([,;:!?])(?:[^\S\n]*,)+|,[^\S\n]*(?=[.;:!?…])")
"""A comma that stands for a dash or a stroke says nothing beside another sign."""
_AT_FRONT = re.compile(r"(^|\n)[\s,]+")


class Category(StrEnum):
    PLAIN = "plain"
    """Words, spaces and signs that stay as they are."""
    SIGN = "sign"
    NUMBER = "number"
    UNIT = "unit"
    MONEY = "money"
    RANGE = "range"
    TIME = "time"
    DATE = "date"
    FRACTION = "fraction"
    PHONE = "phone"
    DOCUMENT = "document"
    ROMAN = "roman"
    ROAD = "road"
    PLATE = "plate"
    ADDRESS = "address"
    """Of a mail box or a page."""
    ABBREVIATION = "abbreviation"
    """Of the table that comes along."""
    GLOSSARY = "glossary"
    """Of the province's or the station's own table."""
    SPELLED = "spelled"
    """Letter by letter: capitals that no table knows."""
    OTHER_SCRIPT = "other_script"
    """Khmer, Chinese, ...: a Vietnamese voice cannot say it, so it is left out and told."""
    LEFT_OUT = "left_out"
    """Emoji, control characters, signs without a word."""


SILENT = frozenset({Category.OTHER_SCRIPT, Category.LEFT_OUT})


@dataclass(frozen=True)
class Token:
    """`start`, `end`: characters of the NFC text. `alternatives`: other readings, for one that is doubtful.
    `note`: of the glossary's entry."""

    start: int
    end: int
    written: str
    spoken: str
    category: Category
    doubtful: bool = False
    alternatives: tuple[str, ...] = ()
    note: str = ""

    @property
    def changed(self) -> bool:
        """Whether other words are spoken than were written; signs and capitals alone are no change."""
        return _words(self.written) != _words(self.spoken)

    @property
    def left_out(self) -> bool:
        return self.category in SILENT


@dataclass(frozen=True)
class Reading:
    """`text` is the NFC form; the tokens cover it in order, without gap and without overlap."""

    text: str
    tokens: tuple[Token, ...] = field(default=())

    @property
    def spoken(self) -> str:
        """What goes to the voice: lines stay lines (a pause), other space is single."""
        parts: list[str] = []
        last = ""
        for token in self.tokens:
            if not token.spoken:
                continue
            if last and _meet(last, token.spoken[0]):
                parts.append(" ")
            parts.append(token.spoken)
            last = token.spoken[-1]
        joined = _LINES.sub("\n", _SPACES.sub(" ", "".join(parts)))
        joined = _AFTER_STOP.sub(r"\1", joined)
        joined = _TWICE.sub(lambda found: found[1] or "", _STRAY.sub(r"\1", joined))
        return _AT_FRONT.sub(r"\1", joined).strip()

    @property
    def changed(self) -> tuple[Token, ...]:
        return tuple(token for token in self.tokens if token.changed and not token.left_out)

    @property
    def doubtful(self) -> tuple[Token, ...]:
        return tuple(token for token in self.tokens if token.doubtful)

    @property
    def left_out(self) -> tuple[Token, ...]:
        return tuple(token for token in self.tokens if token.left_out)

    def decided(self, choices: Mapping[int, str]) -> Reading:
        """With the operator's words for some tokens, by their start; those are doubtful no more. Starts that are no
        token's are ignored: the text was edited meanwhile."""
        return replace(
            self,
            tokens=tuple(
                replace(token, spoken=choices[token.start], doubtful=False) if token.start in choices else token
                for token in self.tokens
            ),
        )


def _words(text: str) -> str:
    return "".join(character for character in text.casefold() if character.isalnum())


def _meet(before: str, after: str) -> bool:
    return before.isalnum() and after.isalnum()
