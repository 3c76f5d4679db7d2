"""Drills: exercises of an emergency. Another document, another topic, another key (R-066): nothing that is signed for
one can ever be taken for the other."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from broadcasts.wire.alert import AlertKind, Rendition
from broadcasts.wire.base import Message, Name, Reference, Text, UnixMs, Version, Versioned, Volume, newer_as

MOST_DRILLS = 8
"""Active at once in one scope."""


class Drill(Message):
    """One active drill. It sounds once, below every alert and above every item; hours, ceilings, trusted time and
    autonomy bind it. A unit that is not meant ignores it."""

    id: Reference
    kind: Annotated[AlertKind, newer_as(AlertKind, AlertKind.OTHER)]
    """What is exercised. For people; no unit behaves by it."""
    target: Literal["all"] | Annotated[list[Name], Field(min_length=1, max_length=2000)]
    silent: bool = True
    """Everything is done but the horn: fetched, decoded, journalled, and no villager hears it."""
    prefix: Annotated[list[Rendition], Field(max_length=6)] = []
    """The spoken "diễn tập", in each language of `content`: played first, and without it nothing sounds."""
    content: Annotated[list[Rendition], Field(min_length=1, max_length=6)]
    """Played one after the other, in this order, after the whole prefix."""
    volume: Volume
    """Of a loud drill; the ceilings hold."""
    issued_at: UnixMs
    not_before: UnixMs
    hard_end: UnixMs
    """Nothing of this drill sounds at or after this instant."""
    reason: Text

    @model_validator(mode="after")
    def _ends(self) -> Drill:
        if self.hard_end <= self.not_before:
            raise ValueError("a drill ends after it begins")
        return self

    @model_validator(mode="after")
    def _says_that_it_is_one(self) -> Drill:
        """Whoever understands only one of the languages must not take it for an emergency."""
        if not self.silent and not {each.language for each in self.content} <= {each.language for each in self.prefix}:
            raise ValueError("a loud drill says in each of its languages that it is one")
        return self


class DrillDocument(Versioned):
    """`loa/v1/s/{scope}/drill`, retained: the complete list of the scope's active drills. What is not in it any more
    stops. `void_before` ends every drill issued before it in this scope and in narrower ones."""

    scope: Name
    version: Version
    issued_at: UnixMs
    drills: Annotated[list[Drill], Field(max_length=MOST_DRILLS)]
    void_before: UnixMs = 0

    @model_validator(mode="after")
    def _drills_stand_once(self) -> DrillDocument:
        if len({drill.id for drill in self.drills}) != len(self.drills):
            raise ValueError("a drill stands once")
        return self
