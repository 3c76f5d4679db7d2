"""The words of standard warnings, of the all-clear and around a drill, as every station begins with them.

Words only: they are read aloud or spoken by somebody, heard and kept like any other recording. Short, because a warning
is repeated. Vietnamese alone: for Khmer the words are those of the person who speaks them.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FILE = Path(__file__).parent / "seed_data" / "standard_texts.csv"
BEFORE_DRILL, AFTER_DRILL = "drill_before", "drill_after"
"""A drill is known from its first and its last words (R-066)."""


@dataclass(frozen=True)
class StandardText:
    """`kind`: one of `AlertKind`, or around a drill. `title` is for pages."""

    kind: str
    language: str
    title: str
    text: str


@cache
def standard_texts() -> tuple[StandardText, ...]:
    """All of them, in the order of the file."""
    with FILE.open(encoding="utf-8", newline="") as lines:
        return tuple(StandardText(**row) for row in csv.DictReader(lines))


def standard_text(kind: str, language: str = "vi") -> StandardText | None:
    """None where there are no words in this language: nobody's words are translated by a machine."""
    return next((each for each in standard_texts() if (each.kind, each.language) == (kind, language)), None)


def as_drill(text: str, language: str = "vi") -> str:
    """The text with the words of a drill before and after it, each a paragraph of its own. R-066.

    Raises KeyError where the language has no such words."""
    before, after = standard_text(BEFORE_DRILL, language), standard_text(AFTER_DRILL, language)
    if before is None or after is None:
        raise KeyError(language)
    return f"{before.text}\n{text}\n{after.text}"
