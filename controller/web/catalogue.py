"""Sentences by key and language. Keys are dotted words, never a sentence of one language.

`locale/<language>/LC_MESSAGES/loa.po`: msgid is the key, msgstr the sentence with gaps like {minutes}. What a language
lacks is said in Vietnamese. A key with `.one` beside it is used when the field `n` is 1 (English; Vietnamese and Khmer
do not count that way).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from babel.messages.pofile import read_po

LOCALE = Path(__file__).parent / "locale"
LANGUAGES = ("vi", "en", "km")
FIRST = "vi"


class _Gaps(dict[str, object]):
    """A field that is not there leaves a dash: half a sentence beats a page that does not open."""

    def __missing__(self, key: str) -> str:
        return "–"


@cache
def sentences(language: str) -> Mapping[str, str]:
    with (LOCALE / language / "LC_MESSAGES" / "loa.po").open("rb") as file:
        catalogue = read_po(file, locale=language, abort_invalid=True)
    return {str(message.id): str(message.string) for message in catalogue if message.id and message.string}


def knows(key: str) -> bool:
    return key in sentences(FIRST)


def say(language: str, key: str, /, **fields: object) -> str:
    """The sentence. An unknown key comes back as it is; tests see to it that no page asks for one."""
    ours = sentences(language if language in LANGUAGES else FIRST)
    pattern = (ours.get(f"{key}.one") if fields.get("n") == 1 else None) or ours.get(key) or sentences(FIRST).get(key)
    return pattern.format_map(_Gaps(fields)) if pattern is not None else key
