"""What a preview says besides start and end: unusual hours, repeats, neighbours, what changes."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel

from controller.services.edit_effect import Effect
from controller.services.unusual import Unusual


class UnusualOut(BaseModel):
    """`starts`: the first of each time of the day."""

    mark: str
    starts: list[datetime]
    clusters: list[str]

    @classmethod
    def of(cls, found: Unusual) -> UnusualOut:
        return cls(mark=found.mark, starts=list(found.starts), clusters=[cluster.id for cluster in found.clusters])


class AgainOut(BaseModel):
    evening: datetime
    morning: datetime
    clusters: int


class OverlapOut(BaseModel):
    cluster: str
    other: str
    metres: int
    title: str
    at: datetime


class ChangeOut(BaseModel):
    """added, removed, moved"""

    kind: str
    at: datetime | None
    was: datetime | None
    clusters: list[str]


class EditOut(BaseModel):
    """What an edit changes and what it leaves: see `services.edit_effect.Effect`."""

    in_place: bool
    kept: int
    last: datetime | None
    off: list[datetime]
    changed: list[str]

    @classmethod
    def of(cls, found: Effect) -> EditOut:
        return cls(**vars(found) | {"off": list(found.off), "changed": list(found.changed)})
