"""How a written Vietnamese text is read aloud."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby

from broadcasts.domain.reading import (
    addresses,
    amounts,
    dates,
    documents,
    phones,
    roads,
    roman,
    signs,
    times,
    units,
    words,
)
from broadcasts.domain.reading.abbreviations import plain_glossary
from broadcasts.domain.reading.glossary import Glossary, Layer
from broadcasts.domain.reading.letters import is_latin
from broadcasts.domain.reading.numerals import SOUTH, Style
from broadcasts.domain.reading.source import Source
from broadcasts.domain.reading.tokens import Category, Reading, Token
from broadcasts.errors import Refused

MOST_LETTERS = 30_000
"""About half an hour of speech: what is longer is several bulletins."""

Rule = Callable[[Source, int], Token | None]
_FIGURES: tuple[Rule, ...] = (
    addresses.address,
    roads.plate,
    documents.document,
    phones.phone,
    times.round_the_clock,
    dates.date,
    times.clock,
    roads.road_number,
    words.code,
    amounts.amount,
)
_LETTERS: tuple[Rule, ...] = (addresses.address, roads.boat, roads.road, words.place, roman.roman)
_MORE_LETTERS: tuple[Rule, ...] = (words.code, words.word)
_SIGNS: tuple[Rule, ...] = (signs.space, phones.phone, amounts.amount, units.slash, signs.sign)


def read(text: str, glossary: Glossary | None = None, style: Style = SOUTH) -> Reading:
    """Every character of the NFC form lies in exactly one token, and every letter is spoken or its token says that it
    is left out. The same text and glossary give the same reading; time grows in proportion to the length.

    Raises Refused reading.too_long(letters, limit).
    """
    text = unicodedata.normalize("NFC", text)
    if len(text) > MOST_LETTERS:
        raise Refused("reading.too_long", letters=len(text), limit=MOST_LETTERS)
    source = Source(text, glossary or plain_glossary(), style)
    tokens: list[Token] = []
    at = 0
    while at < len(text):
        token = _next(source, at)
        at = token.end
        tokens.append(token)
    return Reading(text, tuple(_merged(source, tokens)))


def _merged(source: Source, tokens: Iterable[Token]) -> Iterator[Token]:
    """Neighbours that stay as they are become one token."""
    for plain, run in groupby(tokens, lambda token: token.category is Category.PLAIN and not token.doubtful):
        if plain:
            found = list(run)
            spoken = "".join(token.spoken for token in found)
            yield source.token(found[0].start, found[-1].end, spoken, Category.PLAIN)
        else:
            yield from run


def _next(source: Source, at: int) -> Token:
    here = source.text[at]
    entry = _entry(source, at)
    if entry and entry.category is Category.GLOSSARY:
        return entry
    if here.isascii() and here.isdigit():
        return _first(_FIGURES, source, at)
    if is_latin(here):
        found = _try(_LETTERS, source, at)
        if found and not (entry and entry.end > found.end):
            return found
        return entry or _first(_MORE_LETTERS, source, at)
    return entry or _first(_SIGNS, source, at)


def _entry(source: Source, at: int) -> Token | None:
    """Of the glossary, the longest; only where a word begins."""
    if at and source.text[at - 1].isalnum() and source.text[at].isalnum():
        return None
    found = source.glossary.longest(source.text, at)
    if found is None:
        return None
    end, entry, layer = found
    category = Category.ABBREVIATION if layer is Layer.BUILT_IN else Category.GLOSSARY
    return source.token(at, end, entry.spoken, category, *entry.alternatives, note=entry.note)


def _try(rules: tuple[Rule, ...], source: Source, at: int) -> Token | None:
    return next((token for rule in rules if (token := rule(source, at))), None)


def _first(rules: tuple[Rule, ...], source: Source, at: int) -> Token:
    token = _try(rules, source, at)
    assert token is not None, "the last rule takes anything"
    return token
