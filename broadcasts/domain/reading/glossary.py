"""Words that are spoken otherwise than they are written: the built-in table, the province's, the station's."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property

from broadcasts.errors import Refused

MOST_WRITTEN, MOST_SPOKEN, MOST_NOTE = 60, 200, 200
MOST_ENTRIES = 2_000
"""Of one table."""


class Layer(IntEnum):
    """Whose table; where two have the same written form, the greater wins."""

    BUILT_IN = 0
    PROVINCE = 1
    STATION = 2


@dataclass(frozen=True)
class Entry:
    """`written` with a capital in it is met in exactly that form, without one in any. With `alternatives` it is
    doubtful wherever it is met."""

    written: str
    spoken: str
    note: str = ""
    alternatives: tuple[str, ...] = ()

    @property
    def exact(self) -> bool:
        return self.written != self.written.lower()


def check_entry(written: str, spoken: str, note: str = "", alternatives: Iterable[str] = ()) -> Entry:
    """The entry as it is kept: NFC, trimmed, single spaces.

    Raises Refused: glossary.empty, glossary.too_long(name, limit), glossary.characters(name) for control characters
    and line breaks, glossary.no_letter (written holds neither letter nor digit), glossary.one_letter (a single small
    letter or a digit would change every text), glossary.spoken_words(found) where the spoken form is not words but
    holds digits or signs that would have to be read themselves.
    """
    others = [each for each in alternatives if each.strip()]
    parts = {"written": written, "spoken": spoken, "note": note, **{f"other{n}": each for n, each in enumerate(others)}}
    kept = {name: _clean(name, text) for name, text in parts.items()}
    if not kept["written"] or not kept["spoken"]:
        raise Refused("glossary.empty")
    if not any(character.isalnum() for character in kept["written"]):
        raise Refused("glossary.no_letter")
    if len(kept["written"]) == 1 and kept["written"] == kept["written"].lower():
        raise Refused("glossary.one_letter")
    for name, text in kept.items():
        if name not in {"written", "note"}:
            _must_be_words(text)
    found = tuple(kept[f"other{number}"] for number in range(len(others)))
    return Entry(kept["written"], kept["spoken"], kept["note"], found)


def _clean(name: str, text: str) -> str:
    """NFC with single spaces."""
    limit = {"written": MOST_WRITTEN, "note": MOST_NOTE}.get(name, MOST_SPOKEN)
    name = name if name in {"written", "note"} else "spoken"
    if len(text) > limit:
        raise Refused("glossary.too_long", name=name, limit=limit)
    if any(unicodedata.category(character)[0] == "C" for character in text.strip()):
        raise Refused("glossary.characters", name=name)
    return " ".join(unicodedata.normalize("NFC", text).split())


def _must_be_words(text: str) -> None:
    odd = [each for each in text if not (each.isalpha() or each in " ,-'’" or unicodedata.combining(each))]
    if odd or not any(each.isalpha() for each in text):
        raise Refused("glossary.spoken_words", found="".join(dict.fromkeys(odd)))


class Glossary:
    """Several tables as one; made once, used for many texts."""

    def __init__(self, tables: Mapping[Layer, Iterable[Entry]]) -> None:
        """Raises Refused glossary.too_many(limit)."""
        self._exact: dict[str, tuple[Entry, Layer]] = {}
        self._any: dict[str, tuple[Entry, Layer]] = {}
        for layer in sorted(tables):
            entries = list(tables[layer])
            if len(entries) > MOST_ENTRIES:
                raise Refused("glossary.too_many", limit=MOST_ENTRIES)
            for entry in entries:
                written = unicodedata.normalize("NFC", entry.written)
                if entry.exact:
                    self._exact[written] = entry, layer
                else:
                    self._any[written] = entry, layer

    def of(self, written: str) -> tuple[Entry, Layer] | None:
        """The entry of exactly this stretch. The greater layer wins; of two of one layer the one that is met in
        exactly this form."""
        exact, loose = self._exact.get(written), self._any.get(written.lower())
        if exact and loose:
            return loose if loose[1] > exact[1] else exact
        return exact or loose

    def longest(self, text: str, at: int) -> tuple[int, Entry, Layer] | None:
        """The longest entry that stands at `at` and ends at the end of a word: its end, itself, its layer."""
        for length in self._lengths.get(text[at].lower(), ()):
            end = at + length
            if end > len(text) or not _ends(text, end):
                continue
            found = self.of(text[at:end])
            if found:
                return end, *found
        return None

    @cached_property
    def _lengths(self) -> dict[str, tuple[int, ...]]:
        """By the first character in small letters, how long the entries are that begin so, the longest first."""
        lengths: dict[str, set[int]] = {}
        for written in (*self._exact, *self._any):
            lengths.setdefault(written[0].lower(), set()).add(len(written))
        return {head: tuple(sorted(found, reverse=True)) for head, found in lengths.items()}


def _ends(text: str, end: int) -> bool:
    """A word ends here; an entry that ends in a sign ends anywhere."""
    if end == len(text) or not text[end - 1].isalnum():
        return True
    return not (text[end].isalnum() or unicodedata.combining(text[end]))
