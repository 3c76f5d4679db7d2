"""What an edit changes and what is unusual about it, as lines of a page."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from broadcasts.clock import VIETNAM
from broadcasts.domain.changes import Change
from controller.services.unusual import Unusual
from controller.web.words import Words

MOST = 8


@dataclass(frozen=True)
class ChangeLine:
    """Changes of one kind at one time of the day in one sentence. `when`: the first of them, `was`: what it was."""

    kind: str
    when: datetime
    was: datetime | None
    times: int
    clusters: int


def change_lines(found: Iterable[Change]) -> list[ChangeLine]:
    groups: dict[tuple[str, str, str], list[Change]] = {}
    for change in found:
        groups.setdefault((change.kind, _clock(change.at), _clock(change.was)), []).append(change)
    lines = [
        ChangeLine(
            kind=kind,
            when=group[0].when,
            was=group[0].was if kind == "moved" else None,
            times=len({change.when for change in group}),
            clusters=len(frozenset().union(*(change.clusters for change in group))),
        )
        for (kind, _, _), group in groups.items()
    ]
    return lines[:MOST]


def unusual_times(words: Words, strange: Unusual) -> str:
    """ "3 giờ 15 sáng mai, thứ Ba; 3 giờ 30 sáng mai, thứ Ba"."""
    return "; ".join(words.in_words(start) for start in strange.starts)


def _clock(instant: datetime | None) -> str:
    return f"{instant.astimezone(VIETNAM):%H:%M:%S}" if instant else ""
