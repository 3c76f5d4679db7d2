"""From symptoms to faults: how long one has to last, how long it has to be gone, and damping of what comes and goes.

Pure and small enough to be kept as JSON: one `Memory` for each code of a cluster."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from broadcasts.domain.fault_classes import CLASSES, Code
from broadcasts.domain.health import Sign

FORGET = timedelta(days=1)
"""After so long without the fault its coming and going is forgotten."""
MOST_CALM = timedelta(hours=6)
FLAPPING = 3
"""From so many returns within a day on, the page says that it comes and goes."""


class News(StrEnum):
    RAISED = "raised"
    GONE = "gone"


@dataclass(frozen=True)
class Memory:
    since: datetime | None = None
    """The symptom is there, since then."""
    raised: bool = False
    gone: datetime | None = None
    """It stands as a fault, and the symptom is away since then."""
    returns: int = 0
    ended: datetime | None = None
    detail: str = ""

    @property
    def idle(self) -> bool:
        return self == Memory(returns=self.returns, ended=self.ended) and not self.returns

    def dump(self) -> list[Any]:
        told = (self.since, self.gone, self.ended)
        return [*(None if at is None else at.isoformat() for at in told), self.raised, self.returns, self.detail]

    @classmethod
    def load(cls, told: list[Any]) -> Memory:
        since, gone, ended = (None if at is None else datetime.fromisoformat(at) for at in told[:3])
        return cls(since, told[3], gone, told[4], ended, told[5])


def calm(code: Code, memory: Memory) -> timedelta:
    """How long the symptom has to be away: longer each time that it came back within a day."""
    after = CLASSES[code].clear_after
    if not memory.returns:
        return after
    longer = max(after, timedelta(minutes=5)) * (1 << min(memory.returns, 10))
    return min(longer, max(MOST_CALM, after))


def step(code: Code, memory: Memory, sign: Sign, now: datetime) -> tuple[Memory, News | None]:
    """One look at one symptom."""
    if sign.here is None:
        # Nobody can tell: what stands goes on, and what was about to be a fault is not one for that.
        return (memory if memory.raised else replace(memory, since=None)), None
    if sign.here:
        if memory.raised:
            return replace(memory, gone=None, detail=sign.detail), None
        since = memory.since or min(sign.since or now, now)
        if sign.floor is not None:
            since = min(max(since, sign.floor), now)
        if now - since < CLASSES[code].raise_after:
            return replace(memory, since=since, detail=sign.detail), None
        again = memory.ended is not None and now - memory.ended <= FORGET
        returns = memory.returns + 1 if again else 0
        return replace(memory, since=since, raised=True, gone=None, returns=returns, detail=sign.detail), News.RAISED
    if not memory.raised:
        return replace(memory, since=None), None
    gone = memory.gone or now
    if now - gone < calm(code, memory):
        return replace(memory, gone=gone), None
    return Memory(returns=memory.returns, ended=now), News.GONE


def pending(memory: Memory) -> bool:
    """The symptom is there, and not yet for long enough."""
    return memory.since is not None and not memory.raised


def dump(all_of_it: Mapping[Code, Memory]) -> dict[str, Any]:
    return {str(code): memory.dump() for code, memory in all_of_it.items() if not memory.idle}


def load(told: Mapping[str, Any]) -> dict[Code, Memory]:
    """What another version wrote under a code that we do not know is left away."""
    return {Code(code): Memory.load(kept) for code, kept in told.items() if code in set(Code)}
