"""A spoken text cut for the voice: sentences, and how long it is silent after each."""

from __future__ import annotations

import re
from dataclasses import dataclass

SENTENCE_MS, PARAGRAPH_MS, PART_MS = 250, 600, 80
MOST_LETTERS = 400
"""Of one piece: voices stumble over longer ones."""
_END = re.compile(r"(?<=[.!?…;])[\"”’)\]]?\s+")
_COMMA = re.compile(r"(?<=[,:])\s+")


@dataclass(frozen=True)
class Sentence:
    """`pause_ms`: silence after it; none after the last of all."""

    text: str
    pause_ms: int


def split(spoken: str, most: int = MOST_LETTERS) -> tuple[Sentence, ...]:
    """Nothing is lost but the space between. A piece of more than `most` letters is cut at its last comma, else at a
    space, else in the middle of a word."""
    found: list[Sentence] = []
    for line in spoken.splitlines():
        pieces = [piece.strip() for piece in _END.split(line) if any(map(str.isalnum, piece))]
        for number, piece in enumerate(pieces):
            pause = PARAGRAPH_MS if number == len(pieces) - 1 else SENTENCE_MS
            *parts, last = _cut(piece, most)
            found += [Sentence(part, PART_MS) for part in parts]
            found.append(Sentence(last, pause))
    if found:
        found[-1] = Sentence(found[-1].text, 0)
    return tuple(found)


def _cut(piece: str, most: int) -> list[str]:
    parts: list[str] = []
    while len(piece) > most:
        window = piece[: most + 1]
        at = max((match.start() for match in _COMMA.finditer(window)), default=0) or window.rfind(" ")
        at = at if at > 0 else most
        parts.append(piece[:at].strip())
        piece = piece[at:].strip()
    return [*parts, piece]
