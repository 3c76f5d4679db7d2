"""What a bulletin says of itself, and which of its languages a cluster plays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Any

VIETNAMESE = "vi"
FIRST_CLASS = (VIETNAMESE, "km")
"""Vietnamese and Khmer (R-027); all others by their ISO 639 code."""
MOST_LANGUAGES = 5


class Origin(StrEnum):
    """Whose bulletin it is (R-026, Decree 49 Art. 9)."""

    OWN = "own"
    ABOVE = "above"
    """From the level above, for its fixed slots or in an emergency."""
    PROVINCIAL = "provincial"
    CENTRAL = "central"
    """From the source system of the province or of the centre (Circular 39 Art. 3(5))."""
    TASK = "task"
    """For a political task of the nation or the province."""
    RELAY = "relay"


class Category(StrEnum):
    """Essential information (R-025, Decree 49 Art. 6)."""

    POLICY = "policy"
    PROJECTS = "projects"
    SOCIETY = "society"
    SECURITY = "security"
    DISASTER = "disaster"
    EXAMPLES = "examples"
    CRIME = "crime"
    PRODUCTS = "products"


class TypeCode(IntEnum):
    """What kind of thing sounds, by the numbers of source systems (R-020). Clusters play 3, 5 and 6: text
    is read aloud and becomes sound, pictures and films belong to boards."""

    TEXT = 1
    PICTURE = 2
    SOUND = 3
    VIDEO = 4
    LIVE = 5
    FM = 6


def type_code(relay: Mapping[str, Any] | None) -> TypeCode:
    """Of what a cluster played; `relay`: what was approved of the station it relayed, none for a recording."""
    if relay is None:
        return TypeCode.SOUND
    return TypeCode.FM if relay.get("frequency_khz") else TypeCode.LIVE


@dataclass(frozen=True)
class Translation:
    """One more language of a bulletin. `asset` is a recording's SHA-256, `language` an ISO 639 code."""

    language: str
    asset: str
    title: str = ""
    text: str = ""


@dataclass(frozen=True)
class Choice:
    """What one cluster plays of one bulletin, in order; `missing` are the languages it wanted and there are none of."""

    languages: tuple[str, ...]
    missing: tuple[str, ...] = ()


def choose(wanted: Sequence[str], there: Sequence[str]) -> Choice:
    """What a cluster that wants these languages, in its order, plays of a bulletin that has those, its own first.

    In place of a language that is not there comes Vietnamese, or the bulletin's own where there is no Vietnamese
    either: silence tells people nothing. Nothing is said twice for that.
    """
    other = VIETNAMESE if VIETNAMESE in there else there[0]
    languages = dict.fromkeys(language if language in there else other for language in wanted or (other,))
    missing = dict.fromkeys(language for language in wanted if language not in there)
    return Choice(tuple(languages), tuple(missing))
