"""The form of a series as typed, and what it means. Nothing typed is lost on the way back to the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any

from broadcasts.clock import VIETNAM
from broadcasts.domain.series import MOST_TIMES, Wish
from broadcasts.domain.statutes import Template
from broadcasts.errors import Refused
from controller.services.campaigns import Proposal, default_times
from controller.services.composing import Draft
from controller.services.rights import Actor
from controller.services.views.places import Place, home_of
from controller.web.draft_form import day_of, time_of
from controller.web.parts_form import with_chime
from controller.web.upload import Posted

SOON = timedelta(minutes=2)
"""What "at once" means for a form: the time that approval needs is the approver's."""
A_DAY = timedelta(days=1)


@dataclass(frozen=True)
class SeriesForm:
    template: str = ""
    title: str = ""
    field: str = "1"
    language: str = "vi"
    priority: str = "3"
    asset: str = ""
    areas: tuple[str, ...] = ()
    clusters: tuple[str, ...] = ()
    text: str = ""
    at_once: bool = False
    day: str = ""
    time: str = ""
    times: str = ""
    days: str = ""
    every: str = ""
    issued_day: str = ""
    issued_time: str = ""
    event_day: str = ""
    ends_day: str = ""
    ends_time: str = ""
    within_hours: bool = False
    spoken: bool = False
    announce: bool = False
    """The issue time is spoken before it, by the machine."""
    other_forms: str = ""
    unusual: str = ""
    push_now: bool = False
    chime: str = ""

    def proposal(self, now: datetime) -> Proposal:
        """Raises Refused: "time.missing", "campaign.times_unread", "choice.unknown" for what cannot be read."""
        first = _instant(self.day, self.time)
        if self.at_once:
            first = (now + SOON + timedelta(microseconds=999_999)).replace(microsecond=0)
        if first is None:
            raise Refused("time.missing")
        wish = Wish(
            first,
            times=_times(self.times),
            days=_number("days", self.days),
            every_minutes=_number("every", self.every),
            issued_at=_instant(self.issued_day, self.issued_time),
            event_on=day_of(self.event_day),
            ends_at=_instant(self.ends_day, self.ends_time),
            within_hours=self.within_hours,
        )
        draft = Draft(
            title=self.title,
            field=_number("field", self.field) or 0,
            language=self.language if self.language in ("vi", "km") else "vi",
            asset=self.asset,
            areas=self.areas,
            clusters=self.clusters,
            priority=_number("priority", self.priority) or 0,
            text=self.text,
            unusual=self.unusual,
            push_now=self.push_now,
            parts=with_chime(self.chime, self.asset),
        )
        return Proposal(self.template, draft, wish, self.spoken, self.other_forms)


def typed(posted: Posted) -> SeriesForm:
    ticks: dict[str, Any] = {
        name: posted.get(name) == "1" for name in ("at_once", "within_hours", "spoken", "announce", "push_now")
    }
    plain: dict[str, Any] = {
        name: posted.get(name, shape)
        for name, shape in vars(SeriesForm()).items()
        if isinstance(shape, str) and name not in ("text", "other_forms")
    }
    return SeriesForm(
        areas=tuple(posted.all("areas")),
        clusters=tuple(posted.all("clusters")),
        text=posted.get("text").replace("\r\n", "\n"),
        other_forms=posted.get("other_forms").replace("\r\n", "\n"),
        **plain,
        **ticks,
    )


def fresh(template: Template, actor: Actor, offered: Sequence[Place], now: datetime, chime: str = "") -> SeriesForm:
    """Filled in with what the template asks for; one's own commune is chosen already, and the chime of its station."""
    local = now.astimezone(VIETNAM)
    times = default_times(template)
    tomorrow, end = local.date() + A_DAY, local + A_DAY
    warning = template.is_warning
    return SeriesForm(
        template=template.name,
        priority="2" if warning else "3",
        areas=home_of(offered, actor),
        chime=chime,
        at_once=warning and template.burst > 0,
        day=(local.date() if warning else tomorrow).isoformat(),
        time=f"{local:%H:%M}" if warning else f"{times[0]:%H:%M}" if times else "17:00",
        times=", ".join(f"{each:%H:%M}" for each in times),
        days=str(template.days) if template.days > 1 else "",
        every=str(template.every_minutes or 60) if warning else "",
        issued_day=local.date().isoformat() if template.needs_issue_time else "",
        issued_time=f"{local:%H:%M}" if template.needs_issue_time else "",
        ends_day=end.date().isoformat() if warning else "",
        ends_time=f"{end:%H:%M}" if warning else "",
    )


def _instant(day: str, clock: str) -> datetime | None:
    found, at = day_of(day), time_of(clock)
    return datetime.combine(found, at, tzinfo=VIETNAM) if found and at is not None else None


def _times(told: str) -> tuple[time, ...]:
    """ "06:00, 11:30 17:00". Raises Refused("campaign.times_unread")."""
    words = told.replace(",", " ").replace(";", " ").split()
    try:
        found = tuple(time.fromisoformat(each.zfill(5)) for each in words[: MOST_TIMES + 1])
    except ValueError:
        raise Refused("campaign.times_unread", told=told[:60]) from None
    if any(each.tzinfo for each in found):
        raise Refused("campaign.times_unread", told=told[:60])
    return found


def _number(name: str, told: str) -> int | None:
    if not told.strip():
        return None
    try:
        return max(-1, min(100_000, int(told[:9])))
    except ValueError:
        raise Refused("choice.unknown", name=name, value=told[:20]) from None
