"""One line of what was played where: the same for a broadcast, a live voice, an emergency and a drill (R-099)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from broadcasts.domain.content import TypeCode


class Kind(StrEnum):
    """What sounded. A silent drill did not: it is told as what it is, and never as a broadcast or an emergency."""

    BROADCAST = "broadcast"
    LIVE = "live"
    ALERT = "alert"
    DRILL = "drill"
    SILENT_DRILL = "silent_drill"


@dataclass(frozen=True)
class Playing:
    """A bulletin, or one language or part of it, or an emergency, a drill, a live voice, at one cluster.

    `bulletin`: the id of the broadcast, emergency, drill or voice; `delivery`: of a broadcast alone. `author` handed in
    the revision that was played, sounded the emergency, asked for the drill, spoke; `approver` said yes to it, of an
    emergency afterwards. `type` by the codes of source systems: 3 sound, 5 live, 6 FM. `field`, `priority`: by their
    codes too; none where the thing has none. `alert_kind`: broadcasts.wire.alert.AlertKind, or "". `language`: codes,
    with commas between. `relay` is the name of the station that was relayed. `started`, `length_ms`, `coverage` (0 to
    1) and `verdict` are as proven so far, and none where nothing is known; of a broadcast the length is what was
    planned. `verdict`: of an emergency and a drill domain.tally.Mark, of a live voice one of views.voices.STATES.
    `watts`: of all horns together."""

    kind: Kind
    delivery: str
    bulletin: str
    title: str
    type: TypeCode
    field: int | None
    priority: int | None
    alert_kind: str
    language: str
    origin: str
    source: str
    author: str
    approver: str
    planned: datetime
    started: datetime | None
    length_ms: int | None
    coverage: float | None
    relay: str
    commune: str
    hamlet: str
    cluster: str
    volume: int | None
    watts: int
    state: str
    verdict: str | None
    reason: str | None

    @property
    def length(self) -> timedelta | None:
        return None if self.length_ms is None else timedelta(milliseconds=self.length_ms)


def ms(length: timedelta) -> int:
    return round(length.total_seconds() * 1000)
