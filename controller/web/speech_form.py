"""How a text is to be read aloud, as typed; and a reading as a page shows it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from broadcasts.domain.reading.tokens import Reading, Token
from controller.services.speaking import Wish
from controller.web.upload import Posted

PACES = (80, 90, 100, 110, 120)
MOST_ROWS = 300
"""Stretches that can be corrected in one page; the others are shown."""


@dataclass(frozen=True)
class SpeechForm:
    """`words`: by the start of a stretch what is written there and what is to be said."""

    voice: str = ""
    percent: str = "100"
    fallback: bool = False
    words: Mapping[int, tuple[str, str]] = field(default_factory=dict)

    PACES = PACES

    def wish(self, text: str, language: str) -> Wish:
        percent = int(self.percent) if self.percent.isdecimal() and len(self.percent) < 4 else 0
        return Wish(text, language, self.voice, percent, self.words, self.fallback)


NO_SPEECH = SpeechForm()


def typed(posted: Posted) -> SpeechForm:
    """A correction that was typed goes before what was chosen."""
    words: dict[int, tuple[str, str]] = {}
    for name, written in posted.fields:
        place = name.removeprefix("of:")
        if name != place and place.isdecimal() and len(place) < 7:
            spoken = posted.get(f"own:{place}").strip() or posted.get(f"as:{place}")
            words[int(place)] = (written, spoken)
    return SpeechForm(
        voice=posted.get("voice")[:120],
        percent=posted.get("pace", "100"),
        fallback=posted.get("fallback") == "1",
        words=words,
    )


@dataclass(frozen=True)
class Stretch:
    """`spoken` is none where it is read as it is written, "" where it is left out."""

    written: str
    spoken: str | None = None
    doubtful: bool = False


def stretches(written: str, words: Iterable[Sequence[Any]]) -> list[Stretch]:
    """Of a text that was spoken (`SpokenText.words`)."""
    found, at = [], 0
    for start, end, spoken, doubtful in words:
        if start > at:
            found.append(Stretch(written[at:start]))
        found.append(Stretch(written[start:end], spoken, doubtful))
        at = end
    return [*found, Stretch(written[at:])] if at < len(written) else found


def shown(reading: Reading) -> list[Stretch]:
    """Of a text that is about to be spoken."""
    marked = [(one.start, one.end, one.spoken, one.doubtful) for one in reading.tokens if _marked(one)]
    return stretches(reading.text, marked)


@dataclass(frozen=True)
class Row:
    """One stretch that can be put right: what may be said for it, what is, and what was typed in place of all those."""

    token: Token
    offered: tuple[str, ...]
    said: str
    own: str


def rows(plain: Reading, reading: Reading) -> list[Row]:
    """The doubtful first. `plain` is the reading without anybody's choices."""
    said = {one.start: one.spoken for one in reading.tokens}
    marked = [one for one in plain.tokens if (_marked(one) or said[one.start] != one.spoken) and not one.left_out]
    marked.sort(key=lambda one: (not one.doubtful, one.start))
    found = []
    for one in marked[:MOST_ROWS]:
        offered, spoken = tuple(dict.fromkeys((one.spoken, *one.alternatives))), said[one.start]
        found.append(Row(one, offered, spoken, "" if spoken in offered else spoken))
    return found


def _marked(one: Token) -> bool:
    return one.changed or one.doubtful or (one.left_out and bool(one.written.strip()))
