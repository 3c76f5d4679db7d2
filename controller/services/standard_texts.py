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
AROUND_A_DRILL = frozenset({BEFORE_DRILL, AFTER_DRILL})
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
