"""What the horns of a cluster usually draw, and whether it becomes less: medians, which one odd play does not move.

Plays are compared with plays of about the same volume. The first `LEARN` good ones of a volume are the measure until
somebody repaired the horns, so that a slow drift cannot carry its own measure along.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from statistics import median
from typing import Any

STEP = 10
"""Volumes of one such step are comparable."""
LEARN, LEAST = 10, 4
"""So many plays are the measure, and from so many on there is one."""
RECENT = 10
WEAK, WEAK_PLAYS = 0.72, 2
"""The last two plays below this part of the usual current: one horn of two is silent, or a contact is loose."""
STRONG = 0.85
DRIFTED = 0.85


@dataclass(frozen=True)
class Volume:
    base: tuple[int, ...] = ()
    last: tuple[int, ...] = ()


@dataclass(frozen=True)
class Horns:
    """Of one cluster with one unit. A new value for each play."""

    volumes: Mapping[int, Volume] = field(default_factory=dict)
    recent: tuple[float, ...] = ()
    """The last plays against their measure, the newest last."""
    last_at: datetime | None = None

    def after(self, at: datetime, volume: int, ma: int) -> Horns:
        """One play that was on the line, with its mean current."""
        step = volume // STEP
        known = self.volumes.get(step, Volume())
        base = known.base if len(known.base) >= LEARN else (*known.base, ma)
        changed = Volume(base, (*known.last, ma)[-RECENT:])
        recent = self.recent
        if len(known.base) >= LEAST:
            ratio = ma / max(1.0, median(known.base))
            recent = (*recent, round(ratio, 3))[-RECENT:]
            if len(known.base) < LEARN and ratio < WEAK:
                changed = Volume(known.base, changed.last)  # what is weak is nobody's measure
        return Horns({**self.volumes, step: changed}, recent, at)

    def weak(self) -> tuple[bool, str] | None:
        """Whether the last plays were much weaker than usual, and how much is left; none when nobody can tell."""
        if len(self.recent) < WEAK_PLAYS:
            return None
        best = max(self.recent[-WEAK_PLAYS:])
        if best >= STRONG:
            return False, ""
        return (True, f"{best:.0%}") if best < WEAK else None

    def drift(self) -> tuple[bool, str] | None:
        """Whether all of the recent plays together are weaker than usual."""
        if len(self.recent) < RECENT:
            return None
        now = median(self.recent)
        return now < DRIFTED, f"{now:.0%}"

    def dump(self) -> dict[str, Any]:
        """For a column of JSON."""
        return {
            "volumes": {str(step): [list(each.base), list(each.last)] for step, each in self.volumes.items()},
            "recent": list(self.recent),
            "last_at": None if self.last_at is None else self.last_at.isoformat(),
        }

    @classmethod
    def load(cls, told: Mapping[str, Any]) -> Horns:
        if not told:
            return cls()
        volumes: Mapping[str, Sequence[Sequence[int]]] = told["volumes"]
        last = told["last_at"]
        return cls(
            {int(step): Volume(tuple(base), tuple(recent)) for step, (base, recent) in volumes.items()},
            tuple(told["recent"]),
            None if last is None else datetime.fromisoformat(last),
        )
