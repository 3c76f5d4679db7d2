"""Whose bulletin it is, and in which languages: what a form may say of that."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sqlalchemy.orm import Session

from broadcasts.domain.content import MOST_LANGUAGES, Category, Origin, Translation
from broadcasts.errors import LoaError, Refused
from controller.db.tables import Asset

LANGUAGE = re.compile(r"[a-z]{2,3}\Z")
"""ISO 639, as on the wire; without one there is no bulletin (R-027)."""
LONGEST_TITLE, LONGEST_TEXT = 200, 20_000


def problems(
    session: Session, language: str, more: Sequence[Translation], origin: str, source: str, category: str
) -> list[LoaError]:
    """Refused: "choice.unknown", "origin.source" (whose it is, if not one's own), "rendition.twice", "rendition.many",
    "rendition.asset" (no recording in that language), "title.long", "text.long"."""
    bad: list[LoaError] = []
    if origin not in set(Origin):
        bad.append(Refused("choice.unknown", name="origin", value=origin[:20]))
    if category and category not in set(Category):
        bad.append(Refused("choice.unknown", name="category", value=category[:20]))
    if len(source) > LONGEST_TITLE or "\x00" in source:
        bad.append(Refused("choice.unknown", name="source", value=source[:20].replace("\x00", "")))
    if origin != Origin.OWN and not source.strip():
        bad.append(Refused("origin.source"))
    if 1 + len(more) > MOST_LANGUAGES:
        return [*bad, Refused("rendition.many", most=MOST_LANGUAGES)]
    seen = {language}
    for each in more:
        bad += _one(session, each, seen)
        seen.add(each.language)
    return bad


def _one(session: Session, each: Translation, seen: set[str]) -> list[LoaError]:
    if not LANGUAGE.match(each.language):
        return [Refused("choice.unknown", name="language", value=each.language[:20])]
    bad: list[LoaError] = []
    if each.language in seen:
        bad.append(Refused("rendition.twice", language=each.language))
    if session.get(Asset, each.asset) is None:
        bad.append(Refused("rendition.asset", language=each.language))
    if len(each.title) > LONGEST_TITLE:
        bad.append(Refused("title.long", most=LONGEST_TITLE))
    if len(each.text) > LONGEST_TEXT:
        bad.append(Refused("text.long", most=LONGEST_TEXT, length=len(each.text)))
    if "\x00" in each.title + each.text:
        bad.append(Refused("choice.unknown", name="title", value="NUL"))
    return bad
