"""The form that asks for a live voice, as typed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time

from broadcasts.clock import VIETNAM
from broadcasts.domain import polygon
from broadcasts.errors import Refused
from controller.services.live_rules import EMERGENCY
from controller.services.live_sessions import Wish
from controller.web.more_form import tags_of
from controller.web.upload import Posted


@dataclass(frozen=True)
class VoiceForm:
    """`when`: now or at. `day`: ISO 8601; "" for today."""

    priority: int = 3
    reason: str = ""
    kind: str = "storm"
    when: str = "now"
    day: str = ""
    clock: str = ""
    minutes: str = "10"
    areas: tuple[str, ...] = ()
    clusters: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    tags: str = ""
    shape: str = ""
    chime: str = "falling"
    unusual: str = ""
    typed: str = ""
    later: str = "60"

    def wish(self, today: date) -> Wish:
        """Raises Refused for what cannot be read: "choice.unknown", "target.polygon"."""
        return Wish(
            reason=self.reason,
            minutes=_number("minutes", self.minutes),
            priority=self.priority,
            begins_at=self._begins(today),
            areas=self.areas,
            clusters=self.clusters,
            groups=self.groups,
            tags=tags_of(self.tags),
            polygon=polygon.read(self.shape) if self.shape.strip() else (),
            chime=self.chime,
            unusual=self.unusual,
            kind=self.kind if self.priority == EMERGENCY else "",
            typed=self.typed,
            later_minutes=_number("later", self.later or "0"),
        )

    def _begins(self, today: date) -> datetime | None:
        if self.when != "at" or self.priority == EMERGENCY:
            return None
        try:
            day = date.fromisoformat(self.day) if self.day else today
            at = time.fromisoformat(self.clock)
        except ValueError:
            raise Refused("choice.unknown", name="time", value=f"{self.day} {self.clock}"[:40]) from None
        if at.tzinfo is not None or not 2000 < day.year < 2200:  # the ends of time have no UTC
            raise Refused("choice.unknown", name="time", value=self.clock[:40])
        return datetime.combine(day, at, VIETNAM).astimezone(UTC)


def typed(posted: Posted, priority: int = 0) -> VoiceForm:
    """`priority`: of the page; 0: as chosen, ordinary where that cannot be read."""
    chosen = 2 if posted.get("priority") == "2" else 3
    return VoiceForm(
        priority=priority or chosen,
        reason=posted.get("reason"),
        kind=posted.get("kind"),
        when=posted.get("when", "now"),
        day=posted.get("day"),
        clock=posted.get("clock"),
        minutes=posted.get("minutes", "10"),
        areas=tuple(posted.all("areas")),
        clusters=tuple(posted.all("clusters")),
        groups=tuple(posted.all("groups")),
        tags=posted.get("tags")[:300],
        shape=posted.get("shape"),
        chime=posted.get("chime"),
        unusual=posted.get("unusual"),
        typed=posted.get("typed"),
        later=posted.get("later", "60"),
    )


def _number(name: str, told: str) -> int:
    if not told.isascii() or not told.strip().isdigit() or len(told) > 4:
        raise Refused("choice.unknown", name=name, value=told[:20])
    return int(told)
