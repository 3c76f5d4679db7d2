"""A text that is being read, and what stands around a place of it. Nothing looks further than a fixed number of
characters, so that reading a text takes time in proportion to its length."""

from __future__ import annotations

import re
from dataclasses import dataclass

from broadcasts.domain.reading.glossary import Glossary
from broadcasts.domain.reading.numerals import Style
from broadcasts.domain.reading.tokens import Category, Token

BACK = 48
AHEAD = 96
"""Longer than anything that a rule takes for one thing."""


@dataclass(frozen=True)
class Source:
    text: str
    glossary: Glossary
    style: Style

    def match(self, pattern: re.Pattern[str], at: int) -> re.Match[str] | None:
        """No further than the line: "5" and a bullet below it are no range."""
        end = self.text.find("\n", at, at + AHEAD)
        return pattern.match(self.text, at, at + AHEAD if end < 0 else end)

    def before(self, at: int) -> str:
        """Up to 48 characters, of the same line."""
        return self.text[max(0, at - BACK) : at].rpartition("\n")[2]

    def after(self, at: int) -> str:
        return self.text[at : at + BACK].partition("\n")[0]

    def follows(self, cue: re.Pattern[str], at: int) -> bool:
        """Whether what stands before `at` ends in `cue`, a pattern that ends in $."""
        return cue.search(self.before(at)) is not None

    def begins_line(self, at: int) -> bool:
        return not self.before(at).strip()

    def token(
        self,
        start: int,
        end: int,
        spoken: str,
        category: Category,
        *others: str,
        doubtful: bool = False,
        note: str = "",
    ) -> Token:
        """`others`: the readings beside `spoken`; where there are some it is doubtful."""
        alternatives = tuple(dict.fromkeys(each for each in others if each != spoken))
        return Token(
            start, end, self.text[start:end], spoken, category, doubtful or bool(alternatives), alternatives, note
        )
